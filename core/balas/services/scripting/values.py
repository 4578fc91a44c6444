"""Replies as scripts see them, and what scripts return as replies.

Of RESP2 a script sees numbers, strings, false for null, tables for arrays, and tables with one
field for statuses and errors; after `redis.setresp(3)` also maps, sets, doubles and the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from balas.errors import ReplyError
from balas.protocol.replies import (
    NULL_ARRAY,
    BigNumber,
    Pairs,
    Push,
    Reply,
    SetReply,
    Status,
    Verbatim,
)
from balas.structures.numbers import format_double

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1

# What a reply is, for the function of the sandbox that called: a value, a status, an error, nil.
PLAIN, STATUS, FAILURE, NOTHING = range(4)

MakeTable = Callable[[Any], Any]


def to_lua(value: Reply, resp: int, table: MakeTable) -> tuple[int, Any]:
    """A reply for a script: what it is, and the value."""
    if type(value) is bytes or type(value) is int:
        return PLAIN, value
    if isinstance(value, Status):
        return STATUS, value.text.encode()
    if value is None or value is NULL_ARRAY:
        return (NOTHING, None) if resp == 3 else (PLAIN, False)
    return PLAIN, inner(value, resp, table)


def inner(value: Any, resp: int, table: MakeTable) -> Any:
    """A value inside another, or one that is not simple."""
    if type(value) is bytes or type(value) is int:
        return value
    if isinstance(value, (list, tuple, Push)):
        items = value.items if isinstance(value, Push) else value
        return table([inner(one, resp, table) for one in items])
    if value is None or value is NULL_ARRAY:
        return None if resp == 3 else False
    if isinstance(value, bool):
        return value if resp == 3 else int(value)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, float):
        return table({b"double": value}) if resp == 3 else format_double(value)
    if isinstance(value, Status):
        return table({b"ok": value.text.encode()})
    if isinstance(value, ReplyError):
        return table({b"err": value.text.encode("utf-8", "surrogateescape")})
    return collection(value, resp, table)


def collection(value: Any, resp: int, table: MakeTable) -> Any:
    """Maps, sets, and values that are text in RESP2."""
    if isinstance(value, (dict, Pairs)):
        pairs = list(value.items()) if isinstance(value, dict) else value.items
        if resp == 2:
            return table([inner(one, resp, table) for pair in pairs for one in pair])
        members = {inner(k, resp, table): inner(v, resp, table) for k, v in pairs}
        return table({b"map": table(members)})
    if isinstance(value, (set, frozenset, SetReply)):
        found = value.members if isinstance(value, SetReply) else value
        if resp == 2:
            return table([inner(one, resp, table) for one in found])
        return table({b"set": table({inner(one, resp, table): True for one in found})})
    if isinstance(value, Verbatim):
        if resp == 2:
            return value.text
        text = {b"string": value.text, b"format": value.format.encode()}
        return table({b"verbatim_string": table(text)})
    if isinstance(value, BigNumber):
        digits = b"%d" % value.value
        return table({b"big_number": digits}) if resp == 3 else digits
    raise TypeError(f"a script cannot be given a {type(value).__name__}")


def from_lua(kind: bytes, value: Any, extra: Any, describe: Callable[[Any], Any], resp: int) -> Any:
    """The reply for what a script returned, as the sandbox's `describe` told of it."""
    if kind == b"string":
        return value
    if kind == b"number":
        return whole(value)
    if kind == b"nil":
        return None
    if kind == b"boolean":
        return value if resp == 3 else (1 if value else None)
    if kind == b"list":
        return items_of(value, describe, resp)
    if kind == b"ok":
        return Status(
            value.decode("utf-8", "surrogateescape").replace("\r", " ").replace("\n", " ")
        )
    if kind == b"err":
        return ReplyError(one_line(value))
    if kind == b"double":
        return float(value)
    if kind == b"map":
        flat = items_of(value, describe, resp)
        return Pairs(zip(flat[::2], flat[1::2], strict=True))
    if kind == b"set":
        return SetReply(items_of(value, describe, resp))
    if kind == b"big":
        return BigNumber(int(value))
    return Verbatim(value, (extra or b"txt").decode("latin-1"))


def one_line(text: bytes) -> str:
    """An error's text, which must not break its line."""
    return text.decode("utf-8", "surrogateescape").replace("\r", " ").replace("\n", " ")


def items_of(value: Any, describe: Callable[[Any], Any], resp: int) -> list[Any]:
    """The items of a table from 1 on, up to the first that is nil."""
    found = []
    position = 1
    while (item := value[position]) is not None:
        if type(item) is bytes:
            found.append(item)
        else:
            kind, inner_value, *extra = described(describe(item))
            found.append(from_lua(kind, inner_value, extra[0] if extra else None, describe, resp))
        position += 1
    return found


def described(answer: Any) -> tuple[Any, ...]:
    """What `describe` returns, as a tuple in any case."""
    return answer if isinstance(answer, tuple) else (answer, None)


def whole(value: float) -> int:
    """A number of Lua as an integer: cut off, and beyond 64 bits what C makes of it."""
    if value != value or not INT64_MIN <= value <= INT64_MAX:
        return INT64_MIN
    cut = int(value)
    return cut if cut <= INT64_MAX else INT64_MIN


def argument(word: Any) -> bytes | None:
    """A word that a script gives to a command; None for what cannot be one."""
    if type(word) is bytes:
        return word
    if type(word) is int:
        return b"%d" % word
    if type(word) is float:
        return format_double(word)
    return None
