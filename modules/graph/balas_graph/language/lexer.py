"""Cuts the text of a query into tokens.

A number that is followed by a letter is refused here, and so is a string without an end: both
would otherwise be read as two tokens.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from typing import NamedTuple

from balas_graph.errors import SyntaxMistake

TOKEN = re.compile(
    r"""
    (?P<space>(?:\s|//[^\n]*|/\*.*?\*/)+)
  | (?P<float>(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
  | (?P<int>0[xX][0-9a-fA-F]+|0o[0-7]+|\d+)
  | (?P<name>[^\W\d]\w*)
  | (?P<quoted>`(?:[^`]|``)*`)
  | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
  | (?P<parameter>\$(?:\w+|`[^`]+`))
  | (?P<op>\.\.|<>|<=|>=|=~|\+=|[-+*/%^=<>()\[\]{},.:;|&!])
    """,
    re.VERBOSE | re.DOTALL,
)
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
SURROGATE = re.compile("[\ud800-\udfff]")
# Kinds whose text is not what stands there.
QUOTED = ("string", "quoted", "parameter")
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


class Token(NamedTuple):
    """A piece of a query: its kind, its text without quotes, and where it begins and ends."""

    kind: str
    text: str
    start: int
    end: int


def tokens(text: str, look: Callable[[], None]) -> list[Token]:
    """All tokens of a query, with a look at the clock; the last is of the kind "end"."""
    found = []
    position = 0
    read = TOKEN.match
    while position < len(text):
        look()
        match = read(text, position)
        if match is None:
            raise SyntaxMistake(f"Invalid input '{text[position]}'", text, position)
        kind = str(match.lastgroup)
        end = match.end()
        if kind in ("int", "float") and end < len(text) and (text[end].isalnum()):
            raise SyntaxMistake("invalid number literal", text, position)
        if kind != "space":
            piece = match.group()
            if kind in QUOTED:
                piece = plain(kind, piece, text, position)
            found.append(Token(kind, piece, position, end))
        position = end
    found.append(Token("end", "", position, position))
    return found


def plain(kind: str, piece: str, text: str, position: int) -> str:
    """The text of a token without its quotes and escapes."""
    if kind == "quoted":
        return piece[1:-1].replace("``", "`")
    if kind == "parameter":
        return piece[1:].strip("`")

    def unescape(match: re.Match[str]) -> str:
        code = match.group(1)
        if code[0] in "uU":
            if len(code) == 1 or int(code[1:], 16) > sys.maxunicode:
                raise SyntaxMistake("invalid unicode escape", text, position)
            return chr(int(code[1:], 16))
        return ESCAPES.get(code, code)

    if "\\" not in piece:
        return piece[1:-1]
    found = ESCAPE.sub(unescape, piece[1:-1])
    if not SURROGATE.search(found):
        return found
    try:
        # Two escapes may tell one character, as in UTF-16.
        return found.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise SyntaxMistake("invalid unicode escape", text, position) from error
