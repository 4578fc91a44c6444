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


cpdef object appended(Context ctx, bytes key, bytes stamp, bytes text, type kind):
    """Add a sample as a client writes it: its time, if it was simply appended.

    None if it takes more than that, or is an error; nothing has happened then. That the key has
    changed is still to be told.
    """
    cdef object found
    cdef Samples samples
    cdef double value
    cdef int64_t at
    if stamp == b"*":
        return None
    try:
        value = parse_value(text)
        at = parse_time(stamp)
        found = ctx.write(key, kind)
    except ReplyError:
        return None
    if found is None:
        return None
    samples = (<SeriesHolder> found).samples
    if not samples.simple or at <= samples.last:
        return None
    samples.append(at, value)
    return at


cpdef object added_at_end(Context ctx, tuple arguments, type kind):
    """TS.ADD of a key, a time and a value; None as above."""
    cdef object at = appended(ctx, arguments[0], arguments[1], arguments[2], kind)
    if at is not None:
        ctx.changed(<bytes> arguments[0], "ts.add")
    return at


cpdef object written(Context ctx, bytes key, type kind):
    """The value of this type at a key, for changing it, or None; raises WRONGTYPE."""
    return ctx.write(key, kind)


cpdef int changed(Context ctx, bytes key) except -1:
    """Report a sample."""
    return ctx.changed(key, "ts.add")
