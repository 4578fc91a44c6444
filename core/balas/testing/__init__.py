"""The test kit, shipped to module authors.

`Client` talks to any server; `InProcessServer`, `BalasProcess` and `RealRedis` are servers;
`Transcript` and `Both` ask two of them the same and compare. The fixtures are in
`balas.testing.plugin`, which pytest finds by itself.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from balas.testing.both import Both
    from balas.testing.clients import Client
    from balas.testing.in_process import InProcessServer
    from balas.testing.laws import LawBroken, check_laws
    from balas.testing.real_server import NotInstalled, RealRedis, check_aof, check_rdb
    from balas.testing.server_process import BalasProcess, ServerProcess, StartupError, wait_until
    from balas.testing.transcript import Transcript
    from balas.testing.wire import Typed, encode, show

__all__ = [
    "BalasProcess",
    "Both",
    "Client",
    "InProcessServer",
    "LawBroken",
    "NotInstalled",
    "RealRedis",
    "ServerProcess",
    "StartupError",
    "Transcript",
    "Typed",
    "check_aof",
    "check_laws",
    "check_rdb",
    "encode",
    "show",
    "wait_until",
]

HOMES = {
    "both": ("Both",),
    "clients": ("Client",),
    "in_process": ("InProcessServer",),
    "laws": ("LawBroken", "check_laws"),
    "real_server": ("NotInstalled", "RealRedis", "check_aof", "check_rdb"),
    "server_process": ("BalasProcess", "ServerProcess", "StartupError", "wait_until"),
    "transcript": ("Transcript",),
    "wire": ("Typed", "encode", "show"),
}


def __getattr__(name: str) -> Any:
    """Import a name at its first use: pytest loads the plugin beside this in every run."""
    for home, names in HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
