"""Queries over many series: which ones are there, and their replies as they are sent."""

from balas.api cimport Context
from balas_timeseries._finding cimport Finder
from balas_timeseries._numbers cimport Wire
from balas_timeseries._series cimport SeriesHolder


def series_of(Context ctx not None, registry, list names not None):
    """The series at keys, each with its key; a key that holds none any more is left out."""
    cdef int db = ctx.db.index
    cdef dict known = registry.known(db)
    cdef list found = []
    cdef object series
    for name in names:
        series = known.get(name)
        if series is None or ctx.peek_any(name) is not series:
            series = registry.series_at(db, name)
        if series is not None:
            found.append((name, series))
    return found


cdef int put_labels(Wire wire, tuple labels, list names, bint every) except -1:
    """The labels that a reply shows of a series: all, some by name, or none."""
    if every:
        wire.pairs(len(labels))
        for name, value in labels:
            wire.pair(2)
            wire.bulk(name)
            wire.bulk(value)
    elif names is not None:
        known = dict(labels)
        wire.pairs(len(names))
        for name in names:
            wire.pair(2)
            wire.bulk(name)
            wire.bulk(known.get(name))
    else:
        wire.pairs(0)
    return 0


cdef int put_begin(Wire wire, bytes name, int parts) except -1:
    """The head of what a reply tells of one series."""
    if wire.resp == 3:
        wire.bulk(name)
        return wire.head(42, parts)
    wire.head(42, parts + 1)
    return wire.bulk(name)


cpdef object last_of(Context ctx, bytes name, type kind):
    """What TS.GET returns of the series at a key; None where that takes more than to look at it."""
    cdef object found = ctx.peek_any(name)
    cdef SeriesHolder series
    cdef Wire wire
    if type(found) is not kind:
        return None
    series = found
    if series.place is None or not series.samples.total or not ctx.may_block:
        return None
    ctx.read_any(name)
    wire = Wire(ctx.resp)
    wire.sample(series.samples.last, &series.samples.last_value, 1)
    return wire.done()


def latest_samples(list found not None, show, latest_of, int resp):
    """What TS.MGET returns of series. `latest_of` gives the open bucket of one, or is None."""
    cdef Wire wire = Wire(resp)
    cdef SeriesHolder series
    cdef object latest
    cdef double value
    wire.pairs(len(found))
    for name, series in found:
        latest = latest_of(name, series) if latest_of is not None else None
        put_begin(wire, name, 2)
        put_labels(wire, series.labels, show.names, show.all)
        if latest is not None:
            value = latest[1]
            wire.sample(latest[0], &value, 1)
        elif series.samples.total:
            wire.sample(series.samples.last, &series.samples.last_value, 1)
        else:
            wire.head(42, 0)
    return wire.done()


def ranges(Finder finder not None, list found not None, show, latest_of, list kinds, int resp):
    """What TS.MRANGE returns of series; `kinds` are the names of the aggregations."""
    cdef Wire wire = Wire(resp)
    cdef SeriesHolder series
    wire.pairs(len(found))
    for name, series in found:
        finder.look(series, latest_of(name, series) if latest_of is not None else None)
        put_begin(wire, name, 3 if resp == 3 else 2)
        put_labels(wire, series.labels, show.names, show.all)
        if resp == 3:
            wire.head(37, 1)
            wire.bulk(b"aggregators")
            wire.head(42, len(kinds))
            for kind in kinds:
                wire.bulk(kind.encode())
        finder.write(wire)
    return wire.done()
