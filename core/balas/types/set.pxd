from libc.stdint cimport int64_t, uint8_t, uint64_t, uintptr_t

from balas.structures.listpack cimport Needle
from balas.structures.members cimport MemberTable
from balas.types.limits cimport Limits
from balas.types.value cimport Value

# How the members are kept; the lowest bits of `Set.body` say it.
cdef enum Form:
    INTEGERS = 0
    PACK = 1
    TABLE = 2

# A member on its way. Where it is a number that nobody has asked the text of, `needle.text` is
# NULL; where it is a text, `looked` says whether it is known whether it is a number. It may point
# into itself: pass it on by its address only.
cdef struct Item:
    Needle needle
    bint looked
    char[20] digits

# Takes a member: 0, 1 to end the walk, -1 with an exception.
ctypedef int (*take_t)(void *context, Item *item) except -1

cdef bint item_is_number(Item *item) noexcept
cdef int item_write_out(Item *item) noexcept
cdef void item_set_text(Item *item, const char *text, size_t size) noexcept
cdef bytes item_bytes(Item *item)

cdef Set new_set(Form form, Limits limits)


cdef class Set(Value):
    cdef uintptr_t body

    cdef Form form(self) noexcept
    cdef unsigned char *block(self) noexcept
    cdef MemberTable table(self)
    cdef void take_block(self, unsigned char *block, Form form) noexcept
    cdef void take_table(self, MemberTable table) noexcept
    cdef void release(self) noexcept

    cdef int each(self, take_t take, void *context, bint may_stop) except -1
    cdef bint has_item(self, Item *item) except -1
    cdef bint add_item(self, Item *item, Limits limits) except -1
    cdef bint discard_item(self, Item *item) except -1
    cdef bint fits_pack(self, Item *item, Limits limits) noexcept
    cdef int make_room(self, bytes first, Py_ssize_t count, Limits limits) except -1
    cdef int to_pack(self) except -1
    cdef int to_table(self, Py_ssize_t expected, Limits limits) except -1
    cdef int to_integers(self) except -1
    cdef list keep_few(self, Py_ssize_t count, uint64_t chance, Limits limits)

    cpdef Py_ssize_t length(self) noexcept
    cpdef bint has(self, bytes member) except -1
    cpdef bint add(self, bytes member, Limits limits) except -1
    cpdef Py_ssize_t add_all(self, tuple members, Limits limits) except -1
    cpdef bint discard(self, bytes member) except -1
    cpdef list members(self)
    cpdef bytes random(self, uint64_t chance)
    cpdef bytes pop(self, uint64_t chance)
    cpdef list pop_many(self, Py_ssize_t count, uint64_t chance, Limits limits)
    cpdef list sample(self, Py_ssize_t count, uint64_t chance)
    cpdef list randoms(self, Py_ssize_t count, uint64_t chance)
    cpdef tuple scan(self, uint64_t cursor, size_t count)
