from libc.stdint cimport int64_t

from balas_timeseries._chunk cimport Chunk

cdef class Slot:
    cdef readonly bint there        # whether there is a sample
    cdef readonly double value      # of that sample
    cdef int64_t timestamp          # ms
    cdef int64_t place              # of the chunk
    cdef int64_t at                 # of the sample in the chunk
    cdef int64_t count              # of samples, once they are decoded
    cdef int64_t *times
    cdef double *values

    cdef int decode(self, Samples samples) except -1
    cdef void put(self, double value) noexcept

cdef class Samples:
    cdef readonly list chunks
    cdef readonly int64_t total           # samples
    cdef readonly int64_t last            # timestamp of the last, in ms; 0 if there is none
    cdef readonly double last_value       # 0.0 if there is none
    cdef readonly int64_t room_bytes      # that all chunks take
    cdef public int64_t chunk_bytes       # of chunks to come
    cdef readonly bint plain
    # Nothing but a sample at the end: the series has no rule, retention or IGNORE, and is known.
    cdef public bint simple

    cdef Chunk fresh(self, int decimals)
    cdef Chunk end(self)
    cdef int note_end(self) except -1
    cpdef int append(self, int64_t timestamp, double value) except -1
    cdef int64_t place(self, int64_t timestamp) noexcept
    cpdef int put(self, int64_t timestamp, double value) except -1
    cpdef int forget(self, int64_t edge) except -1
    cpdef Slot slot(self, int64_t timestamp)
    cpdef int fill(self, Slot slot, double value) except -1
    cdef list encoded(
        self, const int64_t *times, const double *values, int64_t count, int decimals
    )
    cdef list continued(self, Chunk chunk, Slot slot)
    cdef list encoded_arrays(self, object times, object values, int decimals)
    cdef int replace(self, int64_t place, int64_t count, list chunks) except -1
    cdef list needed(self, int64_t start, int64_t end, int64_t count, bint backwards)
    cdef int merge(self, int64_t low, int64_t high) except -1
