"""The tokens of the query language.

Blanks, control characters and the punctuation that means nothing stand between tokens and are
skipped. Where two kinds of token begin at the same place, the longer one counts.
"""

from __future__ import annotations

import re

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
# The bytes that a token of a kind may begin with.
_FIRST = {
    "arrow": rb"=",
    "modifier": rb"@",
    "attribute": rb"\$",
    "number": rb"[-+.\diI]",
    "term": rb"[^\s\x00-\x1f" + _PUNCTUATION + rb"]|[_\\]",
    "symbol": _SYMBOLS,
    "pattern": rb"w",
    "quoted": rb"'",
    "ismissing": rb"i",
    "compare": rb"[=!<>]",
}
# For each dialect and each byte the kinds of token that may begin with it: name, and what matches.
_Kind = tuple[str, re.Pattern[bytes]]
_BY_FIRST: dict[int, list[list[_Kind]]] = {
    dialect: [
        [
            (kind, re.compile(pattern, re.DOTALL))
            for kind, pattern in kinds
            if re.match(_FIRST[kind], bytes([first]))
        ]
        for first in range(256)
    ]
    for dialect, kinds in _KINDS.items()
}
# In a number's place a bracket may stand before it.
_TEXTUAL = frozenset({"modifier", "attribute", "number", "term", "pattern", "quoted"})


class Lexeme:
    """A token of a query: its kind, its text, where it begins, and where it ends.

    Of a symbol the kind is the symbol itself; of a modifier and an attribute the text is the name.
    `near` is what an error at this token quotes: the latest token that has a text.
    """

    def __init__(self, kind: str, text: bytes, at: int, near: bytes, end: int) -> None:
        self.kind = kind
        self.text = text
        self.at = at
        self.near = near
        self.end = end


def lexemes(query: bytes, dialect: int) -> list[Lexeme]:
    """All tokens of a query, with one of the kind "end" behind them."""
    by_first = _BY_FIRST[min(dialect, 2)]
    found: list[Lexeme] = []
    at = 0
    near = b""
    while at < len(query):
        kind, end = "", at
        for name, pattern in by_first[query[at]]:
            match = pattern.match(query, at)
            if match is not None and match.end() > end:
                kind, end = name, match.end()
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


def unescaped(text: bytes) -> bytes:
    """A term without the backslashes that protect characters."""
    if b"\\" not in text:
        return text
    return re.sub(rb"\\([" + _PUNCTUATION + rb"\s\\_])", rb"\1", text)


def syntax_error(lexeme: Lexeme) -> ReplyError:
    """The error that names the place."""
    near = lexeme.near.decode("utf-8", "surrogateescape")
    return ReplyError(f"Syntax error at offset {lexeme.at} near {near}")
