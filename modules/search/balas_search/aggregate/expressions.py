"""The language of APPLY and FILTER: from text to a tree.

    or    = compared (("||" | "&&") compared)*          both bind alike, to the left
    compared = sum (("==" | "!=" | "<" | "<=" | ">" | ">=") sum)*
    sum   = product (("+" | "-") product)*
    product = term (("*" | "/" | "%" | "^") term)*      all bind alike, to the left
    term  = number | "-" number | text | "NULL" | "@" property | name "(" or ("," or)* ")"
          | "(" or ")" | "!" compared

Characters that mean nothing are skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from balas.api import ReplyError
from balas_search.aggregate.functions import FUNCTIONS
from balas_search.aggregate.values import number_text
from balas_search.schema.words import shown

_TOKEN = re.compile(
    rb"""(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE]-?[0-9]+)?|[+-]inf)"""
    rb"""|(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    rb"""|(?P<property>@(?:\w|\\.)+)|(?P<name>[A-Za-z_]\w*)"""
    rb"""|(?P<symbol>\|\||&&|==|!=|<=|>=|[-+*/%^<>!(),])""",
    re.DOTALL,
)
_ESCAPED = re.compile(rb"\\([!-/:-@\[-`{-~\s])")

# How tightly operators bind; `!` takes in comparisons and all that binds tighter.
LOGICAL, COMPARING, ADDING, MULTIPLYING = 1, 2, 3, 4
BINDING = {
    b"||": LOGICAL,
    b"&&": LOGICAL,
    b"==": COMPARING,
    b"!=": COMPARING,
    b"<": COMPARING,
    b"<=": COMPARING,
    b">": COMPARING,
    b">=": COMPARING,
    b"+": ADDING,
    b"-": ADDING,
    b"*": MULTIPLYING,
    b"/": MULTIPLYING,
    b"%": MULTIPLYING,
    b"^": MULTIPLYING,
}


@dataclass(frozen=True, slots=True)
class Expression:
    """A part of an expression."""


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """A value that is written there: a float, bytes, or None for NULL."""

    value: float | bytes | None


@dataclass(frozen=True, slots=True)
class Property(Expression):
    """A property of the row."""

    name: bytes


@dataclass(frozen=True, slots=True)
class Negation(Expression):
    """What is true where its operand is not."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Operation(Expression):
    """Two operands and what stands between them: an operator of `BINDING`."""

    operator: bytes
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """A function, by its name in lower case, and its arguments."""

    name: bytes
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text and where it begins."""

    kind: str
    text: bytes
    at: int


class ExpressionParser:
    """Parses one expression."""

    def __init__(self, text: bytes) -> None:
        self.tokens = [
            Token(match.lastgroup or "", match[0], match.start()) for match in _TOKEN.finditer(text)
        ]
        self.at = 0
        self.properties: dict[bytes, None] = {}

    def parse(self) -> Expression:
        """The whole; raises ReplyError."""
        made = self.binary(LOGICAL)
        if self.at < len(self.tokens):
            raise self.error()
        return made

    def error(self, unknown: bytes = b"") -> ReplyError:
        """The error for the next token, or the last if there is none."""
        seen = self.tokens[: self.at + 1]
        offset = seen[-1].at if seen else 0
        words = [token for token in seen if token.kind != "symbol"]
        near = words[-1].text if words else b""
        if words and words[-1].kind == "property":
            near = near[1:]
        more = f": Unknown symbol '{shown(unknown)}'" if unknown else ""
        return ReplyError(f"Syntax error at offset {offset} near '{shown(near)}'{more}")

    def symbol(self) -> bytes:
        """The next token, if it is a symbol; empty if not."""
        if self.at == len(self.tokens) or self.tokens[self.at].kind != "symbol":
            return b""
        return self.tokens[self.at].text

    def eat(self, symbol: bytes) -> bool:
        """Skip the next token if it is this symbol."""
        if self.symbol() != symbol:
            return False
        self.at += 1
        return True

    def binary(self, lowest: int) -> Expression:
        """Operators that bind at least so tightly, to the left."""
        left = self.term()
        while True:
            operator = self.symbol()
            binding = BINDING.get(operator, 0)
            if binding < lowest:
                return left
            self.at += 1
            left = Operation(operator, left, self.binary(binding + 1))

    def term(self) -> Expression:
        """What stands between operators."""
        if self.at == len(self.tokens):
            raise self.error()
        token = self.tokens[self.at]
        if token.kind == "symbol":
            return self.marked(token)
        self.at += 1
        if token.kind == "number":
            return Literal(float(token.text))
        if token.kind == "text":
            return Literal(_ESCAPED.sub(rb"\1", token.text[1:-1]))
        if token.kind == "property":
            self.properties[token.text[1:]] = None
            return Property(token.text[1:])
        return self.named(token)

    def marked(self, token: Token) -> Expression:
        """A term that begins with a symbol."""
        if self.eat(b"("):
            made = self.binary(LOGICAL)
            if not self.eat(b")"):
                raise self.error()
            return made
        if self.eat(b"!"):
            return Negation(self.binary(COMPARING))
        if self.eat(b"-"):
            if self.at == len(self.tokens) or self.tokens[self.at].kind != "number":
                raise self.error()
            self.at += 1
            return Literal(-float(self.tokens[self.at - 1].text))
        raise self.error()

    def named(self, token: Token) -> Expression:
        """NULL, or a function."""
        if token.text == b"NULL" and self.symbol() != b"(":
            return Literal(None)
        if not self.eat(b"("):
            if self.at < len(self.tokens) and self.tokens[self.at].kind != "symbol":
                raise self.error(token.text)
            raise ReplyError(f"Unknown symbol '{shown(token.text)}'")
        arguments: list[Expression] = []
        if not self.eat(b")"):
            arguments.append(self.binary(LOGICAL))
            while self.eat(b","):
                arguments.append(self.binary(LOGICAL))
            if not self.eat(b")"):
                raise self.error()
        name = token.text.lower()
        if name not in FUNCTIONS:
            raise ReplyError(f"Unknown function name '{shown(token.text)}'")
        return Call(name, tuple(arguments))


@dataclass(frozen=True, slots=True)
class Parsed:
    """An expression and the properties it names, in the order of their first use."""

    root: Expression
    properties: tuple[bytes, ...]


def parse_expression(text: bytes) -> Parsed:
    """The tree of an expression; raises ReplyError."""
    parser = ExpressionParser(text)
    return Parsed(parser.parse(), tuple(parser.properties))


def described(root: Expression) -> str:
    """What FT.PROFILE says of the outermost part of an expression."""
    if isinstance(root, Call):
        return f"Function {shown(root.name)}"
    if isinstance(root, Operation):
        comparing = BINDING[root.operator] <= COMPARING
        return f"{'Predicate' if comparing else 'Operator'} {shown(root.operator)}"
    if isinstance(root, Negation):
        return "Predicate NOT"
    if isinstance(root, Property):
        return f"Property {shown(root.name)}"
    assert isinstance(root, Literal)
    value = root.value
    shown_value = number_text(value) if isinstance(value, float) else value or b""
    return f"Literal {shown(shown_value)}"
