"""The condition of FT.CREATE ... FILTER: which documents an index takes in.

    or    = and ("||" and)*            and  = not ("&&" not)*        not = "!" not | comparison
    comparison = term (("==" | "!=" | "<" | "<=" | ">" | ">=") term)?
    term  = number | "text" | 'text' | @field | function "(" or ("," or)* ")" | "(" or ")"

A field that a document lacks makes the condition false, unless `exists` asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from balas.api import ReplyError

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>[+-]?\d+(?:\.\d+)?)|(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    r"""|@(?P<field>\w+)|(?P<name>\w+)|(?P<symbol>\|\||&&|==|!=|<=|>=|[<>!(),]))"""
)
Values = Mapping[str, bytes]
Condition = Callable[[Values], Any]


class Absent(Exception):
    """A document lacks a field that is asked for."""


class Filter:
    """A condition on documents. `fields` are the names it asks for; raises ReplyError."""

    def __init__(self, text: bytes) -> None:
        self.fields: list[str] = []
        self._tokens = list(self._cut(text.decode("utf-8", "replace")))
        self._at = 0
        self._condition = self._or()
        if self._at != len(self._tokens):
            raise self._error()

    def accepts(self, values: Values) -> bool:
        """Whether a document with these fields fulfils the condition."""
        try:
            return bool(self._condition(values))
        except Absent:
            return False

    # --- parsing ---------------------------------------------------------------------------------

    def _cut(self, text: str) -> list[tuple[str, str]]:
        found = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                raise ReplyError(f"Syntax error at offset {at} near '{text[at:]}'")
            found.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        return found

    def _error(self) -> ReplyError:
        near = self._tokens[self._at][1] if self._at < len(self._tokens) else ""
        return ReplyError(f"Syntax error near '{near}'")

    def _eat(self, *symbols: str) -> str:
        if self._at < len(self._tokens) and self._tokens[self._at] in [
            ("symbol", symbol) for symbol in symbols
        ]:
            self._at += 1
            return self._tokens[self._at - 1][1]
        return ""

    def _or(self) -> Condition:
        found = self._and()
        while self._eat("||"):
            found = _either(found, self._and())
        return found

    def _and(self) -> Condition:
        found = self._not()
        while self._eat("&&"):
            found = _both(found, self._not())
        return found

    def _not(self) -> Condition:
        if self._eat("!"):
            inner = self._not()
            return lambda values: not inner(values)
        left = self._term()
        operator = self._eat("==", "!=", "<=", ">=", "<", ">")
        return _compared(left, operator, self._term()) if operator else left

    def _term(self) -> Condition:
        if self._eat("("):
            found = self._or()
            if not self._eat(")"):
                raise self._error()
            return found
        if self._at == len(self._tokens):
            raise self._error()
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            number = float(text)
            return lambda values: number
        if kind == "text":
            plain = re.sub(r"\\(.)", r"\1", text[1:-1])
            return lambda values: plain
        if kind == "field":
            self.fields.append(text)
            return lambda values: _field(values, text)
        if kind == "name":
            return self._function(text)
        self._at -= 1
        raise self._error()

    def _function(self, name: str) -> Condition:
        if not self._eat("("):
            raise ReplyError(f"Unknown symbol '{name}'")
        arguments = [self._or()]
        while self._eat(","):
            arguments.append(self._or())
        if not self._eat(")"):
            raise self._error()
        function = FUNCTIONS.get((name.lower(), len(arguments)))
        if function is None:
            raise ReplyError(f"Unknown function name '{name}'")
        if name.lower() == "exists":
            return lambda values: _exists(arguments[0], values)
        return lambda values: function(*(argument(values) for argument in arguments))


FUNCTIONS: dict[tuple[str, int], Callable[..., Any]] = {
    ("exists", 1): bool,
    ("startswith", 2): lambda text, part: str(text).startswith(str(part)),
    ("contains", 2): lambda text, part: str(text).count(str(part)),
    ("lower", 1): lambda text: str(text).lower(),
    ("upper", 1): lambda text: str(text).upper(),
    ("strlen", 1): lambda text: float(len(str(text))),
}


def _field(values: Values, name: str) -> str:
    if name not in values:
        raise Absent
    return values[name].decode("utf-8", "replace")


def _exists(argument: Condition, values: Values) -> bool:
    try:
        argument(values)
    except Absent:
        return False
    return True


def _either(one: Condition, other: Condition) -> Condition:
    return lambda values: one(values) or other(values)


def _both(one: Condition, other: Condition) -> Condition:
    return lambda values: one(values) and other(values)


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda one, other: one == other,
    "!=": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


def _compared(left: Condition, operator: str, right: Condition) -> Condition:
    compare = COMPARISONS[operator]

    def condition(values: Values) -> bool:
        one, other = left(values), right(values)
        if isinstance(one, float) or isinstance(other, float):
            try:
                return compare(float(one), float(other))
            except ValueError:
                return operator == "!="
        return compare(one, other)

    return condition
