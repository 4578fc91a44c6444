"""A place in a list of tokens, and the words that parsers ask it."""

from __future__ import annotations

from functools import cached_property
from time import perf_counter
from typing import NoReturn

from balas_graph.errors import QueryError, SyntaxMistake
from balas_graph.language.lexer import Token, tokens

# A deeper nesting is refused. The parser takes eleven of Python's thousand frames for each level.
DEPTH_MAX = 60
# So often may a text be read again as something else. Without a limit, what is read twice at each
# level of a nesting would take time without end.
RETRIES_MAX = 1000
# The clock is read once in so many expressions, or pieces of the text.
STEPS_PER_LOOK = 1024


class Cursor:
    """Tokens and a position among them."""

    def __init__(self, text: str, deadline_s: float | None = None) -> None:
        self.text = text
        # The reading of `perf_counter` at which time is used up; None for no limit.
        self.deadline_s = deadline_s
        self.looks = 0
        self.tokens = tokens(text, self.look)
        self.position = 0
        self.depth = 0
        self.retries = 0

    def look(self) -> None:
        """Raise if time is used up; the clock is read now and then."""
        self.looks += 1
        if self.deadline_s is None or self.looks % STEPS_PER_LOOK:
            return
        if perf_counter() > self.deadline_s:
            raise QueryError("Query timed out")

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
        token = self.tokens[self.position]
        return token.text in texts and token.kind == "op"

    def is_word(self, *words: str) -> bool:
        """Whether one of these keywords, in capitals, comes next."""
        token = self.tokens[self.position]
        return token.kind == "name" and token.text.upper() in words

    def next(self) -> Token:
        """Take a token."""
        token = self.tokens[self.position]
        self.position += 1
        return token

    def eat(self, text: str) -> bool:
        """Take this operator if it comes next."""
        token = self.tokens[self.position]
        if token.text != text or token.kind != "op":
            return False
        self.position += 1
        return True

    def expect(self, text: str) -> None:
        """Take this operator, which has to be there."""
        if not self.eat(text):
            self.fail()

    def eat_words(self, *words: str) -> bool:
        """Take these keywords if all of them come next."""
        for offset, word in enumerate(words, self.position):
            # The end is no name, so that nothing behind it is looked at.
            token = self.tokens[offset]
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

    @cached_property
    def closing(self) -> dict[int, int]:
        """The places of opening brackets, with those of the brackets that close them."""
        found: dict[int, int] = {}
        open_at: list[int] = []
        for place, token in enumerate(self.tokens):
            if token.kind != "op":
                continue
            if token.text in "([{":
                open_at.append(place)
            elif token.text in ")]}" and open_at:
                found[open_at.pop()] = place
        return found

    def go_back(self, position: int, depth: int) -> None:
        """Return to a place, to read what stands there as something else."""
        self.retries += 1
        if self.retries > RETRIES_MAX:
            self.fail("the query is nested too deeply")
        self.position, self.depth = position, depth

    def deeper(self) -> None:
        """Enter a nesting; `self.depth -= 1` leaves it."""
        self.depth += 1
        if self.depth > DEPTH_MAX:
            self.fail("the query is nested too deeply")
