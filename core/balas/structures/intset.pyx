"""Intset: a set of integers in one sorted array, as Redis stores it.

The same bytes stand in memory and in RDB files: four bytes with the width of a member (2, 4 or 8),
four with the count, then the members in ascending order, all little-endian. The first member that
does not fit makes all members wider; none is ever made narrower again, even when the wide one goes,
since Redis does not either and the bytes are compared.

Looking up halves the array, changing it moves what is behind: good for some hundreds of members.
The functions work on bare pointers; the class `IntSet` is the same for Python.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport INT16_MAX, INT16_MIN, INT32_MAX, INT32_MIN, UINT32_MAX
from libc.string cimport memmove

from balas.structures.blocks cimport block_cost, room_for


cdef inline size_t width_for(int64_t member) noexcept nogil:
    if INT16_MIN <= member <= INT16_MAX:
        return 2
    return 4 if INT32_MIN <= member <= INT32_MAX else 8


cdef inline void set_header(unsigned char *members, size_t width, size_t count) noexcept nogil:
    cdef uint32_t[2] header
    header[0] = <uint32_t>width
    header[1] = <uint32_t>count
    memcpy(members, header, INTSET_HEADER)


cdef inline void put(
    unsigned char *members, size_t width, size_t place, int64_t member
) noexcept nogil:
    # Little-endian: the low bytes of a member come first, whatever its width.
    memcpy(members + INTSET_HEADER + place * width, &member, width)


cdef unsigned char *resize(unsigned char *members, size_t old, size_t new) except NULL:
    """Fit the block to another size in bytes; the set's new place."""
    cdef size_t room = room_for(new)
    cdef unsigned char *moved
    if room == room_for(old):
        return members
    moved = <unsigned char *>PyMem_Realloc(members, room)
    if moved == NULL:
        if new > old:
            raise MemoryError
        return members  # what cannot be given back is kept
    return moved


cdef unsigned char *allocate(size_t size) except NULL:
    cdef unsigned char *block = <unsigned char *>PyMem_Malloc(room_for(size))
    if block == NULL:
        raise MemoryError
    return block


cdef unsigned char *intset_new() except NULL:
    """An empty set. Free it with `intset_free`."""
    cdef unsigned char *members = allocate(INTSET_HEADER)
    set_header(members, 2, 0)
    return members


cdef unsigned char *intset_copy(const unsigned char *members) except NULL:
    """A set of the same members, in the same width."""
    cdef size_t size = intset_size(members)
    cdef unsigned char *copy = allocate(size)
    memcpy(copy, members, size)
    return copy


cdef unsigned char *intset_load(const unsigned char *data, size_t n) except NULL:
    """A set from bytes of unknown origin; ValueError unless they are a sound set throughout."""
    if not intset_valid(data, n):
        raise ValueError("corrupt intset")
    return intset_copy(data)


cdef void intset_free(unsigned char *members) noexcept:
    """Give the block back; NULL is nothing."""
    PyMem_Free(members)


cdef size_t intset_memory(const unsigned char *members) noexcept nogil:
    """Bytes the block takes from the allocator."""
    return block_cost(room_for(intset_size(members)))


cdef bint intset_valid(const unsigned char *data, size_t n) noexcept nogil:
    """Whether the bytes are a sound set: width, count, and members that ascend without repeating.

    A set without members is sound here; Redis refuses one in a file, as it does every empty key.
    """
    cdef size_t width, i
    if n < INTSET_HEADER:
        return False
    width = intset_width(data)
    if width != 2 and width != 4 and width != 8:
        return False
    if intset_size(data) != n:
        return False
    for i in range(1, intset_length(data)):
        if intset_get(data, i - 1) >= intset_get(data, i):
            return False
    return True


cdef bint intset_find(
    const unsigned char *members, int64_t member, size_t *place
) noexcept nogil:
    """Whether the set has this member; `place` becomes its place, or where it would come."""
    cdef size_t low = 0, high = intset_length(members), middle
    cdef int64_t found
    # Members often come in ascending order: then the last tells all.
    if high > 0 and intset_get(members, high - 1) < member:
        place[0] = high
        return False
    while low < high:
        middle = (low + high) >> 1
        found = intset_get(members, middle)
        if found == member:
            place[0] = middle
            return True
        if found < member:
            low = middle + 1
        else:
            high = middle
    place[0] = low
    return False


cdef unsigned char *widen(unsigned char *members, size_t width) except NULL:
    """Make all members this wide; the set's new place."""
    cdef size_t old = intset_width(members), count = intset_length(members), i
    members = resize(members, intset_size(members), INTSET_HEADER + count * width)
    # From the last on, so that none is overwritten before it has moved.
    for i in range(count, 0, -1):
        put(members, width, i - 1, read_member(members + INTSET_HEADER + (i - 1) * old, old))
    set_header(members, width, count)
    return members


