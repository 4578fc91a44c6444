"""A series as a value of the keyspace: samples, settings, labels, and rules.

`_samples` holds the samples, `rule` what a rule is. Who the other end of a rule is, stands here by
its key only; `registry` keeps these keys true.

In RDB files a series has RedisTimeSeries' name, "TSDB-TYPE", and a version of our own: 101.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Self

from balas.api import BadData, Digest, LoadStream, NotUnderstood, SaveStream, dump_payload
from balas_timeseries._chunk import decoded
from balas_timeseries._samples import Samples
from balas_timeseries._series import SeriesHolder
from balas_timeseries.rule import Rule

if TYPE_CHECKING:
    from balas_timeseries._chunk import Times, Values

# What a series takes beside its chunks, and a label beside its bytes (it is in the index, too).
SERIES_BYTES = 480
LABEL_BYTES = 240
TIME_MAX = 2**63 - 1
CHUNK_BYTES_MIN = 48
CHUNK_BYTES_MAX = 2**20
POLICIES = ("block", "first", "last", "min", "max", "sum")
# All that a series holds.
ATTRIBUTES = (
    "samples",
    "retention_ms",
    "policy",
    "ignore_time_ms",
    "ignore_value",
    "labels",
    "rules",
    "source",
    "place",
    "keeps_rules",
    "size",
)


class Series(SeriesHolder):
    """Samples with what is to be kept of them, labels, and rules."""

    __slots__ = ("keeps_rules", "source")

    type_name = "TSDB-TYPE"
    rdb_version = 101

    def __init__(
        self,
        retention_ms: int = 0,
        chunk_bytes: int = 4096,
        policy: str | None = None,
        labels: Sequence[tuple[bytes, bytes]] = (),
        ignore: tuple[int, float] = (0, 0.0),
        plain: bool = False,
    ) -> None:
        self.retention_ms = retention_ms
        self.policy = policy
        self.ignore_time_ms, self.ignore_value = ignore
        self.samples = Samples(chunk_bytes, plain)
        self.rules = []
        self.source: bytes | None = None
        # None until the registry has seen it.
        self.place = None
        # Whether it came by a rewritten log, which restores series with their rules.
        self.keeps_rules = False
        self.label(labels)

    def label(self, labels: Sequence[tuple[bytes, bytes]]) -> None:
        """Have these labels and no others."""
        self.labels = tuple(labels)
        self.resize()

    def resize(self) -> None:
        """Bring what depends on settings, labels and rules up to date after they have changed."""
        self.samples.simple = (
            self.place is not None
            and not self.rules
            and not self.retention_ms
            and not self.ignore_time_ms
        )
        names = sum(LABEL_BYTES + len(name) + len(value) for name, value in self.labels)
        self.size = SERIES_BYTES + names + sum(rule.memory_usage() for rule in self.rules)

    @property
    def edge(self) -> int:
        """The earliest time that retention keeps."""
        if not self.retention_ms:
            return 0
        return max(0, self.samples.last - self.retention_ms)

    def range(
        self, start: int, end: int, count: int = -1, backwards: bool = False
    ) -> tuple[Times, Values]:
        """The samples from `start` to `end`, both included, that retention has not let go; with a
        `count` at least as many of the first of them, or `backwards` of the last.
        """
        return self.samples.range(max(start, self.edge), end, count, backwards)

    def rule_to(self, destination: bytes) -> Rule | None:
        """The rule that writes to this key, if there is one."""
        return next((rule for rule in self.rules if rule.destination == destination), None)

    def drop_rule(self, destination: bytes) -> None:
        """Have no rule that writes to this key."""
        self.rules = [rule for rule in self.rules if rule.destination != destination]
        self.resize()

    # --- as a value ------------------------------------------------------------------------------

    def rdb_save(self, out: SaveStream) -> None:
        """Write the settings, the labels, the rules, and the chunks."""
        self._save(out, keeps_rules=False)

    def _save(self, out: SaveStream, *, keeps_rules: bool) -> None:
        out.save_unsigned(keeps_rules)
        out.save_unsigned(self.retention_ms)
        out.save_unsigned(self.samples.chunk_bytes)
        out.save_unsigned(self.samples.plain)
        out.save_string((self.policy or "").encode())
        out.save_unsigned(self.ignore_time_ms)
        out.save_double(self.ignore_value)
        out.save_unsigned(len(self.labels))
        for name, value in self.labels:
            out.save_string(name)
            out.save_string(value)
        # Keys have a byte before them, so that the empty key is one.
        out.save_string(b"" if self.source is None else b"=" + self.source)
        out.save_unsigned(len(self.rules))
        for rule in self.rules:
            rule.save(out)
        chunks = [chunk for chunk in self.samples.chunks if chunk.count]
        out.save_unsigned(len(chunks))
        for chunk in chunks:
            out.save_unsigned(chunk.count)
            out.save_unsigned(chunk.form)
            out.save_unsigned(chunk.decimals)
            out.save_string(chunk.used())

    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Self:
        """Read what `rdb_save` writes; BadData for anything else."""
        if version != cls.rdb_version:
            raise NotUnderstood(f"time series of a version not known: {version}")
        keeps_rules, retention_ms, chunk_bytes, plain = (source.load_unsigned() for _ in range(4))
        policy = source.load_string().decode("latin-1")
        ignore = source.load_unsigned(), source.load_double()
        labels = [(source.load_string(), source.load_string()) for _ in range(_count(source))]
        origin = source.load_string()
        rules = [Rule.load(source) for _ in range(_count(source))]
        if (
            max(keeps_rules, plain) > 1
            or max(retention_ms, ignore[0]) > TIME_MAX
            or not CHUNK_BYTES_MIN <= chunk_bytes <= CHUNK_BYTES_MAX
            or chunk_bytes % 8
            or policy not in ("", *POLICIES)
            or not (math.isfinite(ignore[1]) and ignore[1] >= 0)
            or origin[:1] not in (b"", b"=")
        ):
            raise BadData("time series of settings that make no sense")
        made = cls(retention_ms, chunk_bytes, policy or None, labels, ignore, bool(plain))
        made.keeps_rules = bool(keeps_rules)
        made.source = origin[1:] if origin else None
        made.rules = rules
        made.resize()
        try:
            for _ in range(_count(source)):
                count, form, decimals = (source.load_unsigned() for _ in range(3))
                made.samples.load(*decoded(source.load_string(), count, form, decimals))
        except (ValueError, OverflowError) as error:
            raise BadData(f"time series with {error}") from None
        return made

    def aof_rewrite(self, key: bytes) -> Iterator[Sequence[bytes]]:
        """One RESTORE, which unlike others keeps the rules."""
        yield b"RESTORE", key, b"0", dump_payload(WithRules.of(self))

    def copy(self) -> Series:
        """A series with equal samples and labels that shares nothing, and without rules."""
        made = Series(
            self.retention_ms,
            self.samples.chunk_bytes,
            self.policy,
            self.labels,
            (self.ignore_time_ms, self.ignore_value),
        )
        made.samples = self.samples.copy()
        return made

    def digest(self, digest: Digest) -> None:
        """Settings, labels and samples; not rules, nor how samples are spread over chunks."""
        settings = (self.retention_ms, self.samples.chunk_bytes, self.samples.plain, self.policy)
        digest.add(repr((*settings, self.ignore_time_ms, self.ignore_value)).encode())
        for name, value in self.labels:
            digest.add(name)
            digest.add(value)
        times, values = self.samples.range(0, TIME_MAX)
        digest.add(times.tobytes())
        digest.add(values.tobytes())


class WithRules(Series):
    """A series on its way into a rewritten log: saved so that RESTORE keeps its rules."""

    __slots__ = ()

    @classmethod
    def of(cls, series: Series) -> WithRules:
        """The same series, sharing everything."""
        made = cls.__new__(cls)
        for name in ATTRIBUTES:
            setattr(made, name, getattr(series, name))
        return made

    def rdb_save(self, out: SaveStream) -> None:
        """The same, with a mark."""
        self._save(out, keeps_rules=True)


def _count(source: LoadStream) -> int:
    """How many of something follow; no more than could be there."""
    count = source.load_unsigned()
    if count > TIME_MAX:
        raise BadData("time series with too many of something")
    return count
