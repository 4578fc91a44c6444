"""The kinds of value that only one option has: save points, buffer limits, event classes and
their like.

Each follows the contract of ``kinds.Kind``. The text of an error is Redis's.
"""

import math
import os
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from balas.services.config.grammar import (
    INT64_MAX,
    BadValue,
    format_memory,
    parse_memory,
    quote,
)
from balas.services.config.kinds import INT_MAX, Kind, Text

# C's strtoll: blanks and a plus are welcome, the whole text must be digits, no text at all is zero.
_LOOSE_INTEGER = re.compile(r"\s*[+-]?[0-9]+|", re.ASCII)
_FLOAT = re.compile(r"[+-]?(0[xX][0-9a-fA-F]+|[0-9]*\.?[0-9]*([eE][+-]?[0-9]+)?)", re.ASCII)

#: Event classes in the order CONFIG GET prints them; the first ``len(EVERYTHING)`` are what "A"
#: means.
EVENT_CLASSES = "g$lshzxetdKEmnoc"
EVERYTHING = "g$lshzxetd"

BIND_ADDRESSES_MAX = 16


def _loose_integer(text: str) -> int | None:
    return int(text or "0") if _LOOSE_INTEGER.fullmatch(text) else None


class SavePoint(NamedTuple):
    """Save after ``seconds`` if at least ``changes`` keys changed."""

    seconds: int
    changes: int


class SavePoints(Kind):
    """A tuple of ``SavePoint``. The lines of a file add up; ``save ""`` clears them."""

    multiple = True
    adds_up = True

    def parse(self, words: Sequence[str], current: Any) -> tuple[SavePoint, ...]:
        """The points of these words; the empty word means none."""
        if list(words) == [""]:
            return ()
        numbers = [_loose_integer(word) for word in words]
        points = []
        for seconds, changes in zip(numbers[::2], numbers[1::2], strict=False):
            if seconds is None or changes is None or seconds < 1 or changes < 0:
                raise BadValue("Invalid save parameters")
            points.append(SavePoint(seconds, changes))
        if len(numbers) % 2:
            raise BadValue("Invalid save parameters")
        return tuple(points)

    def format(self, value: Any) -> str:
        """``3600 1 300 100``."""
        return " ".join(f"{point.seconds} {point.changes}" for point in value)

    def lines(self, name: str, value: Any, default: Any) -> list[tuple[str, bool]]:
        """One line each, written even when they are the default: readers look for them first."""
        if not value:
            return [(f'{name} ""', True)]
        return [(f"{name} {point.seconds} {point.changes}", True) for point in value]


class OutputLimit(NamedTuple):
    """When a client's unread replies cost it the connection; 0 means never."""

    hard_bytes: int
    soft_bytes: int
    soft_seconds: int


class OutputLimits(NamedTuple):
    """The output buffer limit of each class of client."""

    normal: OutputLimit
    replica: OutputLimit
    pubsub: OutputLimit


class OutputBufferLimits(Kind):
    """``class hard soft seconds`` groups; classes that are not named keep what they had."""

    multiple = True
    # CONFIG GET says "slave" while CONFIG REWRITE says "replica".
    SHOWN = ("normal", "slave", "pubsub")
    WRITTEN = ("normal", "replica", "pubsub")

    def parse(self, words: Sequence[str], current: Any) -> OutputLimits:
        """``current`` with the named classes replaced."""
        if list(words) == [""]:
            return OutputLimits(*current)
        if len(words) % 4:
            raise BadValue("Wrong number of arguments in buffer limit configuration.")
        limits = OutputLimits(*current)._asdict()
        for at in range(0, len(words), 4):
            client_class = words[at].lower()
            client_class = "replica" if client_class == "slave" else client_class
            if client_class not in limits:
                raise BadValue("Invalid client class specified in buffer limit configuration.")
            limits[client_class] = self._limit(*words[at + 1 : at + 4])
        return OutputLimits(**limits)

    @staticmethod
    def _limit(hard: str, soft: str, seconds: str) -> OutputLimit:
        limit = (parse_memory(hard), parse_memory(soft), _loose_integer(seconds))
        hard_bytes, soft_bytes, soft_seconds = limit
        if hard_bytes is None or soft_bytes is None or soft_seconds is None:
            raise BadValue(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration."
            )
        if not 0 <= soft_seconds <= INT_MAX or max(hard_bytes, soft_bytes) > INT64_MAX:
            raise BadValue(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration."
            )
        return OutputLimit(hard_bytes, soft_bytes, soft_seconds)

    def format(self, value: Any) -> str:
        """All three classes on one line, sizes in bytes."""
        return " ".join(
            f"{name} {limit.hard_bytes} {limit.soft_bytes} {limit.soft_seconds}"
            for name, limit in zip(self.SHOWN, value, strict=True)
        )

    def lines(self, name: str, value: Any, default: Any) -> list[tuple[str, bool]]:
        """One line per class."""
        return [
            (
                f"{name} {client_class} {format_memory(limit.hard_bytes)} "
                f"{format_memory(limit.soft_bytes)} {limit.soft_seconds}",
                limit != usual,
            )
            for client_class, limit, usual in zip(self.WRITTEN, value, default, strict=True)
        ]


