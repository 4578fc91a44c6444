"""Balas: a data-structure server that speaks Redis's protocol and is extended in Python.

>>> from balas import Server  # a server inside this program: see `balas.embedding`
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from balas.embedding import Server

__all__ = ["REDIS_VERSION", "Server", "__version__"]

__version__ = "0.1.0"

# The server whose behaviour Balas matches, reported as redis_version.
REDIS_VERSION = "8.2.3"


def __getattr__(name: str) -> Any:
    """Import the server when it is asked for: most who import Balas want a small part of it."""
    if name == "Server":
        return import_module("balas.embedding").Server
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
