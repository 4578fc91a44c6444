"""The options of commands, as RedisTimeSeries finds them: by their names, wherever these stand.

A word that is no option is passed over; of an option that comes twice, the first counts. LABELS
takes all that follows it, in pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from balas.api import Config, Context, ReplyError, integer, number
from balas_timeseries._aggregation import NAMES
from balas_timeseries.series import CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, POLICIES, TIME_MAX, Series

CHUNK_SIZE = "ERR TSDB: CHUNK_SIZE value must be a multiple of 8 in the range [48 .. 1048576]"
BAD_LABELS = "ERR TSDB: Couldn't parse LABELS"
INT64_MIN = -(2**63)


def wrong_number(name: str) -> ReplyError:
    """The error for too few or too many arguments."""
    return ReplyError(f"ERR wrong number of arguments for '{name}' command")


class Words:
    """Arguments in which options are looked up by name."""

    __slots__ = ("_upper", "words")

    def __init__(self, words: Sequence[bytes]) -> None:
        self.words = words
        self._upper = [word.upper() for word in words]

    def find(self, name: bytes, start: int = 0) -> int | None:
        """Where an option stands, or None."""
        try:
            return self._upper.index(name, start)
        except ValueError:
            return None

    def has(self, name: bytes) -> bool:
        """Whether an option is there."""
        return name in self._upper

    def after(self, name: bytes) -> bytes | None:
        """The word behind an option; None if the option is not there, or nothing is behind it."""
        at = self.find(name)
        return self.words[at + 1] if at is not None and at + 1 < len(self.words) else None

    def whole(self, name: bytes, error: str) -> int | None:
        """The 64-bit whole number behind an option; None if the option is not there."""
        if not self.has(name):
            return None
        word = self.after(name)
        if word is None:
            raise ReplyError(error)
        return integer(word, INT64_MIN, TIME_MAX, error)


@dataclass(slots=True)
class Settings:
    """What TS.CREATE and its like say of a series; None where they say nothing."""

    retention_ms: int | None = None
    chunk_bytes: int | None = None
    plain: bool | None = None
    policy: str | None = None
    ignore: tuple[int, float] | None = None
    labels: tuple[tuple[bytes, bytes], ...] | None = None

    def create(self, ctx: Context) -> Series:
        """A series; what is not said comes from the settings of the server."""
        config = ctx.service(Config)
        retention_ms, chunk_bytes, plain, ignore = (
            self.retention_ms,
            self.chunk_bytes,
            self.plain,
            self.ignore,
        )
        if retention_ms is None:
            retention_ms = config.get("ts-retention-policy")
        if chunk_bytes is None:
            chunk_bytes = config.get("ts-chunk-size-bytes")
        if plain is None:
            plain = config.get("ts-encoding") == "uncompressed"
        if ignore is None:
            difference = float(config.get("ts-ignore-max-val-diff"))
            ignore = config.get("ts-ignore-max-time-diff"), difference
        return Series(retention_ms, chunk_bytes, self.policy, self.labels or (), ignore, plain)

    def alter(self, series: Series) -> None:
        """Change all of a series that is said, but its labels."""
        if self.retention_ms is not None:
            series.retention_ms = self.retention_ms
        if self.chunk_bytes is not None:
            series.samples.chunk_bytes = self.chunk_bytes
        if self.policy is not None:
            series.policy = self.policy
        if self.ignore is not None:
            series.ignore_time_ms, series.ignore_value = self.ignore
        series.resize()


def parsed_settings(arguments: Sequence[bytes], command: str) -> Settings:
    """The options of TS.CREATE; raises ReplyError."""
    if not arguments:
        return Settings()
    words = Words(arguments)
    labels = _labels(words)
    retention_ms = words.whole(b"RETENTION", "ERR TSDB: Couldn't parse RETENTION")
    if retention_ms is not None and retention_ms < 0:
        raise ReplyError("TSDB: Couldn't parse RETENTION")
    chunk_bytes = words.whole(b"CHUNK_SIZE", "ERR TSDB: Couldn't parse CHUNK_SIZE")
    if chunk_bytes is not None and (
        not CHUNK_BYTES_MIN <= chunk_bytes <= CHUNK_BYTES_MAX or chunk_bytes % 8
    ):
        raise ReplyError(CHUNK_SIZE)
    plain = _encoding(words, command)
    policy = parsed_policy(words, b"DUPLICATE_POLICY")
    return Settings(retention_ms, chunk_bytes, plain, policy, _ignore(words), labels)


def _labels(words: Words) -> tuple[tuple[bytes, bytes], ...] | None:
    at = words.find(b"LABELS")
    if at is None:
        return None
    rest = words.words[at + 1 :]
    found = tuple(zip(rest[::2], rest[1::2], strict=False))
    for name, value in found:
        if not name or not value or any(mark in value for mark in (b"(", b")", b",")):
            raise ReplyError(BAD_LABELS)
    return found


def _encoding(words: Words, command: str) -> bool | None:
    if words.has(b"ENCODING"):
        encoding = words.after(b"ENCODING")
        if encoding is None:
            raise wrong_number(command)
        if encoding.upper() not in (b"COMPRESSED", b"UNCOMPRESSED"):
            raise ReplyError("ERR TSDB: unknown ENCODING parameter")
        return encoding.upper() == b"UNCOMPRESSED"
    if words.has(b"UNCOMPRESSED"):
        return True
    return False if words.has(b"COMPRESSED") else None


def parsed_policy(words: Words, name: bytes) -> str | None:
    """What DUPLICATE_POLICY or ON_DUPLICATE says; None if it is not there."""
    if not words.has(name):
        return None
    word = words.after(name)
    if word is None:
        raise ReplyError(f"ERR TSDB: Couldn't parse {name.decode()}")
    policy = word.decode("latin-1").lower()
    if policy not in POLICIES:
        raise ReplyError("ERR TSDB: Unknown DUPLICATE_POLICY")
    return policy


def _ignore(words: Words) -> tuple[int, float] | None:
    at = words.find(b"IGNORE")
    if at is None:
        return None
    error = "ERR TSDB: Couldn't parse IGNORE"
    if at + 2 >= len(words.words):
        raise ReplyError(error)
    time_ms = integer(words.words[at + 1], INT64_MIN, TIME_MAX, error)
    value = number(words.words[at + 2], error)
    if time_ms < 0 or not value >= 0:
        raise ReplyError("ERR TSDB: IGNORE arguments cannot be negative")
    return time_ms, value


# --- aggregation and ranges ----------------------------------------------------------------------


def parsed_kind(word: bytes) -> int:
    """An aggregation by its name."""
    kind = NAMES.get(word.lower())
    if kind is None:
        raise ReplyError("ERR TSDB: Unknown aggregation type")
    return kind


def parsed_width(word: bytes) -> int:
    """The length of a bucket in ms."""
    width_ms = integer(word, INT64_MIN, TIME_MAX, "ERR TSDB: Couldn't parse AGGREGATION")
    if width_ms <= 0:
        raise ReplyError("ERR TSDB: bucketDuration must be greater than zero")
    return width_ms


@dataclass(slots=True)
class Aggregation:
    """AGGREGATION and what goes with it: `kinds` are several where their names are `avg,max`."""

    kinds: tuple[int, ...]
    names: tuple[str, ...]
    width_ms: int
    align: int = 0
    # Of the width: what is added to a bucket's start to give its timestamp.
    shift_ms: int = 0
    empty: bool = False


@dataclass(slots=True)
class Query:
    """The options of TS.RANGE and its like."""

    start: int
    end: int
    latest: bool = False
    count: int | None = None
    times: list[int] | None = None
    values: tuple[float, float] | None = None
    aggregation: Aggregation | None = None


def span(start: bytes, end: bytes) -> tuple[int, int]:
    """From and to in ms; `-` and `+` are the ends of time."""
    low = 0 if start == b"-" else integer(start, 0, TIME_MAX, "ERR TSDB: wrong fromTimestamp")
    high = TIME_MAX if end == b"+" else integer(end, 0, TIME_MAX, "ERR TSDB: wrong toTimestamp")
    return low, high


def parsed_query(start: bytes, end: bytes, arguments: Sequence[bytes], command: str) -> Query:
    """The options of TS.RANGE; raises ReplyError."""
    query = Query(*span(start, end))
    if not arguments:
        return query
    words = Words(arguments)
    query.latest = words.has(b"LATEST")
    query.count = _counted(words)
    query.aggregation = _aggregation(words, command)
    _align(words, query, (start, end), command)
    query.values = _filter_by_value(words)
    query.times = _filter_by_time(words)
    return query


def _counted(words: Words) -> int | None:
    """The number behind COUNT, which may also be the name of an aggregation."""
    at = words.find(b"COUNT")
    if at is not None and at > 0 and words.words[at - 1].upper() == b"AGGREGATION":
        at = words.find(b"COUNT", at + 1)
    if at is None:
        return None
    if at + 1 == len(words.words):
        raise ReplyError("ERR TSDB: COUNT argument is missing")
    count = integer(words.words[at + 1], INT64_MIN, TIME_MAX, "ERR TSDB: Couldn't parse COUNT")
    if count <= 0:
        raise ReplyError("ERR TSDB: Invalid COUNT value")
    return count


def _aggregation(words: Words, command: str) -> Aggregation | None:
    at = words.find(b"AGGREGATION")
    if at is None:
        return None
    if at + 2 >= len(words.words):
        raise ReplyError("ERR TSDB: Couldn't parse AGGREGATION")
    names = words.words[at + 1].split(b",")
    kinds = tuple(parsed_kind(name) for name in names)
    width_ms = parsed_width(words.words[at + 2])
    shown = tuple(name.decode().lower() for name in names)
    found = Aggregation(kinds, shown, width_ms)
    stamp = words.find(b"BUCKETTIMESTAMP")
    if stamp is not None:
        if stamp + 1 == len(words.words):
            raise wrong_number(command)
        if stamp not in (at + 3, at + 4):
            raise ReplyError(
                "ERR TSDB: BUCKETTIMESTAMP flag should be the 3rd or 4th flag after AGGREGATION "
                "flag"
            )
        found.shift_ms = _shift(words.words[stamp + 1], width_ms)
    empty = words.find(b"EMPTY")
    if empty is not None:
        if empty not in (at + 3, at + 5):
            raise ReplyError(
                "ERR TSDB: EMPTY flag should be the 3rd or 5th flag after AGGREGATION flag"
            )
        found.empty = True
    return found


def _shift(word: bytes, width_ms: int) -> int:
    word = word.lower()
    if word in (b"-", b"start"):
        return 0
    if word in (b"~", b"mid"):
        return width_ms // 2
    if word in (b"+", b"end"):
        return width_ms
    raise ReplyError("ERR TSDB: unknown BUCKETTIMESTAMP parameter")


def _align(words: Words, query: Query, ends: tuple[bytes, bytes], command: str) -> None:
    if not words.has(b"ALIGN"):
        return
    word = words.after(b"ALIGN")
    if word is None:
        raise wrong_number(command)
    if word.lower() in (b"-", b"start"):
        if ends[0] == b"-":
            raise ReplyError(
                "ERR TSDB: start alignment can only be used with explicit start timestamp"
            )
        align = query.start
    elif word.lower() in (b"+", b"end"):
        if ends[1] == b"+":
            raise ReplyError("ERR TSDB: end alignment can only be used with explicit end timestamp")
        align = query.end
    else:
        align = integer(word, 0, TIME_MAX, "ERR TSDB: unknown ALIGN parameter")
    if query.aggregation is None:
        raise ReplyError("ERR TSDB: ALIGN parameter can only be used with AGGREGATION")
    query.aggregation.align = align


def _filter_by_value(words: Words) -> tuple[float, float] | None:
    at = words.find(b"FILTER_BY_VALUE")
    if at is None:
        return None
    if at + 2 >= len(words.words):
        raise ReplyError("ERR TSDB: FILTER_BY_VALUE one or more arguments are missing")
    low = number(words.words[at + 1], "ERR TSDB: Couldn't parse MIN")
    return low, number(words.words[at + 2], "ERR TSDB: Couldn't parse MAX")


def _filter_by_time(words: Words) -> list[int] | None:
    """The timestamps behind FILTER_BY_TS, up to the first word that is none."""
    at = words.find(b"FILTER_BY_TS")
    if at is None:
        return None
    found: list[int] = []
    for word in words.words[at + 1 :]:
        try:
            found.append(integer(word, 0, TIME_MAX))
        except ReplyError:
            break
    if not found:
        raise ReplyError("ERR TSDB: FILTER_BY_TS one or more arguments are missing")
    return found