class EventClasses(Kind):
    """The classes of keyspace events to publish: a string of letters, "A" spelled out."""

    def parse(self, words: Sequence[str], current: Any) -> str:
        """The letters, each once, in the order of EVENT_CLASSES."""
        letters = set(words[0])
        if letters - set(EVENT_CLASSES) - {"A"}:
            raise BadValue("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        if "A" in letters:
            letters |= set(EVERYTHING)
        return "".join(letter for letter in EVENT_CLASSES if letter in letters)

    def format(self, value: Any) -> str:
        """With "A" for all of its classes; "n", "o" and "c" are told only where "A" is not."""
        letters = set(value)
        if letters.issuperset(EVERYTHING):
            return "A" + "".join(letter for letter in "KEm" if letter in letters)
        return "".join(letter for letter in EVERYTHING + "nocKEm" if letter in letters)

    def for_file(self, value: Any) -> str:
        """In quotes."""
        return quote(self.format(value))


class Percentiles(Kind):
    """A tuple of percentiles between 0 and 100."""

    multiple = True

    def parse(self, words: Sequence[str], current: Any) -> tuple[float, ...]:
        """The percentiles in the order given; the empty word clears them."""
        if list(words) == [""]:
            return ()
        percentiles = []
        for word in words:
            value = self._number(word)
            if not 0 <= value <= 100:
                raise BadValue(
                    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                )
            percentiles.append(value)
        return tuple(percentiles)

    @staticmethod
    def _number(word: str) -> float:
        if not _FLOAT.fullmatch(word) or not any(character.isdigit() for character in word):
            raise BadValue("Invalid latency-tracking-info-percentiles parameters")
        value = float(int(word, 16)) if "x" in word.lower() else float(word)
        # What CONFIG GET shows is what is meant: six decimals.
        return round(value, 6) if math.isfinite(value) else value

    def format(self, value: Any) -> str:
        """Six decimals at most."""
        return " ".join(f"{percentile:.6f}".rstrip("0").rstrip(".") for percentile in value)

    def for_file(self, value: Any) -> str:
        """The numbers, or empty quotes."""
        return self.format(value) or '""'

    def lines(self, name: str, value: Any, default: Any) -> list[tuple[str, bool]]:
        """Written even when they are the default."""
        return [(f"{name} {self.for_file(value)}", True)]


class Addresses(Kind):
    """A tuple of addresses to listen on; one that starts with "-" may be unavailable."""

    multiple = True

    def parse(self, words: Sequence[str], current: Any) -> tuple[str, ...]:
        """The addresses; the empty word means no TCP socket at all."""
        if len(words) > BIND_ADDRESSES_MAX:
            raise BadValue("Too many bind addresses specified.")
        return () if list(words) == [""] else tuple(words)

    def format(self, value: Any) -> str:
        """Separated by a space."""
        return " ".join(value)

    def for_file(self, value: Any) -> str:
        """The addresses, or empty quotes."""
        return self.format(value) or '""'


class OomScores(Kind):
    """Three values for the kernel's OOM killer: for a primary, a replica, a background child."""

    multiple = True
    SCORE_MAX = 2000

    def parse(self, words: Sequence[str], current: Any) -> tuple[int, ...]:
        """The three scores."""
        if len(words) != 3:
            raise BadValue("wrong number of arguments")
        scores = [_loose_integer(word) if word else None for word in words]
        checked = [s for s in scores if s is not None and abs(s) <= self.SCORE_MAX]
        if len(checked) != 3:
            raise BadValue("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
        return tuple(checked)

    def format(self, value: Any) -> str:
        """Separated by a space."""
        return " ".join(map(str, value))


class ShutdownOptions(Kind):
    """What a signal asks of the shutdown: a frozenset of words, empty for the default."""

    multiple = True
    CHOICES = ("save", "nosave", "now", "force")

    def parse(self, words: Sequence[str], current: Any) -> frozenset[str]:
        """The words without "default"."""
        chosen = {word.lower() for word in words}
        if not chosen <= {"default", *self.CHOICES}:
            accepted = ", ".join(("default", *self.CHOICES))
            raise BadValue(f"argument(s) must be one of the following: {accepted}")
        if {"save", "nosave"} <= chosen:
            raise BadValue("shutdown options SAVE and NOSAVE can't be used simultaneously")
        return frozenset(chosen - {"default"})

    def format(self, value: Any) -> str:
        """The words, or "default"."""
        return " ".join(word for word in self.CHOICES if word in value) or "default"


class Primary(NamedTuple):
    """The server to follow."""

    host: str
    port: int


class ReplicaOf(Kind):
    """A ``Primary``, or None."""

    multiple = True

    def parse(self, words: Sequence[str], current: Any) -> Primary | None:
        """The host and port; ``no one`` is None."""
        if len(words) != 2:
            raise BadValue("wrong number of arguments")
        host, port = words
        if (host.lower(), port.lower()) == ("no", "one"):
            return None
        number = _loose_integer(port) if port else None
        if number is None or not 0 <= number <= 65535:
            raise BadValue("Invalid master port")
        return Primary(host, number)

    def format(self, value: Any) -> str:
        """``host port``, or nothing."""
        return f"{value.host} {value.port}" if value else ""

    def for_file(self, value: Any) -> str | None:
        """``host port``; left out when there is none."""
        return self.format(value) or None


class Directory(Text):
    """An existing directory as an absolute path.

    Differs from Redis: the process does not go there; file names are joined to it
    (``Config.path``), so that two servers in one process can have two. The command line, which
    owns its process, does change directory.
    """

    def parse(self, words: Sequence[str], current: Any) -> str:
        """The real path; the reason for a refusal is the operating system's."""
        path = os.path.join(current, words[0]) if words[0] else ""
        try:
            # Listing it needs a directory that may be entered, as chdir would.
            os.stat(os.path.join(path, "") + "." if path else path)
        except OSError as error:
            raise BadValue(os.strerror(error.errno or 0)) from None
        return os.path.realpath(path)

    def lines(self, name: str, value: Any, default: Any) -> list[tuple[str, bool]]:
        """Written always: the file then means the same from wherever it is read."""
        return [(f"{name} {quote(value)}", True)]
