"""The one clock. Commands see `now_ms`, which stands still while a unit runs."""

from libc.stdint cimport int64_t

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec *out)
    int CLOCK_REALTIME, CLOCK_MONOTONIC


cdef class Clock:
    """The system's clock."""

    def __cinit__(self, *args, **kwargs):
        self.refresh()

    cpdef int64_t refresh(self):
        """Read the time; returns `now_ms`, Unix time in ms."""
        self.now_ms = self.wall_us() // 1000
        return self.now_ms

    cdef int64_t wall_us(self) noexcept:
        cdef timespec spec
        if self.fake:
            return self.fake_ns // 1000
        clock_gettime(CLOCK_REALTIME, &spec)
        return <int64_t> spec.tv_sec * 1000000 + spec.tv_nsec // 1000

    def now_us(self) -> int:
        """Unix time in microseconds, read now."""
        return self.wall_us()

    cpdef int64_t monotonic_ns(self):
        """Nanoseconds since some moment; never goes back."""
        cdef timespec spec
        if self.fake:
            return self.fake_ns
        clock_gettime(CLOCK_MONOTONIC, &spec)
        return <int64_t> spec.tv_sec * 1000000000 + spec.tv_nsec


cdef class FakeClock(Clock):
    """A clock that moves when it is told to."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self.fake = True
        self.fake_ns = now_ms * 1000000
        self.refresh()

    def advance(self, ms: float) -> None:
        """Let `ms` milliseconds pass."""
        self.fake_ns += <int64_t> (ms * 1000000)
        self.refresh()
