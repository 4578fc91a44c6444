"""A rule: what the samples of a bucket of one series come to, is a sample of another.

A rule follows the samples that come in order, so a closed bucket costs nothing to compute; what
happens to earlier ones is computed anew from the samples (`compaction`).
"""

from __future__ import annotations

from typing import Self

from balas.api import BadData, LoadStream, SaveStream
from balas_timeseries._aggregation import NAMES, Accumulator, bucket_start

TIME_MAX = 2**63 - 1
RULE_BYTES = 400
KIND_NAMES = [name.decode() for name in NAMES]
# Of what an accumulator saves, so many numbers are whole.
WHOLE = 6
SAVED = 15


class Rule:
    """Where the open bucket began, and what its samples come to so far."""

    __slots__ = ("align", "destination", "kind", "open", "sums", "width_ms")

    def __init__(self, destination: bytes, kind: int, width_ms: int, align: int) -> None:
        self.destination = destination
        self.kind = kind
        self.width_ms = width_ms
        self.align = align
        self.open: int | None = None
        self.sums = Accumulator()

    @property
    def name(self) -> str:
        """The kind of its aggregation as TS.INFO shows it."""
        return KIND_NAMES[self.kind].upper()

    def bucket(self, timestamp: int) -> int:
        """Where the bucket of a sample begins; below 0 for one that time 0 cuts off."""
        return bucket_start(timestamp, self.width_ms, self.align)

    def latest(self) -> tuple[int, float] | None:
        """The open bucket as a sample of the destination; None if it holds nothing."""
        if self.open is None or not self.sums.count:
            return None
        return max(self.open, 0), self.sums.value(self.kind, self.open + self.width_ms, None)

    def memory_usage(self) -> int:
        """Bytes."""
        return RULE_BYTES + len(self.destination)

    def save(self, out: SaveStream) -> None:
        """Write it, with its open bucket."""
        out.save_string(self.destination)
        out.save_unsigned(self.kind)
        out.save_unsigned(self.width_ms)
        out.save_unsigned(self.align)
        out.save_unsigned(self.open is not None)
        out.save_signed(self.open or 0)
        for at, number in enumerate(self.sums.save()):
            if at < WHOLE:
                out.save_signed(int(number))
            else:
                out.save_double(number)

    @classmethod
    def load(cls, source: LoadStream) -> Self:
        """Read what `save` writes; BadData for anything else."""
        destination = source.load_string()
        kind, width_ms, align = (source.load_unsigned() for _ in range(3))
        is_open, start = source.load_unsigned(), source.load_signed()
        numbers = [
            source.load_signed() if at < WHOLE else source.load_double() for at in range(SAVED)
        ]
        if kind >= len(KIND_NAMES) or not 0 < width_ms <= TIME_MAX or align > TIME_MAX:
            raise BadData("a rule that makes no sense")
        if start - width_ms < -TIME_MAX or min(numbers[:2]) < 0:
            raise BadData("a rule that makes no sense")
        made = cls(destination, kind, width_ms, align)
        made.open = start if is_open else None
        made.sums.load(numbers)
        return made
