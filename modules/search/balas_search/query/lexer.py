"""The tokens of the query language.

Blanks, control characters and the punctuation that means nothing stand between tokens and are
skipped. Where two kinds of token begin at the same place, the longer one counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from balas.api import ReplyError

# What ends a term unless a backslash stands before it: all ASCII punctuation but "_".
_PUNCTUATION = rb"!-/:-@\[-^`{-~"
_TERM = rb"(?:\\[" + _PUNCTUATION + rb"\s\\]|_|[^\s\x00-\x1f" + _PUNCTUATION + rb"\\]|\\)+"
_NUMBER = rb"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?[iI][nN][fF]"

_KINDS_OF_BOTH = [
    ("arrow", rb"=>"),
    ("modifier", rb"@" + _TERM),
    ("attribute", rb"\$" + _TERM),
    ("number", _NUMBER),
    ("term", _TERM),
]
_SYMBOLS = rb"\"|\||\(|\)|\{|\}|:|-|~|\*|%|\[|\]|;"
_KINDS = {
    1: [*_KINDS_OF_BOTH, ("symbol", _SYMBOLS)],
    2: [
        ("pattern", rb"w'(?:\\.|[^'\\])*'"),
        ("quoted", rb"'(?:\\.|[^'\\])*'"),
        ("ismissing", rb"ismissing(?=\s*\()"),
        ("compare", rb"==|!=|>=|<=|>|<"),
        *_KINDS_OF_BOTH,
        ("symbol", _SYMBOLS),
    ],
}
_COMPILED = {
    dialect: [(kind, re.compile(pattern, re.DOTALL)) for kind, pattern in kinds]
    for dialect, kinds in _KINDS.items()
}
# In a number's place a bracket may stand before it.
_TEXTUAL = frozenset({"modifier", "attribute", "number", "term", "pattern", "quoted"})


@dataclass(slots=True)
class Lexeme:
    """A token of a query: its kind, its text, and where it begins.

    Of a symbol the kind is the symbol itself; of a modifier and an attribute the text is the name.
    `near` is what an error at this token quotes: the latest token that has a text.
    """

    kind: str
    text: bytes
    at: int
    near: bytes = b""
    end: int = 0


def lexemes(query: bytes, dialect: int) -> list[Lexeme]:
    """All tokens of a query, with one of the kind "end" behind them."""
    kinds = _COMPILED[min(dialect, 2)]
    found: list[Lexeme] = []
    at = 0
    near = b""
    while at < len(query):
        kind, end = _longest(kinds, query, at)
        if not kind:
            at += 1
            continue
        text = query[at:end]
        if kind == "symbol":
            kind = text.decode()
        elif kind in ("modifier", "attribute"):
            text = text[1:]
        elif kind == "arrow":
            near = query[at + 1 : end + 1].strip()
        if kind in _TEXTUAL:
            near = text
        found.append(Lexeme(kind, text, at, near, end))
        at = end
    last = found[len(found) - 1].at if found else 0
    found.append(Lexeme("end", b"", last, near, len(query)))
    return found


def _longest(kinds: list[tuple[str, re.Pattern[bytes]]], query: bytes, at: int) -> tuple[str, int]:
    best, best_end = "", at
    for kind, pattern in kinds:
        match = pattern.match(query, at)
        if match and match.end() > best_end:
            best, best_end = kind, match.end()
    return best, best_end


def unescaped(text: bytes) -> bytes:
    """A term without the backslashes that protect characters."""
    if b"\\" not in text:
        return text
    return re.sub(rb"\\([" + _PUNCTUATION + rb"\s\\_])", rb"\1", text)


def syntax_error(lexeme: Lexeme) -> ReplyError:
    """The error that names the place."""
    near = lexeme.near.decode("utf-8", "surrogateescape")
    return ReplyError(f"Syntax error at offset {lexeme.at} near {near}")
