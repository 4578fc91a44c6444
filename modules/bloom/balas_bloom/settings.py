"""What a filter is made of unless a command says otherwise: the settings bf-* and cf-*.

Names, defaults, ranges and the texts of errors are those of RedisBloom 8.2, which shows them
through CONFIG. Older ones take some as arguments when they are loaded, under names of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from balas.api import BadValue, Kind, Option, ReplyError, integer, number

# A larger error rate is kept as this one.
ERROR_RATE_MAX = 0.25


class ErrorRate(Kind):
    """A share above 0 and below 1."""

    def __init__(self, name: str) -> None:
        self.name = name

    def parse(self, words: Sequence[str], current: Any) -> float:
        """The share, at most ERROR_RATE_MAX."""
        try:
            value = number(words[0].encode("utf-8", "surrogateescape"))
        except ReplyError:
            raise BadValue(f"Invalid value for `{self.name}`") from None
        if not 0 < value < 1:
            raise BadValue(f"Value for `{self.name}` must be in the range (0.000000, 1.000000)")
        return min(value, ERROR_RATE_MAX)


class Count(Kind):
    """A whole number within `low` and `high`."""

    def __init__(self, name: str, low: int, high: int) -> None:
        self.name = name
        self.low = low
        self.high = high

    def parse(self, words: Sequence[str], current: Any) -> int:
        """The number."""
        try:
            value = integer(words[0].encode("utf-8", "surrogateescape"))
        except ReplyError:
            raise BadValue(f"Invalid value for `{self.name}`") from None
        if not self.low <= value <= self.high:
            raise BadValue(
                f"Value for `{self.name}` must be in the range [{self.low}, {self.high}]"
            )
        return value


def count(name: str, default: int, low: int, high: int, doc: str) -> Option:
    """An option that is a whole number."""
    return Option(name, default, Count(name, low, high), doc=doc)


OPTIONS = (
    Option(
        "bf-error-rate",
        0.01,
        ErrorRate("bf-error-rate"),
        doc="False positives of a Bloom filter made by BF.ADD and its like: a share from 0 to 1.",
    ),
    count(
        "bf-initial-size",
        100,
        1,
        2**30,
        doc="Items that a Bloom filter made by BF.ADD and its like is made for.",
    ),
    count(
        "bf-expansion-factor",
        2,
        0,
        32768,
        doc="How many times larger each further layer of a Bloom filter is; 0: there is none.",
    ),
    count(
        "cf-initial-size",
        1024,
        2,
        2**30,
        doc="Items that a cuckoo filter made by CF.ADD and its like is made for.",
    ),
    count("cf-bucket-size", 2, 1, 255, doc="Items in a bucket of a cuckoo filter."),
    count(
        "cf-max-iterations",
        20,
        1,
        65535,
        doc="How often an item of a cuckoo filter is moved before there is a further layer.",
    ),
    count(
        "cf-expansion-factor",
        1,
        0,
        32768,
        doc="How many times larger each further layer of a cuckoo filter is; 0: there is none.",
    ),
)

LEGACY_NAMES = {"error_rate": "bf-error-rate", "initial_size": "bf-initial-size"}


def from_arguments(arguments: Sequence[bytes]) -> list[tuple[Option, bytes]]:
    """The options that MODULE LOAD or loadmodule names, in pairs, with their values.

    Raises ReplyError with RedisBloom's reason.
    """
    if len(arguments) % 2:
        raise ReplyError("Invalid number of arguments passed")
    known = {option.name: option for option in OPTIONS}
    found = []
    for name, value in zip(arguments[::2], arguments[1::2], strict=True):
        text = name.decode("utf-8", "replace").lower()
        option = known.get(LEGACY_NAMES.get(text, text))
        if option is None:
            raise ReplyError("Unrecognized option")
        found.append((option, value))
    return found
