"""The C library's allocator, as far as a server has to steer it.

Left alone it puts work off and then does it in one piece, within some call that cannot know: small
blocks that were freed are joined when the next large one is asked for, and the end of the heap is
given back to the system as soon as much of it is free. After a million keys have gone, either
takes hundreds of milliseconds. `spread_work` has freed blocks joined at once, and keeps what is
free until `trim` is called.

Of large blocks it makes mappings of their own, whose pages come new from the system each time: for
a value that is overwritten, or a buffer that is needed again and again, that takes longer than
copying what stands in it. So blocks come from the heap up to MAPPED_FROM, and who lets a large one
go for good calls `forget_pages` before it is freed.
"""

from libc.stdio cimport FILE, fclose
from libc.stdlib cimport free

cdef extern from "<stdio.h>":
    FILE *open_memstream(char **text, size_t *size)

cdef extern from "<malloc.h>":
    int mallopt(int parameter, int value)
    int malloc_trim(size_t pad)
    int malloc_info(int options, FILE *stream)
    int M_TRIM_THRESHOLD, M_MXFAST, M_MMAP_THRESHOLD

cdef extern from "<sys/mman.h>" nogil:
    int madvise(void *address, size_t length, int advice)
    int MADV_DONTNEED

cdef enum:
    MAPPED_FROM = 4 << 20


cdef void forget_pages(void *block, size_t size) noexcept nogil:
    """Return the pages of a block that is about to be freed, and that nobody will read again."""
    cdef size_t start = (<size_t> block + PAGE_BYTES - 1) & ~<size_t> (PAGE_BYTES - 1)
    cdef size_t end = (<size_t> block + size) & ~<size_t> (PAGE_BYTES - 1)
    if end > start:
        madvise(<void *> start, end - start, MADV_DONTNEED)


def spread_work() -> None:
    """Let no call of malloc or free take long from now on; for the whole process."""
    mallopt(M_TRIM_THRESHOLD, -1)
    mallopt(M_MXFAST, 0)
    mallopt(M_MMAP_THRESHOLD, MAPPED_FROM)


def trim() -> bool:
    """Return to the system all memory that is free; True if there was any."""
    return malloc_trim(0) != 0


def report() -> bytes:
    """What the allocator tells of itself, as XML."""
    cdef char *text = NULL
    cdef size_t size = 0
    cdef FILE *stream = open_memstream(&text, &size)
    if stream == NULL:
        raise MemoryError
    malloc_info(0, stream)
    fclose(stream)
    try:
        return text[:size]
    finally:
        free(text)
