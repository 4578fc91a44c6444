"""What the commands share: the value behind a key, compiled paths, and errors."""

from __future__ import annotations

from typing import Any

import balas_json
from balas.api import (
    ACCESS,
    DENYOOM,
    READONLY,
    RW,
    UPDATE,
    WRITE,
    Context,
    ReplyError,
    key,
)
from balas_json._document import Document
from balas_json._paths import Path
from balas_json.value import JsonValue

# Readers too ask for the right to change the key, as in RedisJSON.
KEY = key(1, RW | ACCESS | UPDATE)
READING = READONLY
WRITING = WRITE | DENYOOM
# What only takes away is let through when memory is full, in RedisJSON as well.
REMOVING = WRITE
CATEGORIES = ("json",)

WRONG_KIND = "Existing key has wrong Redis type"
NO_KEY = "ERR could not perform this operation on a key that doesn't exist"
NOT_AT_ROOT = "ERR new objects must be created at the root"
NOT_AN_INTEGER = "Couldn't parse as integer"
NO_FORMAT_IN_RESP2 = "ERR FORMAT argument is not supported on RESP2"
WRONG_FORMAT = "ERR wrong reply format"


def wrong_number(name: str) -> ReplyError:
    """The error for too few or too many arguments."""
    return ReplyError(f"ERR wrong number of arguments for '{name}' command")


def path_of(ctx: Context, text: bytes) -> Path:
    """The compiled path; ReplyError says where it makes no sense."""
    return ctx.service(balas_json.Json).paths.get(text)


def given_path(ctx: Context, arguments: tuple[bytes, ...]) -> Path:
    """The path behind the key, or the root if there is none."""
    return path_of(ctx, arguments[1] if len(arguments) > 1 else b".")


def find(ctx: Context, key: bytes) -> Document | None:
    """The document at a key, for reading, or None; ReplyError for another value."""
    held = ctx.read_any(key)
    if held is None:
        return None
    if not isinstance(held, JsonValue):
        raise ReplyError(WRONG_KIND)
    return held.document


def find_to_write(ctx: Context, key: bytes) -> Document | None:
    """The same for a command that goes on to change it."""
    try:
        held = ctx.write(key, JsonValue)
    except ReplyError:
        raise ReplyError(WRONG_KIND) from None
    return None if held is None else held.document


def existing(ctx: Context, key: bytes) -> Document:
    """The document at a key, for changing it; ReplyError if there is none."""
    document = find_to_write(ctx, key)
    if document is None:
        raise ReplyError(NO_KEY)
    return document


def shown(path: Path) -> str:
    """The path for an error, beginning with $."""
    return path.full.decode("utf-8", "surrogateescape")


def given(path: Path) -> str:
    """The path for an error, as it was given."""
    return path.text.decode("utf-8", "surrogateescape")


def no_path(path: Path, addition: str = "") -> ReplyError:
    """The error for a legacy path that selects nothing, or nothing of use."""
    return ReplyError(f"ERR Path '{shown(path)}' does not exist{addition}")


def last_of(results: list[Any], path: Path, addition: str) -> Any:
    """What a legacy path answers after a change at several places: the last that came about."""
    for result in reversed(results):
        if result is not None:
            return result
    raise no_path(path, addition)


def number_argument(text: bytes) -> int:
    """A whole number of 64 bits."""
    try:
        value = int(text)
    except ValueError:
        raise ReplyError(NOT_AN_INTEGER) from None
    if not -(2**63) <= value < 2**63:
        raise ReplyError(NOT_AN_INTEGER)
    return value
