from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    # A slab is aligned to its size, so that the address of a block tells its slab.
    SLAB_BYTES = 1 << 14
    SLAB_HEADER = 64
    # Larger blocks come from the C library.
    SLAB_BLOCK_MAX = 512
    BLOCK_STEP = 8
    SIZE_CLASSES = SLAB_BLOCK_MAX // BLOCK_STEP + 1

cdef struct Slab:
    Slab *next           # among the slabs of a class that have room, or among those that are empty
    Slab *previous
    void *freed          # blocks that were released, each holding the address of the next
    uint32_t used        # blocks handed out
    uint32_t fresh       # offset of the first block that was never handed out
    uint32_t block_bytes
    bint open            # it has room, and stands in the list of its class


cdef inline size_t room_of(size_t size) noexcept nogil:
    """Bytes that a block of this size takes. Blocks with equal room need not be moved."""
    if size > SLAB_BLOCK_MAX:
        # The C library's steps, and the header it puts in front.
        return (size + 8 + 15) & ~<size_t> 15
    return (size + BLOCK_STEP - 1) & ~<size_t> (BLOCK_STEP - 1)


cdef class Slabs:
    cdef Slab *with_room[SIZE_CLASSES]
    cdef uint64_t full[SIZE_CLASSES]    # how many slabs of each class have no room
    cdef Slab *empty             # slabs without blocks that still have their memory
    cdef uint64_t empty_count
    cdef Slab **bare             # slabs without blocks whose memory was given back
    cdef uint64_t bare_count
    cdef uint64_t bare_room
    cdef char *uncut             # of the last region: where the next slab will be
    cdef char *region_end
    cdef void **regions
    cdef uint64_t region_count
    cdef uint64_t cut            # slabs made so far

    cdef void *allocate(self, size_t size) except NULL
    cdef void release(self, void *block, size_t size) noexcept
    cdef void *resize(self, void *block, size_t size, size_t wanted) except NULL
    cdef Slab *new_slab(self, size_t size_class) except NULL
    cdef Slab *unused_slab(self) except NULL
    cdef int map_region(self) except -1
    cdef void open_slab(self, Slab *slab) noexcept
    cdef void close_slab(self, Slab *slab) noexcept
