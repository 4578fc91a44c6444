"""The place in a query that a parser has come to."""

from __future__ import annotations

from collections.abc import Mapping

from balas.api import ReplyError
from balas_search.query.lexer import Lexeme, syntax_error


class TokenReader:
    """Goes through the tokens of a query, the last of which is of the kind "end".

    `next` is the token that comes next, `at` its place; `source` is the text of the query, and
    `parameters` what it may name by `$`.
    """

    def __init__(
        self, source: bytes, tokens: list[Lexeme], dialect: int, parameters: Mapping[bytes, bytes]
    ) -> None:
        self.source = source
        self.tokens = tokens
        self.dialect = dialect
        self.parameters = parameters
        self.at = 0
        self.next = tokens[0]

    def skip(self) -> None:
        """Go on behind the next token."""
        self.at += 1
        self.next = self.tokens[self.at]

    def behind(self) -> Lexeme:
        """The token behind the next one, which must not be the last."""
        return self.tokens[self.at + 1]

    def take(self, kind: str) -> Lexeme:
        """The next token, which must be of this kind, and go on; raises ReplyError."""
        found = self.next
        if found.kind != kind:
            raise syntax_error(found)
        if kind != "end":
            self.skip()
        return found

    def eat(self, kind: str) -> bool:
        """Skip the next token if it is of this kind."""
        if self.next.kind != kind:
            return False
        self.skip()
        return True

    def parameter(self, name: bytes) -> bytes:
        """The value of a parameter; raises ReplyError."""
        try:
            return self.parameters[name]
        except KeyError:
            shown = name.decode("utf-8", "replace")
            raise ReplyError(f"No such parameter `{shown}`") from None
