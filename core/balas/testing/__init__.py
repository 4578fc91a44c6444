"""The test kit, shipped to module authors.

`Client` talks to any server; `BalasProcess` and `RealRedis` run one; `Transcript` plays one script
to both and compares. The fixtures are in `balas.testing.plugin`, which pytest finds by itself.
"""

from balas.testing.clients import Client
from balas.testing.real_server import NotInstalled, RealRedis, check_aof, check_rdb
from balas.testing.server_process import BalasProcess, ServerProcess, StartupError, wait_until
from balas.testing.transcript import Transcript
from balas.testing.wire import Typed, encode, show

__all__ = [
    "BalasProcess",
    "Client",
    "NotInstalled",
    "RealRedis",
    "ServerProcess",
    "StartupError",
    "Transcript",
    "Typed",
    "check_aof",
    "check_rdb",
    "encode",
    "show",
    "wait_until",
]
