from libc.stdint cimport int64_t, uint64_t

from balas.api cimport Value

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
    cdef uint64_t released     # bytes given back, when nobody looks any more

    cpdef object add_all(self, tuple words, number)
    cpdef object reset(self)
    cdef int put(self, double mean, int64_t weight) except -1
    cpdef object compress(self)
    cpdef double quantile(self, double q)
    cdef double between(self, int64_t i, double behind, double ahead) noexcept
    cpdef double cdf(self, double value)
    cdef double cdf_within(self, double value, double total) noexcept

cdef class DigestHolder(Value):
    cdef readonly Digest centroids

    cpdef Py_ssize_t memory_usage(self) except -1
    cpdef Py_ssize_t free_effort(self) except -1
