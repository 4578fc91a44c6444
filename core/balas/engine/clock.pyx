"""The one clock. Commands see `now_ms`, which stands still while a unit runs.

Durations of commands are taken with a stopwatch of its own. Asking the system costs 20 to 40 ns,
which is as much as a short command; the processor's time-stamp counter costs a third of that, so it
is used where the kernel itself trusts it (its clock source is "tsc"), scaled by what the system's
clock said over the first moments.
"""

import time

from libc.stdint cimport int64_t, uint64_t

cdef extern from "<time.h>" nogil:
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec *out)
    int CLOCK_REALTIME, CLOCK_MONOTONIC

cdef extern from *:
    """
    #include <stdint.h>
    #if defined(__x86_64__)
    #define BALAS_HAS_COUNTER 1
    static inline uint64_t balas_counter(void) { return __builtin_ia32_rdtsc(); }
    #else
    #define BALAS_HAS_COUNTER 0
    static inline uint64_t balas_counter(void) { return 0; }
    #endif
    """
    bint HAS_COUNTER "BALAS_HAS_COUNTER"
    uint64_t read_counter "balas_counter"() noexcept nogil

cdef enum:
    # The counter is scaled after this long: then the error of the scale is below a millionth.
    CALIBRATION_NS = 50000000

CLOCK_SOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource"


cdef bint counter_is_trusted() except -1:
    """Whether the kernel keeps its own time by the processor's counter."""
    if not HAS_COUNTER:
        return False
    try:
        with open(CLOCK_SOURCE, encoding="ascii") as file:
            return file.read().strip() == "tsc"
    except OSError:
        return False


cdef class Clock:
    """The system's clock."""

    def __cinit__(self, *args, **kwargs):
        self.refresh()
        self.counted = counter_is_trusted()
        self.base_counter = read_counter()
        self.base_ns = self.monotonic_ns()

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

    def sleep(self, seconds: float) -> None:
        """Let time pass, and everybody wait (DEBUG SLEEP)."""
        time.sleep(seconds)

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

    cdef int64_t stopwatch_ns(self) noexcept:
        """The same for measuring durations: cheaper, and exact to about a millionth of them."""
        cdef int64_t now_ns
        if self.ns_per_count:
            return self.base_ns + <int64_t> (
                <double> (read_counter() - self.base_counter) * self.ns_per_count
            )
        now_ns = self.monotonic_ns()
        if self.counted and now_ns - self.base_ns > CALIBRATION_NS:
            self.ns_per_count = (
                <double> (now_ns - self.base_ns) / <double> (read_counter() - self.base_counter)
            )
        return now_ns


cdef class FakeClock(Clock):
    """A clock that moves when it is told to."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self.fake = True
        self.counted = False
        self.fake_ns = now_ms * 1000000
        self.refresh()

    def sleep(self, seconds: float) -> None:
        """Let time pass at once."""
        self.advance(seconds * 1000)

    def advance(self, ms: float) -> None:
        """Let `ms` milliseconds pass."""
        self.fake_ns += <int64_t> (ms * 1000000)
        self.refresh()
