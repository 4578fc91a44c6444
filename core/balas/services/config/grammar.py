"""The grammar of redis.conf: how a line becomes words, and how a value becomes text again.

Here are quoting, memory units and integers; which options exist is not known here. Words are split
as those of an inline command are, by the parser of requests. All text is
``str`` decoded as UTF-8 with ``surrogateescape``, so that any bytes survive the round trip;
``\\xHH`` in quotes means a byte, not a code point.
"""

import re

from balas.protocol.parser import split_words

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1

_ESCAPES = {
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\b": "\\b",
    "\a": "\\a",
    "\\": "\\\\",
    '"': '\\"',
}
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_MEMORY = re.compile(r"([0-9]*)([a-z]*)", re.ASCII)
# "k" counts in thousands and "kb" in 1024s, as redis.conf explains at its top.
_UNITS = {
    "": 1,
    "b": 1,
    "k": 1000,
    "kb": 1 << 10,
    "m": 1000**2,
    "mb": 1 << 20,
    "g": 1000**3,
    "gb": 1 << 30,
}


class BadValue(Exception):
    """A text that is no value of its option; the message is the reason Redis gives.

    Example:
        >>> class Even(Kind):
        ...     def parse(self, words, current):
        ...         if int(words[0]) % 2:
        ...             raise BadValue("argument must be even")
        ...         return int(words[0])
        ...
        ...     def format(self, value):
        ...         return str(value)
        >>> class Demo(Module):
        ...     name = "demo"
        ...     options = (Option("demo-even", 2, Even()),)
        >>> client = serve()
        >>> "must be even" in client.error("CONFIG", "SET", "demo-even", "3")
        True
    """


class UnbalancedQuotes(Exception):
    """A line whose quotes do not close, or close in the middle of a word."""


def decode(data: bytes) -> str:
    """Bytes from a file or a client as configuration text."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Configuration text as the bytes it was read from."""
    return text.encode("utf-8", "surrogateescape")


def split_arguments(line: str) -> list[str]:
    """Split a line into words, honouring ``"..."`` and ``'...'``; may raise UnbalancedQuotes."""
    words = split_words(encode(line))
    if words is None:
        raise UnbalancedQuotes
    return [decode(word) for word in words]


def quote(text: str) -> str:
    """The text in double quotes, with everything but printable ASCII escaped."""
    body = "".join(
        _ESCAPES.get(chr(byte)) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}")
        for byte in encode(text)
    )
    return f'"{body}"'


def parse_integer(text: str) -> int | None:
    """A 64-bit integer in its one canonical spelling (no ``+5``, ``05`` or spaces), else None."""
    if not _INTEGER.fullmatch(text) or len(text) > 20:
        return None
    value = int(text)
    return value if INT64_MIN <= value <= INT64_MAX else None


def parse_memory(text: str) -> int | None:
    """Bytes from ``1024``, ``100kb``, ``2GB``; None for anything else. No digits mean zero.

    Differs from Redis: a size past 64 bits is not wrapped around; the caller's range check
    refuses it.
    """
    match = _MEMORY.fullmatch(text.lower())
    if match is None or match[2] not in _UNITS:
        return None
    return int(match[1] or "0") * _UNITS[match[2]]


def format_memory(size_bytes: int) -> str:
    """The shortest exact spelling with the units gb, mb and kb."""
    for unit in ("gb", "mb", "kb"):
        if size_bytes and size_bytes % _UNITS[unit] == 0:
            return f"{size_bytes // _UNITS[unit]}{unit}"
    return str(size_bytes)
