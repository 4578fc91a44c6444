"""The C library's allocator, as far as a server has to steer it.

By itself the allocator gives the end of the heap back to the system as soon as a large part of it
is free. For a server that has just dropped a million keys this happens within one call of free, and
takes as long as there are pages to return: hundreds of milliseconds. So a server keeps what it has
(`keep_free_memory`), and returns it when asked to (`trim`).
"""

from libc.stdio cimport FILE, fclose
from libc.stdlib cimport free

cdef extern from "<stdio.h>":
    FILE *open_memstream(char **text, size_t *size)

cdef extern from "<malloc.h>":
    int mallopt(int parameter, int value)
    int malloc_trim(size_t pad)
    int malloc_info(int options, FILE *stream)
    int M_TRIM_THRESHOLD


def keep_free_memory() -> None:
    """Let no free return memory to the system from now on; for the whole process."""
    mallopt(M_TRIM_THRESHOLD, -1)


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
