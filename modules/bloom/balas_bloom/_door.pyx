"""How compiled commands come to their values: verbs of the context without a step of Python."""

from balas.api cimport Context, Value

from balas.api import ReplyError


cpdef Value to_read(Context ctx, bytes key, type kind, str missing):
    """The value of this type at a key; if there is none, the error `missing`."""
    cdef object found = ctx.read(key, kind)
    if found is None:
        raise ReplyError(missing)
    return <Value> found


cpdef Value to_change(Context ctx, bytes key, type kind, str missing):
    """The same, for changing it."""
    cdef object found = ctx.write(key, kind)
    if found is None:
        raise ReplyError(missing)
    return <Value> found


cpdef Value changeable(Context ctx, bytes key, type kind):
    """The value of this type at a key, for changing it, or None."""
    return <Value> ctx.write(key, kind)


cpdef int changed(Context ctx, bytes key) except -1:
    """Report a change. The real module reports none by name."""
    return ctx.changed(key, "")
