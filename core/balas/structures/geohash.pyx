"""Geohashes: places on Earth as scores of 52 bits, and where to look for those within a shape.

Longitude and latitude are each halved 26 times; the bits of both alternate, those of the longitude
being the higher ones. So places whose scores share their high bits lie in one cell of a grid, and
nine cells, large enough, hold everything that is near: each cell is a range of scores.

Latitudes end at 85.05 degrees, where the map of Mercator is cut to a square. The text of eleven
letters, however, follows the common geohash, whose latitudes reach the poles.

All results are those of Redis to the last bit, and areas come in its order, since it is the order
of search results without SORT. Its sphere has a radius of 6372797.560856 m.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.math cimport M_PI, asin, cos, fabs, sin, sqrt
from libc.stdint cimport uint32_t

cdef enum:
    TEXT_SIZE = 11
    TEXT_BITS = 5

cdef double EARTH_RADIUS_M = 6372797.560856
# Half the equator on the map of Mercator.
cdef double MERCATOR_MAX_M = 20037726.37
cdef double LONGITUDE_LIMIT = 180.0
cdef double LATITUDE_LIMIT = 85.05112878
cdef double POLE = 90.0
cdef uint64_t LATITUDE_BITS = 0x5555555555555555ULL
cdef uint64_t LONGITUDE_BITS = 0xAAAAAAAAAAAAAAAAULL
cdef const char *LETTERS = "0123456789bcdefghjkmnpqrstuvwxyz"

LONGITUDE_MAX = LONGITUDE_LIMIT
LATITUDE_MAX = LATITUDE_LIMIT


# A cell of the grid whose sides are 1 / 2**steps of the map. Steps 0: no cell.
cdef struct Cell:
    uint64_t bits
    int steps

# In degrees.
cdef struct Box:
    double west
    double south
    double east
    double north


cdef inline uint64_t spread(uint32_t value) noexcept nogil:
    """Put a zero before each bit."""
    cdef uint64_t v = value
    v = (v | (v << 16)) & 0x0000FFFF0000FFFFULL
    v = (v | (v << 8)) & 0x00FF00FF00FF00FFULL
    v = (v | (v << 4)) & 0x0F0F0F0F0F0F0F0FULL
    v = (v | (v << 2)) & 0x3333333333333333ULL
    return (v | (v << 1)) & 0x5555555555555555ULL


cdef inline uint32_t gather(uint64_t v) noexcept nogil:
    """Every second bit, from the lowest on."""
    v &= 0x5555555555555555ULL
    v = (v | (v >> 1)) & 0x3333333333333333ULL
    v = (v | (v >> 2)) & 0x0F0F0F0F0F0F0F0FULL
    v = (v | (v >> 4)) & 0x00FF00FF00FF00FFULL
    v = (v | (v >> 8)) & 0x0000FFFF0000FFFFULL
    return <uint32_t>(v | (v >> 16))


cdef inline double radians(double degrees) noexcept nogil:
    return degrees * (M_PI / 180.0)


cdef inline double degrees_of(double angle) noexcept nogil:
    return angle / (M_PI / 180.0)


cdef Cell cell_of(Point point, int steps, double latitude_limit) noexcept nogil:
    """The cell of a point on the map that ends at this latitude."""
    cdef Cell cell
    cdef double y = (point.latitude + latitude_limit) / (latitude_limit + latitude_limit)
    cdef double x = (point.longitude + LONGITUDE_LIMIT) / (LONGITUDE_LIMIT + LONGITUDE_LIMIT)
    x *= <double>(<uint64_t>1 << steps)
    y *= <double>(<uint64_t>1 << steps)
    cell.bits = spread(<uint32_t>y) | spread(<uint32_t>x) << 1
    cell.steps = steps
    return cell


cdef Box box_of(Cell cell) noexcept nogil:
    """The edges of a cell."""
    cdef Box box
    cdef double count = <double>(<uint64_t>1 << cell.steps)
    cdef uint32_t y = gather(cell.bits), x = gather(cell.bits >> 1)
    box.south = -LATITUDE_LIMIT + (y / count) * (LATITUDE_LIMIT + LATITUDE_LIMIT)
    box.north = -LATITUDE_LIMIT + ((y + <uint32_t>1) / count) * (LATITUDE_LIMIT + LATITUDE_LIMIT)
    box.west = -LONGITUDE_LIMIT + (x / count) * (LONGITUDE_LIMIT + LONGITUDE_LIMIT)
    box.east = -LONGITUDE_LIMIT + ((x + <uint32_t>1) / count) * (LONGITUDE_LIMIT + LONGITUDE_LIMIT)
    return box


cdef Cell neighbour(Cell cell, int east, int north) noexcept nogil:
    """The next cell in a direction, each -1, 0 or 1; beyond an edge of the map comes the other.

    A point on the eastern or northern edge itself is in a cell beyond the last one. From there one
    comes back to the map only by a step along that axis, as in Redis.
    """
    cdef int unused = 64 - cell.steps * 2
    cdef uint64_t x = cell.bits & LONGITUDE_BITS, y = cell.bits & LATITUDE_BITS
    cdef uint64_t between = LATITUDE_BITS >> unused
    # With ones in the bits between, a carry runs through them.
    if east != 0:
        x = x + (between + 1) if east > 0 else (x | between) - (between + 1)
        x &= LONGITUDE_BITS >> unused
    between = LONGITUDE_BITS >> unused
    if north != 0:
        y = y + (between + 1) if north > 0 else (y | between) - (between + 1)
        y &= LATITUDE_BITS >> unused
    cell.bits = x | y
    return cell


# --- points ---------------------------------------------------------------------------------------


cdef uint64_t geo_encode(Point point) noexcept nogil:
    """The score of a point, which must be within the limits of the map."""
    return cell_of(point, GEO_STEPS, LATITUDE_LIMIT).bits


cdef Point geo_decode(uint64_t score) noexcept nogil:
    """The centre of the cell that a score stands for."""
    cdef Cell cell
    cdef Box box
    cdef Point point
    cell.bits = score
    cell.steps = GEO_STEPS
    box = box_of(cell)
    point.longitude = (box.west + box.east) / 2
    point.latitude = (box.south + box.north) / 2
    point.longitude = max(min(point.longitude, LONGITUDE_LIMIT), -LONGITUDE_LIMIT)
    point.latitude = max(min(point.latitude, LATITUDE_LIMIT), -LATITUDE_LIMIT)
    return point


cdef void geo_text(uint64_t score, char *text) noexcept nogil:
    """The common geohash of a score, in eleven letters; 52 bits leave nothing for the last."""
    cdef uint64_t bits = cell_of(geo_decode(score), GEO_STEPS, POLE).bits
    cdef int i
    for i in range(TEXT_SIZE - 1):
        text[i] = LETTERS[(bits >> (2 * GEO_STEPS - (i + 1) * TEXT_BITS)) & 31]
    text[TEXT_SIZE - 1] = LETTERS[0]


cdef inline double latitude_distance(double one, double other) noexcept nogil:
    return EARTH_RADIUS_M * fabs(radians(other) - radians(one))


cdef double geo_distance(Point one, Point other) noexcept nogil:
    """The distance of two points in metres, by the haversine formula."""
    cdef double v = sin((radians(other.longitude) - radians(one.longitude)) / 2), u
    cdef double latitude = radians(one.latitude), other_latitude = radians(other.latitude)
    if v == 0:
        return latitude_distance(one.latitude, other.latitude)
    u = sin((other_latitude - latitude) / 2)
    return 2.0 * EARTH_RADIUS_M * asin(
        sqrt(u * u + cos(latitude) * cos(other_latitude) * v * v)
    )


cdef double geo_distance_within(const Shape *shape, Point point) noexcept nogil:
    """The distance of a point from the centre in metres, negative if it is outside the shape."""
    cdef double distance
    cdef Point beside
    if shape.radius_m >= 0:
        distance = geo_distance(shape.centre, point)
        return distance if distance <= shape.radius_m else -1
    if latitude_distance(point.latitude, shape.centre.latitude) > shape.height_m / 2:
        return -1
    # The width is measured along the point's own parallel.
    beside.longitude = shape.centre.longitude
    beside.latitude = point.latitude
    if geo_distance(point, beside) > shape.width_m / 2:
        return -1
    return geo_distance(shape.centre, point)


# --- areas ----------------------------------------------------------------------------------------


cdef Box bounds_of(const Shape *shape) noexcept nogil:
    """The smallest and greatest longitude and latitude of a shape, taken generously."""
    cdef double height = shape.radius_m if shape.radius_m >= 0 else shape.height_m / 2
    cdef double width = shape.radius_m if shape.radius_m >= 0 else shape.width_m / 2
    cdef double tall = degrees_of(height / EARTH_RADIUS_M), wide
    cdef double edge = shape.centre.latitude + tall
    cdef Box box
    if shape.centre.latitude < 0:
        edge = shape.centre.latitude - tall
    wide = degrees_of(width / EARTH_RADIUS_M / cos(radians(edge)))
    box.west = shape.centre.longitude - wide
    box.east = shape.centre.longitude + wide
    box.south = shape.centre.latitude - tall
    box.north = shape.centre.latitude + tall
    return box


cdef int steps_for(double radius_m, double latitude) noexcept nogil:
    """The grid whose nine cells round a point hold what is within a radius, in most cases."""
    cdef int steps = -1
    if radius_m == 0:
        return GEO_STEPS
    while radius_m < MERCATOR_MAX_M:
        radius_m *= 2
        steps += 1
    # Cells are narrower towards the poles.
    if latitude > 66 or latitude < -66:
        steps -= 1
        if latitude > 80 or latitude < -80:
            steps -= 1
    return min(max(steps, 1), <int>GEO_STEPS)


cdef bint too_small(Cell cell, const Box *bounds) noexcept nogil:
    """Whether the shape reaches beyond the cell's neighbours."""
    return (
        box_of(neighbour(cell, 0, 1)).north < bounds.north
        or box_of(neighbour(cell, 0, -1)).south > bounds.south
        or box_of(neighbour(cell, 1, 0)).east < bounds.east
        or box_of(neighbour(cell, -1, 0)).west > bounds.west
    )


