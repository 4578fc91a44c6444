"""Segments: listpacks that grow and shrink at both ends at the same small cost.

A bare listpack has its header at the start of its block, so an element pushed at the head moves
everything behind it: 8 KB for each LPUSH of a full node. A segment keeps spare room on both sides
and lets the header wander: a change moves whatever lies between it and the nearer end, at the ends
the six bytes of the header or the closing byte. When one side runs out and the other has room, the
pack slides to the middle; when neither has, the block grows. Quicklists are made of segments; the
pack inside is at any time a sound listpack that can be written to a file as it is.
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport UINT32_MAX
from libc.string cimport memcpy, memmove

from balas.structures.blocks cimport block_cost, room_for
from balas.structures.listpack cimport (
    LISTPACK_EMPTY,
    LISTPACK_END,
    LISTPACK_HEADER,
    listpack_size,
    listpack_valid,
    set_listpack_count,
    set_listpack_size,
    write_encoded,
)


cdef enum:
    # Moving this many bytes costs less than asking for another block.
    CHEAP_MOVE = 256
    # A block below this size is not worth being made smaller.
    SHRINK_FROM = 64


cdef unsigned char *allocate(size_t size) except NULL:
    cdef unsigned char *block
    if size > UINT32_MAX:
        raise OverflowError("a listpack holds less than 4 GB")
    block = <unsigned char *>PyMem_Malloc(size)
    if block == NULL:
        raise MemoryError
    return block


cdef int segment_new(Segment *segment, size_t size) except -1:
    """Make an empty segment with room for `size` bytes of elements; `segment_free` frees it."""
    size = room_for(LISTPACK_EMPTY + size)
    segment.pack = allocate(size)
    segment.front = 0
    segment.capacity = <uint32_t>size
    set_listpack_size(segment.pack, LISTPACK_EMPTY)
    set_listpack_count(segment.pack, 0)
    segment.pack[LISTPACK_HEADER] = LISTPACK_END
    return 0


cdef void fill_segment(
    Segment *segment, const unsigned char *elements, size_t size, size_t count
) noexcept nogil:
    """Give an empty segment, with room for them, `count` elements that stand in `size` bytes."""
    memcpy(segment.pack + LISTPACK_HEADER, elements, size)
    set_listpack_size(segment.pack, LISTPACK_EMPTY + size)
    set_listpack_count(segment.pack, count)
    segment.pack[LISTPACK_HEADER + size] = LISTPACK_END


cdef void segment_free(Segment *segment) noexcept:
    """Give the block back; a second time does nothing."""
    if segment.pack != NULL:
        PyMem_Free(segment.pack - segment.front)
        segment.pack = NULL


cdef size_t segment_memory(const Segment *segment) noexcept nogil:
    """Bytes the block takes from the allocator."""
    return block_cost(segment.capacity)


cdef int rebuild(Segment *segment, size_t capacity, size_t front) except -1:
    """Move the pack to a new block."""
    cdef unsigned char *block = allocate(capacity)
    memcpy(block + front, segment.pack, listpack_size(segment.pack))
    PyMem_Free(segment.pack - segment.front)
    segment.pack = block + front
    segment.front = <uint32_t>front
    segment.capacity = <uint32_t>capacity
    return 0


cdef int grow(Segment *segment, size_t more, bint at_front, size_t ceiling) except -1:
    """Make room for `more` bytes in a larger block, all of the new room on one side."""
    cdef size_t size = listpack_size(segment.pack), capacity = room_for(size + more)
    cdef unsigned char *block
    if ceiling > capacity:
        capacity = max(capacity, min(room_for(2 * size), ceiling))
    if capacity == segment.capacity:
        # There is a little room, on the other side: having it here would not last.
        capacity = room_for(capacity + 1)
    if at_front:
        return rebuild(segment, capacity, capacity - size)
    if segment.front > 0:
        return rebuild(segment, capacity, 0)
    if capacity > UINT32_MAX:
        raise OverflowError("a listpack holds less than 4 GB")
    block = <unsigned char *>PyMem_Realloc(segment.pack, capacity)
    if block == NULL:
        raise MemoryError
    segment.pack = block
    segment.capacity = <uint32_t>capacity
    return 0


cdef int make_room(Segment *segment, size_t more, bint at_front, size_t ceiling) except -1:
    """See that `more` bytes are spare on one side."""
    cdef size_t size = listpack_size(segment.pack)
    cdef size_t spare = segment.capacity - size, front
    if spare < more or (size > CHEAP_MOVE and spare < more + size // 8):
        return grow(segment, more, at_front, ceiling)
    # Half of what is left over stays on the other side, so that pushing at both ends in turn does
    # not slide the pack each time.
    front = (spare - more) // 2
    if at_front:
        front = spare - front
    memmove(segment.pack - segment.front + front, segment.pack, size)
    segment.pack += <ptrdiff_t>front - <ptrdiff_t>segment.front
    segment.front = <uint32_t>front
    return 0


cdef inline void widen(
    Segment *segment, size_t at, size_t more, bint at_front
) noexcept nogil:
    """Move what lies on one side of `at` away by `more` bytes that are spare there."""
    cdef size_t size = listpack_size(segment.pack)
    if at_front:
        memmove(segment.pack - more, segment.pack, at)
        segment.pack -= more
        segment.front -= <uint32_t>more
    else:
        memmove(segment.pack + at + more, segment.pack + at, size - at)
    set_listpack_size(segment.pack, size + more)


cdef int narrow(Segment *segment, size_t at, size_t less) except -1:
    """Take out the `less` bytes at `at`."""
    cdef size_t size = listpack_size(segment.pack)
    if at < size - at - less:
        memmove(segment.pack + less, segment.pack, at)
        segment.pack += less
        segment.front += <uint32_t>less
    else:
        memmove(segment.pack + at, segment.pack + at + less, size - at - less)
    size -= less
    set_listpack_size(segment.pack, size)
    if segment.capacity > SHRINK_FROM and 2 * size <= segment.capacity:
        return rebuild(segment, room_for(size), 0)
    return 0


cdef unsigned char *segment_splice(
    Segment *segment, size_t at, size_t old, size_t new, size_t ceiling
) except NULL:
    """Make the `old` bytes at `at` of the pack into `new` ones for the caller to fill.

    Returns where they stand. A block that must grow doubles, but not beyond `ceiling` bytes: for
    segments that are sure to be filled. Without (0) it gets hardly more than is needed. The count
    of the pack is left to the caller.
    """
    cdef size_t size = listpack_size(segment.pack), more
    cdef bint at_front
    if new < old:
        narrow(segment, at + new, old - new)
    elif new > old:
        more = new - old
        at_front = at < size - at - old
        if (segment.front if at_front else segment.capacity - segment.front - size) < more:
            make_room(segment, more, at_front, ceiling)
        widen(segment, at, more, at_front)
    return segment.pack + at


cdef int segment_put(
    Segment *segment, size_t at, size_t old, const Encoded *encoded, size_t ceiling
) except -1:
    """Write an element in the place of the `old` bytes at `at`; the count is left to the caller."""
    write_encoded(encoded, segment_splice(segment, at, old, encoded.size, ceiling))
    return 0


cdef int segment_fit(Segment *segment) except -1:
    """Give spare room back, for a segment that will not soon change."""
    cdef size_t room = room_for(listpack_size(segment.pack))
    if room < segment.capacity:
        rebuild(segment, room, 0)
    return 0


cdef bint segment_settle(Segment *segment) noexcept:
    """Have the pack stand alone in a block of the size that follows from its own, so that the pack
    tells all (`segment_adopt`); False if there is no memory for that.
    """
    cdef size_t size = listpack_size(segment.pack), room = room_for(size)
    cdef unsigned char *block = segment.pack - segment.front
    if segment.front:
        memmove(block, segment.pack, size)
        segment.pack = block
        segment.front = 0
    if room != segment.capacity:
        block = <unsigned char *>PyMem_Realloc(block, room)
        if block == NULL:
            return False
        segment.pack = block
        segment.capacity = <uint32_t>room
    return True


cdef void segment_adopt(Segment *segment, unsigned char *pack) noexcept nogil:
    """Make a segment of a pack that `segment_settle` has left alone."""
    segment.pack = pack
    segment.front = 0
    segment.capacity = <uint32_t>room_for(listpack_size(pack))


cdef int segment_check(const Segment *segment) except -1:
    """Raise AssertionError unless a sound pack stands within the block."""
    cdef size_t size = listpack_size(segment.pack)
    assert segment.front + size <= segment.capacity, "a pack that leaves its block"
    assert listpack_valid(segment.pack, size), "an unsound pack"
    assert room_for(segment.capacity) == segment.capacity, "an odd capacity"
    return 0
