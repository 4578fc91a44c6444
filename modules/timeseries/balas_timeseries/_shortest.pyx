# distutils: language = c++
"""The shortest digits that read as the same double, by the C++ library."""

cdef extern from *:
    """
    #include <charconv>

    static inline int scientific(double value, char *text) {
        auto end = std::to_chars(text, text + 32, value, std::chars_format::scientific);
        return (int)(end.ptr - text);
    }
    """
    int scientific(double value, char *text) noexcept nogil


cdef int shortest_text(double value, char *text) noexcept nogil:
    """Write a finite number as -1.25e+02, in up to 32 bytes; the length."""
    return scientific(value, text)
