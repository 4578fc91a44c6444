cimport cython
from libc.stdint cimport int64_t, uint64_t

from balas.structures.members cimport FieldTable, Part
from balas.types.limits cimport Limits
from balas.types.value cimport Value

cdef enum:
    # What `next_expiry_ms` says where nothing expires: of a table or a pack of pairs, and of a pack
    # of triplets.
    NEVER = -1
    NEVER_OF_TRIPLETS = -2

# Times are stored in 48 bits.
cdef extern from *:
    """
    #define BALAS_EXPIRY_MAX_MS 281474976710654LL
    """
    const int64_t EXPIRY_MAX_MS "BALAS_EXPIRY_MAX_MS"


# Said here, too, or `Hash`, which is compiled apart, would be an object of the collector.
@cython.no_gc
cdef class Fields(Value):
    # Unix ms at which the first of the fields expires; below 0 if none does.
    cdef readonly int64_t next_expiry_ms
    cdef unsigned char *pack       # NULL where the fields are in the table
    cdef FieldTable table

    cpdef Py_ssize_t length(self) noexcept
    cpdef bytes get(self, bytes field, int64_t now_ms)
    cpdef bint has(self, bytes field, int64_t now_ms) except -1
    cpdef Py_ssize_t value_length(self, bytes field, int64_t now_ms) except -1
    cpdef int64_t expire_at(self, bytes field, int64_t now_ms) except? -9
    cpdef bint due(self, bytes field, int64_t now_ms) except -1
    cpdef list get_all(self, tuple names, int64_t now_ms)
    cpdef list fields(self, int64_t now_ms)
    cpdef list values(self, int64_t now_ms)
    cpdef list flat(self, int64_t now_ms)
    cpdef Py_ssize_t put_pairs(self, tuple pairs, Limits limits) except -1
    cpdef bint put(self, bytes field, bytes value, bint keep_expiry, Limits limits) except -1
    cpdef bint remove(self, bytes field) except -1
    cpdef bint set_expire(self, bytes field, int64_t at_ms) except -1
    cpdef int expect_expiry(self) except -1
    cpdef list take_due(self, int64_t now_ms, size_t limit)
    cpdef tuple scan(self, uint64_t cursor, size_t count, int64_t now_ms, bint values)
    cpdef list sample(self, size_t count, uint64_t chance, int64_t now_ms, bint values)
    cpdef list randoms(self, size_t count, uint64_t chance, int64_t now_ms, bint values)

    cdef unsigned int step(self) noexcept nogil
    cdef FieldTable table_at(self, int64_t now_ms)
    cdef void follow(self) noexcept
    cdef unsigned char *find(self, const char *field, size_t size) noexcept
    cdef unsigned char *find_live(self, bytes field, int64_t now_ms) noexcept
    cdef list walk(self, Part part, int64_t now_ms)
    cdef bint fits(self, tuple pairs, Limits limits) except -1
    cdef bint put_text(
        self, const char *field, size_t field_size, const char *value, size_t value_size,
        bint keep_expiry, Limits limits
    ) except -1
    cdef bint put_packed(
        self, const char *field, size_t field_size, const char *value, size_t value_size,
        bint keep_expiry
    ) except -1
    cdef int add_packed(
        self, const char *field, size_t field_size, const char *value, size_t value_size,
        int64_t at_ms
    ) except -1
    cdef int move_packed(self, unsigned char *entry, int64_t at_ms) except -1
    cdef int take_pack(self, unsigned char *pack, bint timed) noexcept
    cdef int take_table(self, FieldTable table) except -1
    cdef int to_table(self, Limits limits) except -1
    cdef bint sound(self) except -1
    cdef bint has_twins(self) except -1

    cpdef list pairs(self, int64_t now_ms)
