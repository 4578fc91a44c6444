from libc.stdint cimport uint64_t

cdef enum:
    GEO_STEPS = 26               # bits of either coordinate in a score of 52
    GEO_AREAS_MAX = 9

cdef struct Point:
    double longitude             # degrees
    double latitude

# Scores from `low` to before `high`.
cdef struct ScoreRange:
    uint64_t low
    uint64_t high

# What is searched: a circle, or a box along the meridians if `radius_m` is negative.
cdef struct Shape:
    Point centre
    double radius_m
    double width_m
    double height_m

cdef uint64_t geo_encode(Point point) noexcept nogil
cdef Point geo_decode(uint64_t score) noexcept nogil
cdef double geo_distance(Point one, Point other) noexcept nogil
cdef double geo_distance_within(const Shape *shape, Point point) noexcept nogil
cdef int geo_areas(const Shape *shape, ScoreRange *areas) noexcept nogil
cdef void geo_text(uint64_t score, char *text) noexcept nogil
