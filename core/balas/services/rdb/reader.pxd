from libc.stdint cimport int64_t, uint64_t

from balas.types.items cimport ItemReader

# What stands before a key's name: its attributes, -1 for those that are not there, and the kind of
# its value, or an opcode (244 and above) that is no key's.
cdef struct EntryHeader:
    int kind
    int frequency
    int64_t expire_ms
    int64_t idle_s

cdef class RdbReader(ItemReader):
    cdef readonly int version           # of the file, once `read_header` has seen it
    cdef readonly bint checksum         # whether the sum of the file is verified
    cdef object source                  # the file, or the object whose bytes `data` points to
    cdef bint is_file
    cdef Py_buffer view
    cdef const unsigned char *data      # the part of the source at hand
    cdef size_t at
    cdef size_t end
    cdef int64_t base                   # where in the source `data` begins
    cdef unsigned char *chunk
    cdef size_t chunk_bytes
    cdef size_t summed                  # bytes of `data` that are in `crc` already
    cdef uint64_t crc
    cdef object captured                # while a value is captured, its bytes before `data`
    cdef size_t capture_from
    cdef unsigned char *text            # room for strings that are not at hand in one piece
    cdef size_t text_size
    cdef unsigned char *packed          # the same for compressed ones
    cdef size_t packed_size

    cdef object cut_short(self)
    cdef int retire(self) except -1
    cdef int refill(self) except -1
    cdef int need(self, size_t n) except -1
    cdef int collect(self, size_t n, unsigned char **room, size_t *room_size) except -1
    cdef int skip(self, uint64_t n) except -1
    cdef int take_size(self, uint64_t *n) except -1
    cdef int take_integer(self, int form, const char **text, size_t *n) except -1
    cdef int take_compressed(self, const char **text, size_t *n) except -1
    cdef int take_entry_header(self, EntryHeader *header) except -1
    cdef int skip_string(self) except -1
    cdef int skip_items(self) except -1

cdef class ModuleReader:
    cdef RdbReader source

    cdef int expect(self, uint64_t item) except -1
    cpdef uint64_t load_unsigned(self) except? 0
    cpdef int64_t load_signed(self) except? 0
    cpdef double load_double(self) except? -1
    cpdef float load_float(self) except? -1
    cdef int take_text(self, const char **text, size_t *n) except -1
