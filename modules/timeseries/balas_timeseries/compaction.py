"""What rules make of the samples of their source.

A sample that comes in order goes into the open bucket of each rule, or closes it and opens the
next: a bucket that closes becomes a sample of the destination. What comes late, is replaced or
deleted has the buckets computed anew that it falls into, from all samples of the source.

Differs from Redis: there, the buckets of a source that had samples before the rule lose some of
them, or end the server, when samples of that time are deleted; and a rule whose samples come late
while no sample has come in order writes the last bucket before it is closed.
"""

from __future__ import annotations

import numpy as np

from balas.api import Context
from balas_timeseries._aggregation import TWA, Accumulator, aggregate_chunks
from balas_timeseries._weighted import time_weighted
from balas_timeseries.registry import Registry
from balas_timeseries.rule import Rule
from balas_timeseries.series import TIME_MAX, Series

ADDED = "ts.add:dest"
# What is computed anew is told to nobody but those who watch the key.
SILENT = ""


class Compaction:
    """The rules of one series, for one command."""

    def __init__(self, ctx: Context, registry: Registry, key: bytes, series: Series) -> None:
        self._ctx = ctx
        self._registry = registry
        self._key = key
        self._series = series

    def append(self, timestamp: int, value: float) -> None:
        """A sample has come in order."""
        for rule in list(self._series.rules):
            bucket = rule.bucket(timestamp)
            if rule.open is not None and bucket < rule.open:
                self._recompute(rule, bucket)
                continue
            if bucket != rule.open:
                self._open(rule, bucket, timestamp, value)
            rule.sums.add(timestamp, value)

    def upsert(self, timestamp: int) -> None:
        """A sample has come late, or another value for the same time."""
        for rule in list(self._series.rules):
            bucket = rule.bucket(timestamp)
            if rule.open is None and bucket == rule.bucket(self._series.samples.last):
                rule.open = bucket
            if bucket == rule.open:
                self._sum_up(rule.sums, bucket, rule.width_ms)
            else:
                self._recompute(rule, bucket)

    def remove(self, start: int, end: int) -> None:
        """The samples from `start` to `end`, both included, have been deleted."""
        for rule in list(self._series.rules):
            first, last = rule.bucket(start), rule.bucket(end)
            closed = rule.open
            if closed is None:
                closed = rule.bucket(self._series.samples.last)
            elif start < closed + rule.width_ms and end >= closed:
                self._sum_up(rule.sums, closed, rule.width_ms)
            destination = self._destination(rule)
            if destination is not None and first + rule.width_ms < min(last, closed):
                destination.samples.remove(first + rule.width_ms, min(last, closed) - 1)
                self._ctx.changed_too(rule.destination, SILENT)
            for bucket in {first, last}:
                if bucket < closed:
                    self._recompute(rule, bucket)

    def backfill(self, rule: Rule) -> None:
        """Give a new rule the samples that were there before it."""
        samples = self._series.samples
        destination = self._destination(rule)
        if not samples.total or destination is None:
            return
        start, end = self._series.edge, TIME_MAX
        last = rule.bucket(samples.last)
        if rule.kind == TWA:
            times, values = samples.range(start, end)
            stamps, sums = time_weighted(times, values, rule.width_ms, rule.align)
        else:
            stamps, (sums,) = aggregate_chunks(
                samples.within(start, end), start, end, (rule.kind,), rule.width_ms, rule.align
            )
        closed = stamps < last
        for stamp, value in zip(
            np.maximum(stamps[closed], 0).tolist(), sums[closed].tolist(), strict=True
        ):
            self._put(destination, stamp, value)
        self._ctx.changed_too(rule.destination, SILENT)
        rule.open = last
        self._sum_up(rule.sums, last, rule.width_ms)

    def _open(self, rule: Rule, bucket: int, timestamp: int, value: float) -> None:
        """Close the bucket that is open, and open another with this sample."""
        before = rule.sums.last
        if rule.open is not None:
            if rule.sums.count:
                end = rule.open + rule.width_ms
                closed = rule.sums.value(rule.kind, end, (timestamp, value))
                destination = self._destination(rule)
                if destination is not None and self._put(destination, max(rule.open, 0), closed):
                    self._ctx.changed_too(rule.destination, ADDED)
            else:
                before = self._series.samples.before(timestamp, self._series.edge)
        rule.open = bucket
        rule.sums.begin(bucket, before)

    def _sum_up(self, sums: Accumulator, bucket: int, width_ms: int) -> None:
        """Make the sums those of a bucket's samples."""
        series = self._series
        times, values = series.range(max(bucket, 0), _end(bucket, width_ms) - 1)
        sums.begin(bucket, series.samples.before(bucket, series.edge))
        sums.add_all(times, values)

    def _recompute(self, rule: Rule, bucket: int) -> None:
        """Write a closed bucket anew, from the samples of it that retention keeps."""
        destination = self._destination(rule)
        stamp = max(bucket, 0)
        if destination is None:
            return
        sums = Accumulator()
        self._sum_up(sums, bucket, rule.width_ms)
        if sums.count:
            end = _end(bucket, rule.width_ms)
            after = self._series.samples.after(end - 1)
            self._put(destination, stamp, sums.value(rule.kind, end, after))
        else:
            destination.samples.remove(stamp, stamp)
        self._ctx.changed_too(rule.destination, SILENT)

    def _destination(self, rule: Rule) -> Series | None:
        """The series that a rule writes to. Without one the rule ends."""
        found = self._registry.series_at(self._ctx.db.index, rule.destination)
        if found is None or found.source != self._key:
            self._series.drop_rule(rule.destination)
            return None
        return found

    def _put(self, destination: Series, stamp: int, value: float) -> bool:
        """Give the destination a sample, if its retention lets it."""
        if stamp < destination.edge:
            return False
        destination.samples.put(stamp, value)
        if destination.retention_ms:
            destination.samples.forget(destination.edge)
        return True


def _end(bucket: int, width_ms: int) -> int:
    return min(bucket + width_ms, TIME_MAX)
