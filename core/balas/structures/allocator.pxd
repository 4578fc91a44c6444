cdef enum:
    # Strings from this size on leave no pages behind when they are deleted.
    LARGE_BLOCK = 128 * 1024
    PAGE_BYTES = 4096

cdef void forget_pages(void *block, size_t size) noexcept nogil
