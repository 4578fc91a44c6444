"""The short ways: what the keyspace asks of a series, and a sample behind all others.

Nearly all samples are later than those before, of a series without rules, retention or IGNORE. For
these TS.ADD and TS.MADD take no step of Python; all others go through `commands.add`.
"""

from libc.stdint cimport int64_t

from balas.api cimport Context, Value
from balas_timeseries._numbers cimport parse_time, parse_value
from balas_timeseries._samples cimport Samples

from balas.api import ReplyError


cdef class SeriesHolder(Value):
    """The fields of a series that are asked for with every sample."""

    cpdef Py_ssize_t memory_usage(self) except -1:
        """What the chunks take, full or not, and everything around them."""
        return self.size + self.samples.room_bytes

    cpdef Py_ssize_t free_effort(self) except -1:
        """An allocation for each chunk."""
        return len(self.samples.chunks)


cpdef object added_at_end(Context ctx, tuple arguments, type kind):
    """TS.ADD of a key, a time and a value: the time, if the sample was simply appended.

    None if it takes more than that, or is an error; nothing has happened then.
    """
    cdef bytes name = arguments[0]
    cdef object found
    cdef Samples samples
    cdef double value
    cdef int64_t at
    if arguments[1] == b"*":
        return None
    try:
        value = parse_value(arguments[2])
        at = parse_time(arguments[1])
        found = ctx.write(name, kind)
    except ReplyError:
        return None
    if found is None:
        return None
    samples = (<SeriesHolder> found).samples
    if not samples.simple or at <= samples.last:
        return None
    samples.append(at, value)
    ctx.changed(name, "ts.add")
    return at


cpdef bint appended(SeriesHolder series, int64_t timestamp, double value) except -1:
    """Add a sample if it is simply to be appended; False if it takes more than that."""
    cdef Samples samples = series.samples
    if not samples.simple or timestamp <= samples.last:
        return False
    samples.append(timestamp, value)
    return True


cpdef object written(Context ctx, bytes key, type kind):
    """The value of this type at a key, for changing it, or None; raises WRONGTYPE."""
    return ctx.write(key, kind)


cpdef int changed(Context ctx, bytes key) except -1:
    """Report a sample."""
    return ctx.changed(key, "ts.add")