cdef inline bint needed(const Box *cell, const Box *bounds, int east, int north) noexcept nogil:
    """Whether the shape leaves the central cell in a direction."""
    return not (
        (north < 0 and cell.south < bounds.south)
        or (north > 0 and cell.north > bounds.north)
        or (east < 0 and cell.west < bounds.west)
        or (east > 0 and cell.east > bounds.east)
    )


cdef int geo_areas(const Shape *shape, ScoreRange *areas) noexcept nogil:
    """Where places within a shape have their scores: up to nine ranges; how many.

    An area that equals the one before is left out, unless that is the central one: with a very
    large shape places may be met twice, as in Redis.
    """
    cdef int[9] easts = [0, 0, 0, 1, -1, 1, -1, 1, -1]
    cdef int[9] norths = [0, 1, -1, 0, 0, 1, 1, -1, -1]
    cdef Box bounds = bounds_of(shape), centre
    cdef Cell cell, other
    cdef uint64_t last = 0
    cdef double radius_m = shape.radius_m
    cdef int i, steps, shift, count = 0
    if radius_m < 0:
        radius_m = sqrt(
            (shape.width_m / 2) * (shape.width_m / 2)
            + (shape.height_m / 2) * (shape.height_m / 2)
        )
    steps = steps_for(radius_m, shape.centre.latitude)
    cell = cell_of(shape.centre, steps, LATITUDE_LIMIT)
    if steps > 1 and too_small(cell, &bounds):
        steps -= 1
        cell = cell_of(shape.centre, steps, LATITUDE_LIMIT)
    centre = box_of(cell)
    shift = 2 * (GEO_STEPS - steps)
    for i in range(GEO_AREAS_MAX):
        if steps >= 2 and not needed(&centre, &bounds, easts[i], norths[i]):
            continue
        other = neighbour(cell, easts[i], norths[i])
        if count > 1 and other.bits == last:
            continue
        last = other.bits
        areas[count].low = other.bits << shift
        areas[count].high = (other.bits + 1) << shift
        count += 1
    return count


