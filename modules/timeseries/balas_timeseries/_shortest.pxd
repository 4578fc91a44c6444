cdef int shortest_text(double value, char *text) noexcept nogil
