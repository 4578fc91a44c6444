from libc.stdint cimport uint8_t

# What a small value may be kept as without its object: one block of bytes.
cdef enum DormantForm:
    LIST_PACK = 1
    HASH_PACK = 2
    INTEGER_SET = 3
    SET_PACK = 4
    SORTED_SET_PACK = 5
    DORMANT_FORMS = 6

cdef enum:
    # Beside a larger block the object hardly counts.
    DORMANT_MAX = 512

cdef class Value:
    cdef void *doze(self, uint8_t *form) noexcept
    cdef Value wake(self, void *block, uint8_t form)
    cpdef Py_ssize_t memory_usage(self) except -1
    cpdef Py_ssize_t cardinality(self) except -1
    cpdef Py_ssize_t free_effort(self) except -1
