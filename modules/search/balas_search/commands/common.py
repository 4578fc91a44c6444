"""What all commands share."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from balas.api import ACCESS, DENYOOM, READONLY, RW, UPDATE, WRITE, Context, ReplyError, key, keys

if TYPE_CHECKING:
    from balas_search.module import SearchBase

# The name of an index stands where a key would; RediSearch declares it as one.
NAME = key(1, RW | ACCESS | UPDATE)
TWO_NAMES = keys(1, 2, 1, RW | ACCESS | UPDATE)
READING = READONLY
WRITING = WRITE
FILLING = WRITE | DENYOOM


def search_module(ctx: Context) -> SearchBase:
    """The module as this server holds it."""
    return ctx.service(module_class())


@functools.cache
def module_class() -> type[SearchBase]:
    """The class of the module."""
    # Not above: the class names the files of commands.
    from balas_search import Search

    return Search


def wrong_number(name: str) -> ReplyError:
    """The error for too few or too many arguments."""
    return ReplyError(f"ERR wrong number of arguments for '{name}' command")


def record(ctx: Context, name: bytes, *arguments: bytes) -> None:
    """Put the command into the log: what it changes is no key, so nobody else would."""
    ctx.record(name, *arguments)