# --- for Python -----------------------------------------------------------------------------------


cdef int set_point(Point *point, double longitude, double latitude) except -1:
    if not (-LONGITUDE_LIMIT <= longitude <= LONGITUDE_LIMIT
            and -LATITUDE_LIMIT <= latitude <= LATITUDE_LIMIT):
        raise ValueError("a point beyond the map")
    point.longitude = longitude
    point.latitude = latitude
    return 0


cdef list areas_of(const Shape *shape):
    cdef ScoreRange[GEO_AREAS_MAX] areas
    cdef int i
    return [(areas[i].low, areas[i].high) for i in range(geo_areas(shape, areas))]


cdef object distance_or_none(const Shape *shape, uint64_t score):
    cdef double distance = geo_distance_within(shape, geo_decode(score))
    return distance if distance >= 0 else None


def encode(double longitude, double latitude):
    """The score of a point in degrees; ValueError beyond the map."""
    cdef Point point
    set_point(&point, longitude, latitude)
    return geo_encode(point)


def decode(uint64_t score):
    """Longitude and latitude that a score of 52 bits stands for, in degrees."""
    cdef Point point = geo_decode(score)
    return point.longitude, point.latitude


def text(uint64_t score):
    """The common geohash of a score, in eleven letters."""
    cdef char[TEXT_SIZE] letters
    geo_text(score, letters)
    return PyBytes_FromStringAndSize(letters, TEXT_SIZE)


def distance(double longitude, double latitude, double other_longitude, double other_latitude):
    """The distance of two points in metres."""
    cdef Point one, other
    set_point(&one, longitude, latitude)
    set_point(&other, other_longitude, other_latitude)
    return geo_distance(one, other)


def circle_areas(double longitude, double latitude, double radius_m):
    """Ranges of scores (low, and the first above) that hold every point in a circle."""
    cdef Shape shape
    set_point(&shape.centre, longitude, latitude)
    shape.radius_m = radius_m
    return areas_of(&shape)


def box_areas(double longitude, double latitude, double width_m, double height_m):
    """Ranges of scores (low, and the first above) that hold every point in a box."""
    cdef Shape shape
    set_point(&shape.centre, longitude, latitude)
    shape.radius_m = -1
    shape.width_m = width_m
    shape.height_m = height_m
    return areas_of(&shape)


def distance_in_circle(double longitude, double latitude, double radius_m, uint64_t score):
    """The distance in metres of a score's point from the centre, None outside the circle."""
    cdef Shape shape
    set_point(&shape.centre, longitude, latitude)
    shape.radius_m = radius_m
    return distance_or_none(&shape, score)


def distance_in_box(
    double longitude, double latitude, double width_m, double height_m, uint64_t score
):
    """The distance in metres of a score's point from the centre, None outside the box."""
    cdef Shape shape
    set_point(&shape.centre, longitude, latitude)
    shape.radius_m = -1
    shape.width_m = width_m
    shape.height_m = height_m
    return distance_or_none(&shape, score)
