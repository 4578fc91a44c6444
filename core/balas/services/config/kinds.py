"""What a configuration value can be: how each kind reads words, prints itself, and is written to
redis.conf.

Here are the plain kinds (numbers, sizes, yes/no, enumerations, text). Those with a form of their
own, such as save points, are in ``special.py``. A kind holds no value: options share it freely.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from balas.services.config.grammar import (
    INT64_MAX,
    INT64_MIN,
    BadValue,
    format_memory,
    parse_integer,
    parse_memory,
    quote,
)

INT_MAX = 2**31 - 1
INT_MIN = -(2**31)

_OCTAL = re.compile(r"\s*[+-]?[0-7]+|", re.ASCII)
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?inf", re.ASCII)

#: Says what is wrong with a text, or None when it is fine.
TextCheck = Callable[[str], str | None]


class Percent(int):
    """A share of ``maxmemory`` in percent, where a size in bytes could stand too."""


class Kind:
    """How one kind of value is read and written.

    ``multiple`` kinds take several words; a single word that holds spaces is split for them, so
    that ``save 900 1`` and ``save "900 1"`` mean the same. The values of an ``adds_up`` kind are
    tuples, and the lines of a file extend each other; the empty value clears what stood before.

    Example:
        >>> class Words(Kind):
        ...     def parse(self, words, current):
        ...         return tuple(words[0].split())
        ...
        ...     def format(self, value):
        ...         return " ".join(value)
        >>> class Demo(Module):
        ...     name = "demo"
        ...     options = (Option("demo-words", ("a",), Words()),)
        >>> client = serve()
        >>> client("CONFIG", "SET", "demo-words", "b  c"), client("CONFIG", "GET", "demo-words")
        (b'OK', [b'demo-words', b'b c'])
    """

    multiple = False
    adds_up = False

    def parse(self, words: Sequence[str], current: Any) -> Any:
        """The value that the words stand for, set over ``current``; raises BadValue."""
        raise NotImplementedError

    def format(self, value: Any) -> str:
        """The text CONFIG GET shows."""
        return str(value)

    def for_file(self, value: Any) -> str | None:
        """The text after the option's name in redis.conf, or None to leave the option out."""
        return self.format(value)

    def lines(self, name: str, value: Any, default: Any) -> list[tuple[str, bool]]:
        """What CONFIG REWRITE writes: lines, and whether each is needed if the file had none."""
        text = self.for_file(value)
        return [] if text is None else [(f"{name} {text}", value != default)]


class Integer(Kind):
    """A whole number within ``low`` and ``high``.

    ``unsigned`` only chooses the words of the error for a negative number. ``held`` are bounds that
    are kept without an error: a number outside becomes the nearer one.
    """

    def __init__(
        self,
        low: int = INT64_MIN,
        high: int = INT64_MAX,
        unsigned: bool = False,
        held: tuple[int, int] = (INT64_MIN, INT64_MAX),
    ) -> None:
        self.low = low
        self.high = high
        self.unsigned = unsigned
        self.held = held

    def parse(self, words: Sequence[str], current: Any) -> int:
        """The number; refuses what is no number or out of range."""
        value = parse_integer(words[0])
        if value is None:
            raise BadValue("argument couldn't be parsed into an integer")
        return self.check(value)

    def check(self, value: int) -> int:
        """The number, held within its bounds, if it is in range."""
        if self.unsigned and value < 0:
            raise BadValue("argument must be greater or equal to 0")
        if not self.low <= value <= self.high:
            low, high = self.format(self.low), self.format(self.high)
            raise BadValue(f"argument must be between {low} and {high} inclusive")
        return min(max(value, self.held[0]), self.held[1])


class Octal(Integer):
    """File permissions, written in base 8."""

    def parse(self, words: Sequence[str], current: Any) -> int:
        """The permission bits; no digits mean 0."""
        if not _OCTAL.fullmatch(words[0]):
            raise BadValue("argument couldn't be parsed as an octal number")
        value = int(words[0].strip() or "0", 8)
        if abs(value) > INT64_MAX:
            raise BadValue("argument couldn't be parsed as an octal number")
        return self.check(value)

    def format(self, value: Any) -> str:
        """Octal digits without a prefix."""
        return f"{value:o}"


