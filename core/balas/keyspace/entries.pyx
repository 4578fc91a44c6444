"""The entries of the keyspace: a key and its value, or the way to it, in one block.

The value is the string itself (INLINE), a 64-bit integer (INTEGER), a reference to a Python object
(OBJECT), or the block of a small collection whose object has been let go (DORMANT). Whose entries
they are, and when they move, is told in database.pyx.
"""

from cpython.bytearray cimport PyByteArray_GET_SIZE
from cpython.bytes cimport PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

from balas.structures.numbers cimport int64_to_string
from balas.structures.slabs cimport room_of
from balas.types.value cimport Value


cdef int64_t entry_memory(const Entry *entry) noexcept:
    """Bytes this entry costs: its own block, its share of the tables, and its object."""
    cdef int64_t total = <int64_t> room_of(entry_size(entry)) + TABLE_SHARE
    if is_object(entry):
        total += counted(entry)
    if entry.expire_ms >= 0:
        total += TABLE_SHARE
    return total


cdef object string_of(const Entry *entry):
    """The string as bytes; a `bytearray` is copied. Only for entries that hold strings."""
    cdef char text[24]
    cdef object value
    if entry.kind == INLINE:
        return PyBytes_FromStringAndSize(payload(entry), entry.length)
    if entry.kind == INTEGER:
        return PyBytes_FromStringAndSize(text, int64_to_string(integer_of(entry), text))
    value = <object> object_of(entry)
    return value if PyBytes_CheckExact(value) else bytes(value)


cdef bint is_string(const Entry *entry) noexcept:
    return entry.kind < OBJECT or (
        entry.kind == OBJECT and not isinstance(<object> object_of(entry), Value)
    )


cdef int64_t measured(object value) except -1:
    """Bytes an OBJECT payload occupies."""
    if isinstance(value, Value):
        return (<Value> value).memory_usage()
    if PyBytes_CheckExact(value):
        return room_of(PyBytes_GET_SIZE(value) + 33)
    if isinstance(value, bytearray):
        return room_of(PyByteArray_GET_SIZE(value) + 1) + 64
    raise TypeError(f"{type(value).__name__} is no value of the keyspace")
