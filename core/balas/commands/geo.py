"""Commands of the group *geo* on single places; geo_search.py has those that search around one.

Places are members of a sorted set whose scores are geohashes of 52 bits.
"""

from __future__ import annotations

from balas.commands.sorted_set import ADD_OPTIONS, add
from balas.engine.context import Context
from balas.errors import SYNTAX, ReplyError
from balas.protocol.replies import NULL_ARRAY, Reply
from balas.registry import command, key, number
from balas.registry.flags import ACCESS, DENYOOM, READONLY, RO, RW, UPDATE, WRITE
from balas.structures.geohash import LATITUDE_MAX, LONGITUDE_MAX, decode, distance, encode, text
from balas.types.sorted_set import ONLY_NEW, ONLY_OLD, SortedSet

# Metres of each unit.
UNITS_M = {b"M": 1.0, b"KM": 1000.0, b"FT": 0.3048, b"MI": 1609.34}
NO_UNIT = "ERR unsupported unit provided. please use M, KM, FT, MI"


def unit_m(name: bytes) -> float:
    """How many metres a unit has."""
    found = UNITS_M.get(name.upper())
    if found is None:
        raise ReplyError(NO_UNIT)
    return found


def point(longitude: bytes, latitude: bytes) -> tuple[float, float]:
    """Longitude and latitude in degrees, within the limits of the map."""
    east, north = number(longitude), number(latitude)
    if not (abs(east) <= LONGITUDE_MAX and abs(north) <= LATITUDE_MAX):
        raise ReplyError(f"ERR invalid longitude,latitude pair {east:.6f},{north:.6f}")
    return east, north


def distance_text(distance_m: float) -> bytes:
    """A distance as replies have it, with four digits behind the point."""
    return b"%d.%04d" % divmod(round(distance_m * 10000), 10000)


def point_of(found: SortedSet, member: bytes) -> tuple[float, float] | None:
    """Where a member is, or None."""
    score = found.score(member)
    return None if score is None else decode(int(score))


@command(
    "GEOADD",
    arity=-5,
    flags=WRITE | DENYOOM,
    keys=key(1, RW | UPDATE),
    group="geo",
    since="3.2.0",
)
def geoadd(ctx: Context, key: bytes, *arguments: bytes) -> Reply:
    """GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]

    Set where members are, and return how many are new. NX leaves members alone that are there, XX
    those that are not; CH counts those that have moved, too.
    """
    first = 0
    options = 0
    while first < len(arguments) and arguments[first].upper() in (b"NX", b"XX", b"CH"):
        options |= ADD_OPTIONS[arguments[first].upper()]
        first += 1
    if (len(arguments) - first) % 3 or (options & ONLY_NEW and options & ONLY_OLD):
        raise ReplyError(SYNTAX)
    words = list(arguments[:first])
    for i in range(first, len(arguments), 3):
        east, north = point(arguments[i], arguments[i + 1])
        words += (b"%d" % encode(east, north), arguments[i + 2])
    return add(ctx, key, tuple(words), 0, True)


@command(
    "GEODIST",
    arity=-4,
    flags=READONLY,
    keys=key(1, RO | ACCESS),
    group="geo",
    since="3.2.0",
)
def geodist(ctx: Context, key: bytes, member1: bytes, member2: bytes, *unit: bytes) -> Reply:
    """GEODIST key member1 member2 [M | KM | FT | MI]

    Return how far two members are from each other, in metres or another unit.
    """
    if len(unit) > 1:
        raise ReplyError(SYNTAX)
    scale_m = unit_m(unit[0]) if unit else 1.0
    found: SortedSet | None = ctx.read(key, SortedSet)
    if found is None:
        return None
    one, other = point_of(found, member1), point_of(found, member2)
    if one is None or other is None:
        return None
    return distance_text(distance(one[0], one[1], other[0], other[1]) / scale_m)


@command(
    "GEOHASH",
    arity=-2,
    flags=READONLY,
    keys=key(1, RO | ACCESS),
    group="geo",
    since="3.2.0",
)
def geohash(ctx: Context, key: bytes, *members: bytes) -> Reply:
    """GEOHASH key [member [member ...]]

    Return for each member its geohash in eleven letters, null if it is missing.
    """
    found: SortedSet | None = ctx.read(key, SortedSet)
    if found is None:
        return [None] * len(members)
    scores = [found.score(member) for member in members]
    return [None if score is None else text(int(score)) for score in scores]


@command(
    "GEOPOS",
    arity=-2,
    flags=READONLY,
    keys=key(1, RO | ACCESS),
    group="geo",
    since="3.2.0",
)
def geopos(ctx: Context, key: bytes, *members: bytes) -> Reply:
    """GEOPOS key [member [member ...]]

    Return for each member longitude and latitude in degrees, null if it is missing.
    """
    found: SortedSet | None = ctx.read(key, SortedSet)
    if found is None:
        return [NULL_ARRAY] * len(members)
    places = [point_of(found, member) for member in members]
    return [NULL_ARRAY if place is None else list(place) for place in places]