class Float(Kind):
    """A number with a fraction, within ``low`` and ``high``. Only modules have such options."""

    def __init__(self, low: float = float("-inf"), high: float = float("inf")) -> None:
        self.low = low
        self.high = high

    def parse(self, words: Sequence[str], current: Any) -> float:
        """The number; refuses NaN, what is no number, and what is out of range."""
        if not _FLOAT.fullmatch(words[0]):
            raise BadValue("argument couldn't be parsed into a float")
        value = float(words[0])
        if not self.low <= value <= self.high:
            low, high = self.format(self.low), self.format(self.high)
            raise BadValue(f"argument must be between {low} and {high} inclusive")
        return value

    def format(self, value: Any) -> str:
        """The shortest text that reads back as the same number; a whole one without a fraction."""
        return repr(float(value)).removesuffix(".0")


class Memory(Integer):
    """A size in bytes, which may be given with a unit."""

    def __init__(
        self,
        low: int = 0,
        high: int = INT64_MAX,
        unsigned: bool = True,
        held: tuple[int, int] = (0, INT64_MAX),
    ) -> None:
        super().__init__(low, high, unsigned, held)

    def parse(self, words: Sequence[str], current: Any) -> int:
        """The size in bytes."""
        value = parse_memory(words[0])
        if value is None:
            raise BadValue("argument must be a memory value")
        if value > INT64_MAX and self.unsigned:
            raise BadValue("argument must be greater or equal to 0")
        return self.check(value)

    def for_file(self, value: Any) -> str:
        """With the largest unit that loses nothing."""
        return format_memory(value)


class PercentOrMemory(Kind):
    """A size in bytes, or a ``Percent`` of maxmemory."""

    def parse(self, words: Sequence[str], current: Any) -> int:
        """A ``Percent`` for ``5%``, else bytes."""
        text = words[0]
        if text.endswith("%"):
            percent = parse_integer(text[:-1])
            if percent is None or percent < 0:
                raise BadValue("argument must be a memory or percent value")
            if percent > 100:
                raise BadValue("percentage argument must be less or equal to 100")
            return Percent(percent) if percent else 0
        value = parse_memory(text)
        if value is None or value > INT64_MAX:
            raise BadValue("argument must be a memory or percent value")
        return value

    def format(self, value: Any) -> str:
        """``5%`` or plain bytes."""
        return f"{int(value)}%" if isinstance(value, Percent) else str(value)

    def for_file(self, value: Any) -> str:
        """``5%`` or a size with a unit."""
        return self.format(value) if isinstance(value, Percent) else format_memory(value)


class YesNo(Kind):
    """A switch."""

    def parse(self, words: Sequence[str], current: Any) -> bool:
        """True for yes."""
        word = words[0].lower()
        if word not in ("yes", "no"):
            raise BadValue("argument must be 'yes' or 'no'")
        return word == "yes"

    def format(self, value: Any) -> str:
        """``yes`` or ``no``."""
        return "yes" if value else "no"


class Choice(Kind):
    """One of a few words; ``synonyms`` maps further accepted words to those."""

    def __init__(self, choices: Sequence[str], synonyms: dict[str, str] | None = None) -> None:
        self.choices = tuple(choices)
        self.synonyms = synonyms or {}

    def parse(self, words: Sequence[str], current: Any) -> str:
        """The chosen word in lower case."""
        word = words[0].lower()
        if word in self.synonyms:
            return self.synonyms[word]
        if word not in self.choices:
            accepted = ", ".join(self._accepted())
            raise BadValue(f"argument(s) must be one of the following: {accepted}")
        return word

    def _accepted(self) -> list[str]:
        """All accepted words, a synonym standing behind the word it means."""
        accepted = []
        for choice in self.choices:
            accepted.append(choice)
            accepted += [other for other, meant in self.synonyms.items() if meant == choice]
        return accepted


class Text(Kind):
    """Any text that ``check`` accepts.

    With ``unset_when_empty`` the empty text means "not given", and such an option is left out of
    redis.conf.
    """

    def __init__(self, check: TextCheck | None = None, unset_when_empty: bool = False) -> None:
        self.check = check
        self.unset_when_empty = unset_when_empty

    def parse(self, words: Sequence[str], current: Any) -> str:
        """The text as it is."""
        text = words[0]
        reason = self.check(text) if self.check else None
        if reason is not None:
            raise BadValue(reason)
        return text

    def for_file(self, value: Any) -> str | None:
        """In quotes."""
        return None if not value and self.unset_when_empty else quote(value)
