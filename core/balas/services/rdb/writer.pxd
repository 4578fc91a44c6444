from libc.stdint cimport int64_t, uint64_t

from balas.types.items cimport ItemWriter

cdef class ModuleWriter

cdef class RdbWriter(ItemWriter):
    cdef readonly bint compress         # whether strings are compressed where that saves something
    cdef readonly bint checksum         # whether the sum of the file is computed
    cdef int fd                         # -1 unless the target is a file descriptor
    cdef object sink                    # None unless the target is a callable
    cdef unsigned char *buffer
    cdef size_t used
    cdef size_t capacity
    cdef size_t summed                  # bytes of the buffer that are in `crc` already
    cdef uint64_t crc
    cdef int64_t flushed                # bytes the target has taken
    cdef int64_t sync_bytes
    cdef int64_t unsynced
    cdef unsigned char *scratch
    cdef size_t scratch_size

    cdef int make_room(self, size_t n) except -1
    cdef int put_compressed(self, const char *text, size_t n) except -1
    cdef int put_attributes(self, int64_t expire_ms, int64_t idle_s, int frequency) except -1
    cdef int put_entry(
        self, int kind, const char *key, size_t n, int64_t expire_ms, int64_t idle_s, int frequency
    ) except -1
    cdef ModuleWriter put_module(self, uint64_t module_id)
    cdef bint in_memory(self) noexcept
    cdef int hand_over(self, const unsigned char *data, size_t n) except -1
    cdef int deliver(self, const unsigned char *data, size_t n) except -1
    cdef int empty_buffer(self) except -1
    cdef void sum_up(self) noexcept

cdef class ModuleWriter:
    cdef RdbWriter out

    cpdef int save_unsigned(self, uint64_t value) except -1
    cpdef int save_signed(self, int64_t value) except -1
    cpdef int save_double(self, double value) except -1
    cpdef int save_float(self, float value) except -1
    cdef int put_text(self, const char *text, size_t n) except -1
