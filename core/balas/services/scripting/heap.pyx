"""The memory of an interpreter: many small blocks, which live shortly.

The process's malloc is set up so that no call takes long (see `structures.allocator`), which makes
small blocks dearer than a script likes, that makes and drops hundreds. Lua says with each block how
long it is; so here blocks of a size are a list, and need nothing around them. They come from one
region of addresses, by which they are told from blocks that malloc gave, before or because they are
large or the region is used up. Its pages are only taken when they are used, and go with the
interpreter.
"""

from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy

cdef extern from "<sys/mman.h>" nogil:
    void *mmap(void *address, size_t size, int protection, int flags, int file, long offset)
    int munmap(void *address, size_t size)
    int madvise(void *address, size_t size, int advice)
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS, MAP_NORESERVE, MADV_NOHUGEPAGE
    void *MAP_FAILED

cdef enum:
    REGION_BYTES = 64 << 20

# Heaps whose interpreters are gone; the interpreter's last call still names one.
cdef Heap *finished_heaps = NULL


cdef Heap *open_heap() noexcept:
    """A heap for a new interpreter; NULL if there is no memory."""
    global finished_heaps
    cdef Heap *heap
    cdef void *region
    while finished_heaps != NULL:
        heap = finished_heaps
        finished_heaps = heap.finished
        free(heap)
    heap = <Heap *> calloc(1, sizeof(Heap))
    if heap == NULL:
        return NULL
    region = mmap(
        NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
        -1, 0,
    )
    if region != MAP_FAILED:
        # A page of two megabytes would be taken for the first block.
        madvise(region, REGION_BYTES, MADV_NOHUGEPAGE)
        heap.start = heap.fresh = <char *> region
        heap.end = heap.start + REGION_BYTES
    return heap


cdef void close_heap(Heap *heap) noexcept:
    """The interpreter is about to go: the region goes with its last block."""
    if heap != NULL:
        heap.closing = True
        if not heap.live:
            finish(heap)


cdef void finish(Heap *heap) noexcept nogil:
    global finished_heaps
    if heap.start != NULL:
        munmap(heap.start, REGION_BYTES)
        heap.start = heap.fresh = heap.end = NULL
    heap.finished = finished_heaps
    finished_heaps = heap


cdef inline size_t class_of(size_t size) noexcept nogil:
    return (size + STEP - 1) // STEP


cdef inline void *take(Heap *heap, size_t size) noexcept nogil:
    """A block of the region; NULL if it is used up."""
    cdef size_t place = class_of(size)
    cdef void *block = heap.free[place]
    if block != NULL:
        heap.free[place] = (<void **> block)[0]
    elif <size_t> (heap.end - heap.fresh) >= place * STEP:
        block = heap.fresh
        heap.fresh += place * STEP
    else:
        return NULL
    heap.live += 1
    return block


cdef void give_back(Heap *heap, void *block, size_t size) noexcept nogil:
    cdef size_t place = class_of(size)
    (<void **> block)[0] = heap.free[place]
    heap.free[place] = block
    heap.live -= 1
    if heap.closing and not heap.live:
        finish(heap)


cdef void *allocate(void *heap, void *block, size_t size, size_t wanted) noexcept nogil:
    """What Lua asks for: a new block, another size of one of `size` bytes, or (0) its end."""
    cdef Heap *own = <Heap *> heap
    cdef bint ours = own.start <= <char *> block < own.end
    cdef void *moved = NULL
    if not wanted:
        if ours:
            give_back(own, block, size)
        else:
            free(block)
        return NULL
    if ours and class_of(size) == class_of(wanted):
        return block
    if not ours and (block != NULL or wanted > SMALL_MAX):
        return realloc(block, wanted)
    if wanted <= SMALL_MAX:
        moved = take(own, wanted)
    if moved == NULL:
        moved = realloc(NULL, wanted)
    if block != NULL and moved != NULL:
        memcpy(moved, block, min(size, wanted))
        give_back(own, block, size)
    return moved
