"""Places in a sorted set whose scores are geohashes: those within a circle or a box."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.ref cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from balas.structures.geohash cimport (
    GEO_AREAS_MAX,
    ScoreRange,
    geo_areas,
    geo_decode,
    geo_distance_within,
)
from balas.structures.geohash cimport Shape as Area
from balas.types.scored cimport Scored
from balas.types.sorted_set cimport SortedSet


cdef struct Search:
    const Area *area
    PyObject *places
    int64_t limit


cdef int keep_place(void *context, Scored *item) except -1:
    cdef Search *search = <Search *>context
    cdef list places = <list>search.places
    cdef double distance_m = geo_distance_within(search.area, geo_decode(<uint64_t>item.score))
    if distance_m < 0:
        return 0
    places.append((distance_m, PyBytes_FromStringAndSize(item.text, item.size), item.score))
    return search.limit > 0 and len(places) >= search.limit


def places_within(
    SortedSet found not None,
    double longitude,
    double latitude,
    double radius_m,
    double width_m,
    double height_m,
    int64_t limit,
):
    """Distance from the centre in metres, member and score of every place within a circle, or
    within a box if the radius is negative. They come in no order that means anything; with a limit
    that is not 0 no more than so many, whichever they are.
    """
    cdef ScoreRange[GEO_AREAS_MAX] areas
    cdef Area area
    cdef Search search
    cdef list places = []
    cdef int i
    area.centre.longitude = longitude
    area.centre.latitude = latitude
    area.radius_m = radius_m
    area.width_m = width_m
    area.height_m = height_m
    search.area = &area
    search.places = <PyObject *>places
    search.limit = limit
    for i in range(geo_areas(&area, areas)):
        found.each(
            found.count_scores(<double>areas[i].low, False),
            found.count_scores(<double>areas[i].high, False),
            False,
            keep_place,
            &search,
        )
        if 0 < limit <= len(places):
            break
    return places
