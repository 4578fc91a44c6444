# How large keys' values are, in classes: what INFO's section Keysizes counts.
#
# A class is a kind of value and a power of two: sizes 0, 1, 2-3, 4-7, ... An entry remembers its
# class (`Entry.size_class`), so that a change costs a comparison, and a count only when the class
# changes. Class 0 is that of values of which nothing is told, such as streams and modules' values.

from libc.stdint cimport int64_t, uint16_t, uint64_t

cdef extern from *:
    int __builtin_clzll(uint64_t) noexcept nogil

cdef enum:
    # Powers of two of one kind, and the kinds.
    POWERS = 64
    STRINGS = 1
    LISTS = 2
    SETS = 3
    SORTED_SETS = 4
    HASHES = 5
    # Hashes with fields that expire; the last, so that these are all classes from there on.
    TIMED_HASHES = 6
    CLASSES = 7 * POWERS


cdef inline uint16_t class_of(int kind, uint64_t size) noexcept nogil:
    """The class of a value of this kind and size."""
    return <uint16_t> (kind * POWERS + (64 - __builtin_clzll(size) if size else 0))


cdef inline uint16_t class_of_integer(int64_t number) noexcept nogil:
    """The class of a string that is this number: its digits and sign are counted by eye."""
    cdef int power
    if number >= 0:
        power = (
            1 if number < 10 else 2 if number < 1000 else 3 if number < 10000000
            else 4 if number < 1000000000000000LL else 5
        )
    else:
        power = (
            2 if number > -100 else 3 if number > -1000000
            else 4 if number > -100000000000000LL else 5
        )
    return <uint16_t> (STRINGS * POWERS + power)
