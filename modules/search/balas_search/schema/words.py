"""A cursor over arguments whose errors are RediSearch's."""

from __future__ import annotations

from collections.abc import Sequence

from balas.api import ReplyError, integer, number

NOT_CONVERTED = "Could not convert argument to expected type"
NONE_PROVIDED = "Expected an argument, but none provided"


class Words:
    """Arguments that are taken one after another."""

    def __init__(self, words: Sequence[bytes]) -> None:
        self.words = words
        self.at = 0

    @property
    def more(self) -> bool:
        """Whether any are left."""
        return self.at < len(self.words)

    @property
    def left(self) -> int:
        """How many are left."""
        return len(self.words) - self.at

    def peek(self) -> bytes:
        """The next one in upper case, empty at the end."""
        return self.words[self.at].upper() if self.more else b""

    def take(self, of: str = "") -> bytes:
        """The next one; `of` is the option that an error names."""
        if not self.more:
            raise bad(of, NONE_PROVIDED)
        self.at += 1
        return self.words[self.at - 1]

    def eat(self, word: bytes) -> bool:
        """Skip the next one if it is this word, in whatever case."""
        if self.peek() != word:
            return False
        self.at += 1
        return True

    def take_count(self, of: str, low: int = 0, high: int = 2**63 - 1) -> int:
        """A whole number."""
        try:
            value = integer(self.take(of))
        except ReplyError as error:
            if str(error).startswith("Bad arguments"):
                raise
            raise bad(of, NOT_CONVERTED) from None
        if not low <= value <= high:
            raise bad(of, "Value is outside acceptable bounds")
        return value

    def take_number(self, of: str) -> float:
        """A number."""
        try:
            return number(self.take(of))
        except ReplyError as error:
            if str(error).startswith("Bad arguments"):
                raise
            raise bad(of, NOT_CONVERTED) from None

    def take_list(self, of: str) -> list[bytes]:
        """A count and that many words."""
        count = self.take_count(of)
        if count > self.left:
            raise bad(of, NONE_PROVIDED)
        found = list(self.words[self.at : self.at + count])
        self.at += count
        return found


def bad(of: str, why: str) -> ReplyError:
    """The error for an option's argument."""
    return ReplyError(f"Bad arguments for {of}: {why}")


def shown(word: bytes) -> str:
    """A word as errors quote it."""
    return word.decode("utf-8", "surrogateescape")
