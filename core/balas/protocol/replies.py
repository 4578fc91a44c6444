"""Reply values that plain Python has no type for.

A command returns bytes, str, int, float, bool, None, lists, dicts, sets, or one of these. What each
becomes in RESP2 and RESP3 is written in docs/architecture.md and done by `protocol.writer`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

Reply = Any  # what a command may return; too recursive for a type checker to help


class Status:
    """A simple string, such as ``OK``: short, and without line breaks.

    Example:
        >>> @command("DEMO.STATE", arity=1)
        ... def state(ctx):
        ...     return Status("READY")
        >>> serve()("DEMO.STATE")
        b'READY'
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if "\r" in text or "\n" in text:
            raise ValueError(f"a status has no line breaks: {text!r}")
        self.line = b"+" + text.encode() + b"\r\n"

    def __repr__(self) -> str:
        return f"Status({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Status) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


class Sentinel:
    """A value that stands for itself."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


class Pairs:
    """A map given as pairs: for keys that repeat, cannot be hashed, or come in no dict.

    Example:
        >>> @command("DEMO.PAIRS", arity=1)
        ... def pairs(ctx):
        ...     return Pairs([("a", 1), ("a", 2)])
        >>> serve()("DEMO.PAIRS")
        [b'a', 1, b'a', 2]
    """

    __slots__ = ("items",)

    def __init__(self, items: Iterable[tuple[Any, Any]]) -> None:
        self.items = list(items)


class SetReply:
    """A set whose members have an order or cannot be hashed.

    Example:
        >>> @command("DEMO.SET", arity=1)
        ... def ordered(ctx):
        ...     return SetReply([3, 1, 2])
        >>> serve()("DEMO.SET")
        [3, 1, 2]
    """

    __slots__ = ("members",)

    def __init__(self, members: Iterable[Any]) -> None:
        self.members = list(members)


class Verbatim:
    """Text for people, with a three-letter format: ``txt`` or ``mkd``.

    Example:
        >>> @command("DEMO.TEXT", arity=1)
        ... def text(ctx):
        ...     return Verbatim("# a title", "mkd")
        >>> serve()("DEMO.TEXT")
        b'# a title'
    """

    __slots__ = ("format", "text")

    def __init__(self, text: str | bytes, format: str = "txt") -> None:
        self.text = text.encode() if isinstance(text, str) else text
        self.format = format


class BigNumber:
    """An integer that is sent as a big number in RESP3 whatever its size.

    Example:
        >>> @command("DEMO.BIG", arity=1)
        ... def big(ctx):
        ...     return BigNumber(7)
        >>> int(serve(resp=3)("DEMO.BIG"))
        7
    """

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value


class Push:
    """A message outside the sequence of replies; in RESP2 a plain array.

    Example:
        >>> @command("DEMO.PUSH", arity=1)
        ... def push(ctx):
        ...     return Push(["news", 1])
        >>> serve()("DEMO.PUSH")
        [b'news', 1]
    """

    __slots__ = ("items",)

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = list(items)


class Replies:
    """Several replies in a row, as SUBSCRIBE gives one for each channel."""

    __slots__ = ("items",)

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = list(items)


class Encoded:
    """A reply, or a part of one, in the client's protocol already: for what would take longer to
    make values of than all else. Only for a request of its own (`ctx.may_block`): scripts and other
    commands want values.

    Example:
        >>> @command("DEMO.READY", arity=1)
        ... def ready(ctx):
        ...     return Encoded(b"*1" + bytes([13, 10]) + b":7" + bytes([13, 10]))
        >>> serve()("DEMO.READY")
        [7]
    """

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


OK: Final = Status("OK")
QUEUED: Final = Status("QUEUED")
PONG: Final = Status("PONG")
NULL_ARRAY: Final = Sentinel("NULL_ARRAY")
NO_REPLY: Final = Sentinel("NO_REPLY")
