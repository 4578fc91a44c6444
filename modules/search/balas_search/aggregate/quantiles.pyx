"""Quantiles of a stream of numbers, near enough, in little memory.

The summary is that of Cormode, Korn, Muthukrishnan and Srivastava, for ranks off by no more than
2 %: samples in order, each with how many numbers it stands for beyond the sample before (`width`),
and how far its rank may be off (`slack`). Up to `resolution` numbers are gathered, and then put in
all at once.
"""

import numpy as np

from libc.math cimport ceil, floor
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cdef enum:
    RESOLUTION = 500

cdef double EPSILON = 0.01


cdef struct Sample:
    double value
    double width
    double slack


cdef class Quantiles:
    """One quantile, a share between 0 and 1, of the numbers that are added."""

    cdef double share
    cdef Py_ssize_t resolution
    cdef Sample *samples
    cdef Py_ssize_t size
    cdef double total

    def __init__(self, double share, Py_ssize_t resolution=RESOLUTION):
        self.share = share
        self.resolution = max(resolution, 1)

    def __dealloc__(self):
        free(self.samples)

    cdef double allowance(self, double rank) noexcept:
        """How far the rank of a sample at `rank` may be off."""
        return 2 * EPSILON * rank

    def add(self, const double[::1] values not None) -> None:
        """Add numbers, in order."""
        cdef Py_ssize_t begin
        for begin in range(0, values.shape[0], self.resolution):
            self.flush(np.sort(values[begin : begin + self.resolution]))
            if begin + self.resolution <= values.shape[0]:
                self.compress()

    cdef int flush(self, const double[::1] values) except -1:
        """Put sorted numbers among the samples."""
        cdef Sample *made = <Sample*> malloc((self.size + values.shape[0]) * sizeof(Sample))
        cdef Py_ssize_t old = 0
        cdef Py_ssize_t count = 0
        cdef Py_ssize_t i
        cdef double rank = 0
        if made == NULL:
            raise MemoryError()
        for i in range(values.shape[0]):
            while old < self.size and self.samples[old].value <= values[i]:
                rank += self.samples[old].width
                made[count] = self.samples[old]
                count += 1
                old += 1
            made[count].value = values[i]
            made[count].width = 1
            made[count].slack = floor(self.allowance(rank)) - 1 if old < self.size else 0
            count += 1
            self.total += 1
        memcpy(made + count, self.samples + old, (self.size - old) * sizeof(Sample))
        free(self.samples)
        self.samples = made
        self.size = count + self.size - old
        return 0

    cdef int compress(self) except -1:
        """Let samples that stand near enough to each other become one."""
        if self.size < 2:
            return 0
        cdef Py_ssize_t kept = self.size - 1
        cdef Py_ssize_t i
        cdef double rank = self.total - 1 - self.samples[kept].width
        for i in range(self.size - 2, -1, -1):
            if (self.samples[i].width + self.samples[kept].width + self.samples[kept].slack
                    <= self.allowance(rank)):
                rank -= self.samples[i].width
                self.samples[kept].width += self.samples[i].width
            else:
                rank -= self.samples[i].width
                kept -= 1
                self.samples[kept] = self.samples[i]
        self.size -= kept
        memcpy_down(self.samples, kept, self.size)
        return 0

    def find(self) -> float:
        """The quantile of what was added; 0 of nothing."""
        cdef double wanted = ceil(self.share * self.total)
        cdef double rank = 0
        cdef Py_ssize_t i
        if not self.size:
            return 0.0
        wanted += floor(self.allowance(wanted) / 2)
        for i in range(1, self.size):
            rank += self.samples[i - 1].width
            if rank + self.samples[i].width + self.samples[i].slack > wanted:
                return self.samples[i - 1].value
        return self.samples[self.size - 1].value


cdef void memcpy_down(Sample *samples, Py_ssize_t begin, Py_ssize_t count) noexcept:
    cdef Py_ssize_t i
    for i in range(count):
        samples[i] = samples[begin + i]
