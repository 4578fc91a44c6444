from libc.stdint cimport int64_t

cdef struct Centroid:
    double mean
    int64_t weight

cdef class Digest:
    cdef Centroid *centroids
    cdef readonly int64_t compression
    cdef readonly int64_t capacity
    cdef readonly int64_t merged
    cdef readonly int64_t unmerged
    cdef readonly int64_t merged_weight
    cdef readonly int64_t unmerged_weight
    cdef readonly int64_t compressions
    cdef readonly double lowest
    cdef readonly double highest

    cpdef object reset(self)
    cdef int put(self, double mean, int64_t weight) except -1
    cpdef object compress(self)
    cpdef double quantile(self, double q)
    cdef double between(self, int64_t i, double behind, double ahead) noexcept
    cpdef double cdf(self, double value)
    cdef double cdf_within(self, double value, double total) noexcept
