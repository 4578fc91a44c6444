"""Keeps the line of a script that ends in a call of a library.

`return cjson.encode(...)` is a tail call: Lua drops the caller's frame before the function runs,
and with it the line that an error message is to name. In Redis the function is C, for which the
frame stays; so it is here with `redis.call` and `redis.pcall`, but not with what lua/ has. Such
calls are put in parentheses, which makes them plain calls; they return one value in any case, but
for `unpack` and its kin, whose values pass through a function that does nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

TOKEN = re.compile(
    rb"""
    --\[(?P<comment>=*)\[.*?(?:\](?P=comment)\]|\Z)     # a long comment
    | --[^\n]*
    | \[(?P<level>=*)\[.*?(?:\](?P=level)\]|\Z)         # a long string
    | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*'
    | [A-Za-z_][A-Za-z0-9_]*
    | \s+
    | .
    """,
    re.S | re.X,
)
# Those whose functions are C in Redis.
LIBRARIES = frozenset((b"redis", b"cjson", b"cmsgpack", b"struct", b"bit", b"math"))
# A look before all is taken apart, which takes a thousand times longer; most scripts have none.
CANDIDATE = re.compile(
    rb"""
    \breturn\b (?:\s | --[^\n]*)*
    (?: cjson | cmsgpack | struct | bit | math \s*\.\s* random | redis \s*\.\s* (?!p?call\b) )
    """,
    re.X,
)
# What may follow a call that is the whole of what is returned.
ENDS = frozenset((b"end", b"else", b"elseif", b"until", b";", b""))
OPENING, CLOSING = b"({[", b")}]"


def tokens(text: bytes) -> list[tuple[int, bytes]]:
    """Places and texts of what is neither blank nor comment."""
    found = []
    for match in TOKEN.finditer(text):
        word = match.group()
        if not word.isspace() and not word.startswith(b"--"):
            found.append((match.start(), word))
    found.append((len(text), b""))
    return found


def tail_calls(text: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Each call such as `redis.call(...)` that is all that a return returns: where it begins and
    ends, and what is to open before it.
    """
    words = tokens(text)
    for i in range(len(words) - 5):
        names = [word for _, word in words[i : i + 5]]
        if names[0] != b"return" or names[2] != b"." or names[4] != b"(":
            continue
        if names[1] not in LIBRARIES:
            continue
        if names[1] == b"math" and not names[3].startswith(b"random"):
            continue  # Lua's own, which is C
        close = closing(words, i + 4)
        if close is not None and words[close + 1][1] in ENDS:
            keeper = b"__all_of(" if names[3].startswith(b"unpack") else b"("
            yield words[i + 1][0], words[close][0] + 1, keeper


def closing(words: list[tuple[int, bytes]], start: int) -> int | None:
    """Where the bracket at `start` is closed; None if it is not."""
    depth = 0
    for i in range(start, len(words)):
        word = words[i][1]
        if len(word) == 1 and word in OPENING:
            depth += 1
        elif len(word) == 1 and word in CLOSING:
            depth -= 1
            if not depth:
                return i
    return None


def keep_frames(text: bytes) -> bytes:
    """The same script with its tail calls of libraries made plain calls; no line moves."""
    if CANDIDATE.search(text) is None:
        return text
    pieces = []
    at = 0
    for begin, end, keeper in tail_calls(text):
        if begin < at:
            continue  # inside another one
        pieces += [text[at:begin], keeper, text[begin:end], b")"]
        at = end
    return b"".join(pieces) + text[at:]
