"""A place in a list of tokens, and the words that parsers ask it."""

from __future__ import annotations

from typing import NoReturn

from balas_graph.errors import SyntaxMistake
from balas_graph.language.lexer import Token, tokens

# A deeper nesting is refused. The parser takes eleven of Python's thousand frames for each level.
DEPTH_MAX = 60


class Cursor:
    """Tokens and a position among them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.position = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        """The token that comes next."""
        return self.tokens[self.position]

    def ahead(self, count: int) -> Token:
        """A token further on; the end if there are not so many."""
        return self.tokens[min(self.position + count, len(self.tokens) - 1)]

    def fail(self, message: str = "") -> NoReturn:
        """Refuse the text at this place."""
        token = self.token
        shown = f"Invalid input '{token.text}'" if token.text else "unexpected end of input"
        raise SyntaxMistake(message or shown, self.text, token.start)

    def is_op(self, *texts: str) -> bool:
        """Whether one of these operators comes next."""
        return self.token.kind == "op" and self.token.text in texts

    def is_word(self, *words: str) -> bool:
        """Whether one of these keywords, in capitals, comes next."""
        return self.token.kind == "name" and self.token.text.upper() in words

    def next(self) -> Token:
        """Take a token."""
        token = self.token
        self.position += 1
        return token

    def eat(self, text: str) -> bool:
        """Take this operator if it comes next."""
        if self.is_op(text):
            self.position += 1
            return True
        return False

    def expect(self, text: str) -> None:
        """Take this operator, which has to be there."""
        if not self.eat(text):
            self.fail()

    def eat_words(self, *words: str) -> bool:
        """Take these keywords if all of them come next."""
        for offset, word in enumerate(words):
            token = self.ahead(offset)
            if token.kind != "name" or token.text.upper() != word:
                return False
        self.position += len(words)
        return True

    def expect_words(self, *words: str) -> None:
        """Take these keywords, which have to be there."""
        if not self.eat_words(*words):
            self.fail()

    def name(self) -> str:
        """Take a name, quoted or not."""
        if self.token.kind not in ("name", "quoted"):
            self.fail()
        return self.next().text

    def deeper(self) -> None:
        """Enter a nesting; `self.depth -= 1` leaves it."""
        self.depth += 1
        if self.depth > DEPTH_MAX:
            self.fail("the query is nested too deeply")
