# Giving back a large array by and by: in one piece it takes as long as its pages are many.

from libc.stdint cimport uint64_t

cdef extern from "<sys/mman.h>" nogil:
    int madvise(void *address, size_t length, int advice)
    int MADV_DONTNEED

cdef enum:
    PAGE_BYTES = 4096


cdef inline uint64_t give_back(
    void *block, uint64_t length, uint64_t *done, uint64_t budget
) noexcept:
    """Give back up to `budget` bytes, in whole pages, of a block that nobody will look at.

    `done` are the bytes before this place, which went already. Returns how many went; 0 if none is
    left. The block stays to be freed.
    """
    cdef size_t start = <size_t>block + done[0]
    cdef size_t end = <size_t>block + length
    start = (start + PAGE_BYTES - 1) & ~<size_t>(PAGE_BYTES - 1)
    if end > start + budget:
        end = start + budget
    end &= ~<size_t>(PAGE_BYTES - 1)
    # Not every system does it; then freeing does, all at once.
    if end <= start or madvise(<void *>start, end - start, MADV_DONTNEED) != 0:
        done[0] = length
        return 0
    done[0] = end - <size_t>block
    return end - start