cdef unsigned char *intset_add(
    unsigned char *members, int64_t member, bint *added
) except NULL:
    """Add a member; the set's new place. `added` tells whether it is new."""
    cdef size_t width = width_for(member), count = intset_length(members), place, size
    if width <= intset_width(members):
        width = intset_width(members)
        if intset_find(members, member, &place):
            added[0] = False
            return members
    else:
        # What needs more room than all others is below or above all of them.
        place = 0 if member < 0 else count
    if count == UINT32_MAX:
        raise OverflowError("an intset holds less than 2**32 members")
    if width > intset_width(members):
        members = widen(members, width)
    size = INTSET_HEADER + count * width
    members = resize(members, size, size + width)
    memmove(
        members + INTSET_HEADER + (place + 1) * width,
        members + INTSET_HEADER + place * width,
        (count - place) * width,
    )
    put(members, width, place, member)
    set_header(members, width, count + 1)
    added[0] = True
    return members


cdef unsigned char *intset_remove_at(unsigned char *members, size_t place) except NULL:
    """Remove the member at a place, which must be below the length; the set's new place."""
    cdef size_t width = intset_width(members), count = intset_length(members)
    cdef size_t size = INTSET_HEADER + count * width
    memmove(
        members + INTSET_HEADER + place * width,
        members + INTSET_HEADER + (place + 1) * width,
        (count - place - 1) * width,
    )
    set_header(members, width, count - 1)
    return resize(members, size, size - width)


cdef unsigned char *intset_remove(
    unsigned char *members, int64_t member, bint *removed
) except NULL:
    """Remove a member; the set's new place. `removed` tells whether it was there."""
    cdef size_t place
    removed[0] = intset_find(members, member, &place)
    return intset_remove_at(members, place) if removed[0] else members


cdef class IntSet:
    """A sorted set of int64 in Redis's format, for Python."""

    def __cinit__(self, members=()):
        self.members = intset_new()

    def __init__(self, members=()):
        for member in members:
            self.add(member)

    def __dealloc__(self):
        intset_free(self.members)

    @staticmethod
    def from_bytes(const unsigned char[::1] data not None):
        """A set from its own bytes; ValueError unless they are a sound set throughout."""
        cdef IntSet made = IntSet.__new__(IntSet)
        cdef unsigned char *loaded
        if data.shape[0] == 0:
            raise ValueError("corrupt intset")
        loaded = intset_load(&data[0], data.shape[0])
        intset_free(made.members)
        made.members = loaded
        return made

    def to_bytes(self):
        """The set as it stands in RDB files."""
        return PyBytes_FromStringAndSize(<const char *>self.members, intset_size(self.members))

    def __len__(self):
        return intset_length(self.members)

    @property
    def width(self):
        """Bytes of a member: 2, 4 or 8."""
        return intset_width(self.members)

    @property
    def memory(self):
        """Bytes taken from the allocator, this object not counted."""
        return intset_memory(self.members)

    def __contains__(self, int64_t member):
        cdef size_t place
        return intset_find(self.members, member, &place)

    def __iter__(self):
        cdef size_t i
        return iter([intset_get(self.members, i) for i in range(intset_length(self.members))])

    def get(self, int64_t place):
        """The member at a place of the ascending order, from the end if negative; IndexError."""
        cdef int64_t count = <int64_t>intset_length(self.members)
        if place < 0:
            place += count
        if place < 0 or place >= count:
            raise IndexError("no member at this place")
        return intset_get(self.members, <size_t>place)

    def min(self):
        """The smallest member; IndexError for an empty set."""
        return self.get(0)

    def max(self):
        """The greatest member; IndexError for an empty set."""
        return self.get(-1)

    def random(self, uint64_t chance):
        """The member that a random number picks; IndexError for an empty set."""
        if intset_length(self.members) == 0:
            raise IndexError("the set is empty")
        return intset_random(self.members, chance)

    def add(self, int64_t member):
        """Add a member; whether it is new."""
        cdef bint added
        self.members = intset_add(self.members, member, &added)
        return added

    def remove(self, int64_t member):
        """Remove a member; whether it was there."""
        cdef bint removed
        self.members = intset_remove(self.members, member, &removed)
        return removed

    def copy(self):
        """A set of the same members, in the same width."""
        return IntSet.from_bytes(self.to_bytes())

    def check_invariants(self):
        """Raise AssertionError unless the bytes are a sound set."""
        assert intset_valid(self.members, intset_size(self.members)), "the bytes are no sound set"
