"""The wire as a test sees it: requests to bytes, and bytes to replies that keep their type.

Ordinary clients fold types together: a status and a bulk string both become bytes, a double may
become a float or a string. A test of what goes over the wire must not, so `TypedReader` keeps the
RESP type of every element, and `show` writes a reply in one line for people:

    OK   (error) ERR text   12   "bulk"   nil   nil-array   [array, of, 3]   {"map": 1}
    set["a", "b"]   push["message", "ch", "hi"]   double 1.5   true   big 123   txt"verbatim"
"""

from dataclasses import dataclass
from typing import Any

from balas.protocol.parser import split_words
from balas.services.config.grammar import decode, quote

PREFIXES = {"~": "set", ">": "push"}

# What a reader says while a reply is incomplete. (False is a reply: RESP3 has booleans.)
NOT_YET = object()


def encode(*argv: Any) -> bytes:
    """The request as a client sends it: str as UTF-8, numbers as their text, bytes as they are."""
    parts = [b"*%d\r\n" % len(argv)]
    for argument in argv:
        data = to_bytes(argument)
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def to_bytes(argument: Any) -> bytes:
    """One argument as bytes; TypeError for what has no obvious text."""
    if isinstance(argument, bytes | bytearray | memoryview):
        return bytes(argument)
    if isinstance(argument, str):
        return argument.encode()
    if isinstance(argument, int | float) and not isinstance(argument, bool):
        return repr(argument).encode()
    raise TypeError(f"cannot send {argument!r}")


@dataclass(frozen=True, slots=True)
class Typed:
    """One reply: the RESP type byte as `kind`, and what it carries.

    `value` is bytes for + - $ = and for doubles (their text matters), int for : and (, bool for #,
    None for every null, a tuple of `Typed` for * ~ >, and a tuple of pairs of them for %.
    """

    kind: str
    value: Any

    @property
    def is_error(self) -> bool:
        """Whether the server refused."""
        return self.kind in "-!"

    def __str__(self) -> str:
        return show(self)


class ProtocolError(Exception):
    """The server sent bytes that are no reply."""


class _Incomplete(Exception):
    """The reply has not arrived in full."""


class TypedReader:
    """A reply parser with the interface of `hiredis.Reader`: feed, gets, has_data.

    It starts again from the reply's first byte whenever more arrives, which is quadratic for huge
    replies in small pieces and simple for all others.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> None:
        """Take in what the server sent."""
        self._buffer += data

    def has_data(self) -> bool:
        """Whether bytes wait that no complete reply has used up."""
        return bool(self._buffer)

    def gets(self) -> Any:
        """The next reply, or `NOT_YET` while it is incomplete; `ProtocolError` for garbage."""
        reply = self.gets_raw()
        return NOT_YET if reply is None else reply[0]

    def gets_raw(self) -> tuple[Typed, bytes] | None:
        """The next reply and its very bytes, or None while it is incomplete."""
        self._at = 0
        try:
            reply = self._reply()
        except _Incomplete:
            return None
        raw = bytes(self._buffer[: self._at])
        del self._buffer[: self._at]
        return reply, raw

    def _line(self) -> bytes:
        end = self._buffer.find(b"\r\n", self._at)
        if end < 0:
            raise _Incomplete
        line = bytes(self._buffer[self._at : end])
        self._at = end + 2
        return line

    def _bulk(self, length: int) -> bytes:
        end = self._at + length
        if len(self._buffer) < end + 2:
            raise _Incomplete
        if self._buffer[end : end + 2] != b"\r\n":
            raise ProtocolError(f"a bulk of {length} bytes does not end in CRLF")
        data = bytes(self._buffer[self._at : end])
        self._at = end + 2
        return data

    def _reply(self) -> Typed:
        line = self._line()
        kind, rest = line[:1].decode("latin-1"), line[1:]
        if kind in ("+", "-", ","):
            return Typed(kind, rest)
        if kind in (":", "("):
            return Typed(kind, int(rest))
        if kind in ("$", "=", "!"):
            length = int(rest)
            return Typed(kind, None if length < 0 else self._bulk(length))
        if kind == "_":
            return Typed(kind, None)
        if kind == "#":
            return Typed(kind, rest == b"t")
        return self._aggregate(kind, rest)

    def _aggregate(self, kind: str, rest: bytes) -> Typed:
        if kind not in ("*", "~", ">", "%", "|"):
            raise ProtocolError(f"no reply starts with {kind + rest.decode('latin-1')!r}")
        count = int(rest)
        if count < 0:
            return Typed(kind, None)
        if kind in ("*", "~", ">"):
            return Typed(kind, tuple(self._reply() for _ in range(count)))
        pairs = tuple((self._reply(), self._reply()) for _ in range(count))
        # An attribute precedes the reply it describes and is not part of it.
        return self._reply() if kind == "|" else Typed(kind, pairs)


def show(reply: Typed) -> str:
    """The reply in one line, as in the notation above."""
    kind, value = reply.kind, reply.value
    if value is None:
        return "nil-array" if kind == "*" else "nil"
    if isinstance(value, bytes):
        return _show_text(kind, value)
    if kind == "#":
        return "true" if value else "false"
    if kind in ":(":
        return f"big {value}" if kind == "(" else str(value)
    if kind == "%":
        return "{" + ", ".join(f"{show(name)}: {show(item)}" for name, item in value) + "}"
    return PREFIXES.get(kind, "") + "[" + ", ".join(map(show, value)) + "]"


def _show_text(kind: str, text: bytes) -> str:
    if kind == "$":
        return quote(decode(text))
    if kind == "=":
        return text[:3].decode("latin-1") + quote(decode(text[4:]))
    prefix = {"+": "", "-": "(error) ", "!": "(error) ", ",": "double "}[kind]
    return prefix + text.decode("latin-1")


def split_arguments(line: str) -> list[bytes]:
    """Split a line into arguments as redis-cli does; ValueError for a quote that is not closed."""
    words = split_words(line.encode())
    if words is None:
        raise ValueError("a quote is not closed, or is closed in mid-word")
    return words
