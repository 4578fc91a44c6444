"""What a series is made of unless a command says otherwise: the settings ts-*.

Names, defaults and ranges are those of RedisTimeSeries 8.2, which shows them through CONFIG. Older
ones take them as arguments when they are loaded, under names of their own.

`ts-num-threads` is there because clients may set it; Balas uses one. `ts-accept-nan` is Balas's
own: with it TS.ADD and TS.MADD take NaN as a value, for what is known to be unknown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from balas.api import BadValue, Kind, Option, ReplyError, integer, number
from balas_timeseries._aggregation import NAMES
from balas_timeseries.rule import KIND_NAMES
from balas_timeseries.series import CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, POLICIES, TIME_MAX

UNITS_MS = {b"m": 1, b"s": 1000, b"M": 60_000, b"h": 3_600_000, b"d": 86_400_000}
DURATION = re.compile(rb"(\d{1,15})([msMhd])\Z")
ENCODINGS = ("compressed", "uncompressed")


@dataclass(frozen=True, slots=True)
class Policy:
    """A rule that every series gets that is made by adding to it, and its destination with it."""

    kind: int
    width_ms: int
    retention_ms: int
    align: int

    def destination(self, key: bytes) -> bytes:
        """The key of the series that it writes to."""
        name = KIND_NAMES[self.kind].upper().encode()
        align = b"_%d" % self.align if self.align else b""
        return b"%b_%b_%d%b" % (key, name, self.width_ms, align)


def parsed_policies(text: bytes) -> tuple[Policy, ...]:
    """Policies such as `max:1M:1h;avg:10s:2d`: a kind, a bucket, a retention, an alignment.

    m is milliseconds, s seconds, M minutes, h hours, d days. Raises ValueError.
    """
    found = []
    for one in text.split(b";"):
        if not one.strip():
            continue
        parts = one.strip().split(b":")
        if not 3 <= len(parts) <= 4:
            raise ValueError(one)
        kind = NAMES[parts[0].lower()]
        width_ms, retention_ms, align = (_duration(part) for part in [*parts[1:], b"0"][:3])
        if not width_ms:
            raise ValueError(one)
        found.append(Policy(kind, width_ms, retention_ms, align))
    return tuple(found)


def _duration(text: bytes) -> int:
    if text == b"0":
        return 0
    found = DURATION.match(text)
    if found is None:
        raise ValueError(text)
    return int(found[1]) * UNITS_MS[found[2]]


class Policies(Kind):
    """Compaction policies, kept as they were written."""

    def parse(self, words: Sequence[str], current: Any) -> str:
        """The text, which makes sense."""
        try:
            parsed_policies(words[0].encode())
        except (ValueError, KeyError):
            raise BadValue("Invalid compaction policy") from None
        return words[0]


class Whole(Kind):
    """A whole number within `low` and `high`, a multiple of `step`."""

    def __init__(self, name: str, low: int, high: int, step: int = 1) -> None:
        self.name = name
        self.low = low
        self.high = high
        self.step = step

    def parse(self, words: Sequence[str], current: Any) -> int:
        """The number."""
        try:
            value = integer(words[0].encode("utf-8", "surrogateescape"))
        except ReplyError:
            raise BadValue(f"Invalid value for `{self.name}`") from None
        if not self.low <= value <= self.high or value % self.step:
            raise BadValue(
                f"Value for `{self.name}` must be in the range [{self.low} .. {self.high}]"
            )
        return value


class Distance(Kind):
    """A finite number, at least 0."""

    def parse(self, words: Sequence[str], current: Any) -> float:
        """The number; a whole one is shown as such."""
        try:
            value = number(words[0].encode("utf-8", "surrogateescape"))
        except ReplyError:
            raise BadValue("Invalid value for `ts-ignore-max-val-diff`") from None
        if not 0 <= value < math.inf:
            raise BadValue("Value for `ts-ignore-max-val-diff` must be greater than or equal to 0")
        return int(value) if value.is_integer() else value


class OneOf(Kind):
    """One of some words, in lower case."""

    def __init__(self, name: str, words: Sequence[str]) -> None:
        self.name = name
        self.words = words

    def parse(self, words: Sequence[str], current: Any) -> str:
        """The word."""
        word = words[0].lower()
        if word not in self.words:
            raise BadValue(f"Invalid value for `{self.name}`")
        return word


OPTIONS = (
    Option(
        "ts-compaction-policy",
        "",
        Policies(),
        doc="Rules of every series that is made by adding to it, such as max:1M:1h;avg:10s:2d.",
    ),
    Option(
        "ts-retention-policy",
        0,
        Whole("ts-retention-policy", 0, TIME_MAX),
        doc="Milliseconds that samples are kept, counted from the latest; 0: for ever.",
    ),
    Option(
        "ts-chunk-size-bytes",
        4096,
        Whole("ts-chunk-size-bytes", CHUNK_BYTES_MIN, CHUNK_BYTES_MAX, 8),
        doc="What a chunk of samples takes at most.",
    ),
    Option(
        "ts-encoding",
        "compressed",
        OneOf("ts-encoding", ENCODINGS),
        doc="Whether samples are compressed: compressed, uncompressed.",
    ),
    Option(
        "ts-duplicate-policy",
        "block",
        OneOf("ts-duplicate-policy", POLICIES),
        doc="What becomes of a second value for the same time, where the series does not say.",
    ),
    Option(
        "ts-num-threads",
        3,
        Whole("ts-num-threads", 1, 16),
        doc="Taken for the sake of clients; queries run in one thread.",
    ),
    Option(
        "ts-ignore-max-time-diff",
        0,
        Whole("ts-ignore-max-time-diff", 0, TIME_MAX),
        doc="A sample so few milliseconds behind the latest is ignored if its value is near, too.",
    ),
    Option(
        "ts-ignore-max-val-diff",
        0,
        Distance(),
        doc="How near a value must be for the sample to be ignored.",
    ),
    Option(
        "ts-accept-nan",
        "no",
        OneOf("ts-accept-nan", ("yes", "no")),
        doc="Whether NaN is a value: countnan and countall see it, other aggregations do not.",
    ),
)

LEGACY_NAMES = {
    "compaction_policy": "ts-compaction-policy",
    "retention_policy": "ts-retention-policy",
    "chunk_size_bytes": "ts-chunk-size-bytes",
    "encoding": "ts-encoding",
    "chunk_type": "ts-encoding",
    "duplicate_policy": "ts-duplicate-policy",
    "num_threads": "ts-num-threads",
    "ignore_max_time_diff": "ts-ignore-max-time-diff",
    "ignore_max_val_diff": "ts-ignore-max-val-diff",
}


def from_arguments(arguments: Sequence[bytes]) -> list[tuple[Option, bytes]]:
    """The options that MODULE LOAD or loadmodule names, in pairs, with their values.

    Names that nobody knows are passed over, as RedisTimeSeries does. Raises ReplyError.
    """
    if len(arguments) % 2:
        raise ReplyError("Invalid number of arguments passed")
    known = {option.name: option for option in OPTIONS}
    found = []
    for name, value in zip(arguments[::2], arguments[1::2], strict=True):
        text = name.decode("utf-8", "replace").lower()
        option = known.get(LEGACY_NAMES.get(text, text))
        if option is not None:
            found.append((option, value))
    return found
