from libc.stdint cimport int64_t, uint64_t

ctypedef enum Form:
    DECIMAL      # whole multiples of a power of ten
    FLOATS       # any double
    PLAIN        # not compressed

cdef enum:
    # One sample for each of 2 ** so many bytes that a chunk may have is the most. To find a sample,
    # all before it in its chunk are decoded, which takes long where very many have room.
    SHARE_SHIFT = 2

# How the next sample is coded.
cdef struct Coder:
    int64_t bits            # that are used
    int64_t delta
    int64_t unit
    int64_t drift
    uint64_t time_mean      # of the numbers so far, times 16
    uint64_t value_mean
    int leading
    int trailing

# Which samples are wanted: up to `end`, and of those only the first `count` (-1: all) from `start`.
cdef struct Span:
    int64_t end
    int64_t start
    int64_t count

# How far decoding goes: as long as no timestamp is above the limit, to `stop` samples.
cdef struct Progress:
    int64_t limit
    int64_t stop

cdef class Chunk:
    cdef unsigned char *data
    cdef readonly int64_t room_bytes      # that are allocated
    cdef readonly int64_t size_bytes      # that may be
    cdef readonly int64_t count           # samples
    cdef readonly int64_t first           # timestamp of the first, in ms
    cdef readonly int64_t last
    cdef readonly double last_value
    cdef readonly Form form
    cdef readonly int decimals            # of a DECIMAL chunk
    cdef Coder coder
    cdef Coder before       # the last sample, so that it can be taken back
    cdef int64_t last_but_one
    cdef double value_but_one

    cdef int reserve(self, int64_t bits) except -1
    cdef void put(self, uint64_t value, int width) noexcept
    cdef void put_residual(self, uint64_t *mean, int64_t number) noexcept
    cdef void put_float(self, double value) noexcept
    cdef int recode(self, double value) except -1
    cpdef bint append(self, int64_t timestamp, double value) except -1
    cpdef bint replace_last(self, double value) except -1
    cdef int start(self, int64_t timestamp, double value) except -1
    cdef bint fill(self, int64_t *timestamps, double *values) noexcept nogil
    cdef int64_t fill_until(
        self, int64_t *timestamps, double *values, Span span
    ) noexcept nogil
    cdef int64_t fill_decimal(
        self, int64_t *timestamps, double *values, Span span, Progress *progress, Coder *coder
    ) noexcept nogil
    cdef int64_t fill_floats(
        self, int64_t *timestamps, double *values, Span span, Progress *progress, Coder *coder
    ) noexcept nogil
    cdef Chunk beginning(
        self, int64_t *timestamps, double *values, int64_t count, int64_t size_bytes
    )
    cdef int trim(self) except -1
    cdef double first_value(self) noexcept
    cpdef Chunk copy(self)

cdef Chunk new_chunk(int64_t size_bytes, Form form, int decimals)
