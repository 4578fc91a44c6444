cdef enum:
    # Larger blocks are malloc's.
    SMALL_MAX = 1024
    STEP = 16
    CLASSES = SMALL_MAX // STEP

cdef struct Heap:
    char *start                 # of the region; NULL: there is none
    char *fresh                 # what lies from here on was never used
    char *end
    void *free[CLASSES + 1]     # by size in steps: a list of blocks that were given back
    size_t live                 # blocks of the region in use
    bint closing
    Heap *finished              # the next in the list of those that are

cdef Heap *open_heap() noexcept
cdef void close_heap(Heap *heap) noexcept
cdef void *allocate(void *heap, void *block, size_t size, size_t wanted) noexcept nogil
