"""Commands of the group *geo* that search for places around another one, and may store them.

The sorted set is looked up before anything is read of the options, so that a key of another type is
the first error; what a member's place is asked for is an error where the option stands.
"""

from __future__ import annotations

from balas.commands.geo import distance_text, point, point_of, unit_m
from balas.commands.sorted_set_ranges import store_result
from balas.engine.context import Context
from balas.errors import SYNTAX, ReplyError
from balas.protocol.replies import Reply
from balas.registry import Arguments, command, key, number
from balas.registry.flags import ACCESS, DENYOOM, OW, READONLY, RO, UPDATE, WRITE
from balas.structures.geohash import decode
from balas.types.sorted_set import SortedSet
from balas.types.sorted_set_algebra import sorted_set_of
from balas.types.sorted_set_places import places_within

NO_PLACE = "ERR could not decode requested zset member"

# Distance from the centre in metres, member, score.
Place = tuple[float, bytes, float]


class Search:
    """What is searched for, and what is to become of it."""

    def __init__(self, name: str, found: SortedSet | None, arguments: Arguments) -> None:
        self.name = name
        self.found = found
        self.arguments = arguments
        self.centre: tuple[float, float] | None = None
        # Negative until a radius is given; for a box it stays so.
        self.radius_m = -1.0
        self.width_m = self.height_m = 0.0
        self.scale_m = 1.0
        self.has_shape = False
        self.is_box = False
        self.from_member = self.from_point = False
        self.with_distance = self.with_hash = self.with_point = False
        self.descending: bool | None = None
        self.count = 0
        self.any = False
        self.destination: bytes | None = None
        self.store_distance = False

    # --- where ------------------------------------------------------------------------------------

    def take_point(self) -> None:
        """Longitude and latitude of the centre."""
        self.centre = point(self.arguments.take(), self.arguments.take())

    def take_member(self) -> None:
        """The member that is the centre; where there is no sorted set, that does not matter."""
        member = self.arguments.take()
        if self.found is None:
            return
        self.centre = point_of(self.found, member)
        if self.centre is None:
            raise ReplyError(NO_PLACE)

    def take_radius(self) -> None:
        """A radius and its unit."""
        radius = number(self.arguments.take(), "ERR need numeric radius")
        if radius < 0:
            raise ReplyError("ERR radius cannot be negative")
        self.scale_m = unit_m(self.arguments.take())
        self.radius_m = radius * self.scale_m
        self.has_shape = True

    def take_box(self) -> None:
        """Width, height and their unit."""
        width = number(self.arguments.take(), "ERR need numeric width")
        height = number(self.arguments.take(), "ERR need numeric height")
        if width < 0 or height < 0:
            raise ReplyError("ERR height or width cannot be negative")
        self.scale_m = unit_m(self.arguments.take())
        self.width_m, self.height_m = width * self.scale_m, height * self.scale_m
        self.has_shape = self.is_box = True

    # --- options ----------------------------------------------------------------------------------

    def read(self, searching: bool, storing: bool) -> None:
        """Read the options: of GEOSEARCH if `searching`, else of GEORADIUS; STORE and STOREDIST or
        the latter's like only if `storing`.
        """
        while self.arguments.more:
            word = self.arguments.take().upper()
            if not (
                self.read_common(word)
                or (searching and self.read_shape(word))
                or (storing and self.read_store(word, searching))
            ):
                raise ReplyError(SYNTAX)

    def read_common(self, word: bytes) -> bool:
        """Take an option that all commands have; False if it is none."""
        if word == b"WITHDIST":
            self.with_distance = True
        elif word == b"WITHHASH":
            self.with_hash = True
        elif word == b"WITHCOORD":
            self.with_point = True
        elif word == b"ANY":
            self.any = True
        elif word in (b"ASC", b"DESC"):
            self.descending = word == b"DESC"
        elif word == b"COUNT" and self.arguments.more:
            self.count = self.arguments.take_int()
            if self.count <= 0:
                raise ReplyError("ERR COUNT must be > 0")
        else:
            return False
        return True

    def read_shape(self, word: bytes) -> bool:
        """Take an option of GEOSEARCH that tells where; False if it is none."""
        left = self.arguments.left
        if word == b"FROMMEMBER" and left >= 1 and not self.from_point:
            self.take_member()
            self.from_member = True
        elif word == b"FROMLONLAT" and left >= 2 and not self.from_member:
            self.take_point()
            self.from_point = True
        elif word == b"BYRADIUS" and left >= 2 and not self.is_box:
            self.take_radius()
        elif word == b"BYBOX" and left >= 3 and (self.is_box or not self.has_shape):
            self.take_box()
        else:
            return False
        return True

    def read_store(self, word: bytes, searching: bool) -> bool:
        """Take an option that tells what to store; False if it is none."""
        if searching:
            self.store_distance = self.store_distance or word == b"STOREDIST"
            return word == b"STOREDIST"
        if word not in (b"STORE", b"STOREDIST") or not self.arguments.more:
            return False
        self.destination = self.arguments.take()
        self.store_distance = word == b"STOREDIST"
        return True

    def check(self, searching: bool) -> None:
        """Errors of options that do not go together, or are not there."""
        if self.destination is not None and (
            self.with_distance or self.with_hash or self.with_point
        ):
            what = "GEOSEARCHSTORE" if searching else "STORE option in GEORADIUS"
            raise ReplyError(
                f"ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )
        if searching and not (self.from_member or self.from_point):
            raise ReplyError(
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + self.name
            )
        if searching and not self.has_shape:
            raise ReplyError(
                "ERR exactly one of BYRADIUS and BYBOX can be specified for " + self.name
            )
        if self.any and not self.count:
            raise ReplyError("ERR the ANY argument requires COUNT argument")

    # --- results ----------------------------------------------------------------------------------

    def places(self) -> list[Place]:
        """What is found, in the order that was asked for."""
        if self.found is None or self.centre is None:
            return []
        found = places_within(
            self.found,
            self.centre[0],
            self.centre[1],
            self.radius_m,
            self.width_m,
            self.height_m,
            self.count if self.any else 0,
        )
        if self.descending is not None or (self.count and not self.any):
            found.sort(key=distance_of, reverse=bool(self.descending))
        return found[: self.count] if self.count else found

    def show(self, place: Place) -> Reply:
        """One place for a reply."""
        distance_m, member, score = place
        if not (self.with_distance or self.with_hash or self.with_point):
            return member
        shown: list[Reply] = [member]
        if self.with_distance:
            shown.append(distance_text(distance_m / self.scale_m))
        if self.with_hash:
            shown.append(int(score))
        if self.with_point:
            shown.append(list(decode(int(score))))
        return shown

    def store(self, ctx: Context, destination: bytes, event: str) -> int:
        """Store what is found, by geohash or by distance; how many places there are."""
        places = self.places()
        if not places:
            return store_result(ctx, destination, None, event)
        if self.store_distance:
            pairs = [(distance_m / self.scale_m, member) for distance_m, member, _ in places]
        else:
            pairs = [(score, member) for _, member, score in places]
        ctx.store(destination, sorted_set_of(sorted(pairs), ctx.limits))
        ctx.changed_by(destination, event, len(places))
        return len(places)


def distance_of(place: Place) -> float:
    """What results are sorted by."""
    return place[0]


def finish(ctx: Context, search: Search, event: str) -> Reply:
    """Store what is found, or show it."""
    if search.destination is not None:
        return search.store(ctx, search.destination, event)
    return [search.show(place) for place in search.places()]


# --- GEOSEARCH ------------------------------------------------------------------------------------


@command(
    "GEOSEARCH",
    arity=-7,
    flags=READONLY,
    keys=key(1, RO | ACCESS),
    group="geo",
    since="6.2.0",
)
def geosearch(ctx: Context, key: bytes, *options: bytes) -> Reply:
    """GEOSEARCH key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M | KM \
| FT | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] \
[WITHDIST] [WITHHASH]

    Return the members within a circle or a box around another member or a point, the nearest first
    with ASC. COUNT asks for so many of the nearest, with ANY for any so many.
    """
    search = Search("GEOSEARCH", ctx.read(key, SortedSet), Arguments(options))
    search.read(True, False)
    search.check(True)
    return finish(ctx, search, "geosearch")


@command(
    "GEOSEARCHSTORE",
    arity=-8,
    flags=WRITE | DENYOOM,
    keys=(key(1, OW | UPDATE), key(2, RO | ACCESS)),
    group="geo",
    since="6.2.0",
)
def geosearchstore(ctx: Context, destination: bytes, source: bytes, *options: bytes) -> Reply:
    """GEOSEARCHSTORE destination source <FROMMEMBER member | FROMLONLAT longitude latitude> \
<BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT \
count [ANY]] [STOREDIST]

    Store what GEOSEARCH finds, with STOREDIST by the distance from the centre in place of the
    geohash, and return how many members there are.
    """
    search = Search("GEOSEARCHSTORE", ctx.read(source, SortedSet), Arguments(options))
    search.destination = destination
    search.read(True, True)
    search.check(True)
    return finish(ctx, search, "geosearchstore")


# --- GEORADIUS ------------------------------------------------------------------------------------


def radius_search(
    ctx: Context,
    found: SortedSet | None,
    where: tuple[bytes, ...],
    rest: tuple[bytes, ...],
    storing: bool,
) -> Reply:
    """What the four GEORADIUS do around a point or, if that is one word, a member."""
    search = Search("GEORADIUS", found, Arguments((*where, *rest)))
    if len(where) == 4:
        search.take_point()
        search.take_radius()
    elif found is None:
        # Nothing can be found, but the options still say what is to be replied or deleted.
        search.arguments = Arguments(rest)
    else:
        search.take_member()
        search.take_radius()
    search.read(False, storing)
    search.check(False)
    return finish(ctx, search, "georadiusstore")


@command(
    "GEORADIUS",
    arity=-6,
    flags=WRITE | DENYOOM,
    keys=(
        key(1, RO | ACCESS),
        key(0, OW | UPDATE).after("STORE", 6),
        key(0, OW | UPDATE).after("STOREDIST", 6),
    ),
    group="geo",
    since="3.2.0",
)
def georadius(
    ctx: Context,
    key: bytes,
    longitude: bytes,
    latitude: bytes,
    radius: bytes,
    unit: bytes,
    *options: bytes,
) -> Reply:
    """GEORADIUS key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] \
[WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]

    Return the members within a circle around a point, or store them.
    """
    where = (longitude, latitude, radius, unit)
    return radius_search(ctx, ctx.read(key, SortedSet), where, options, True)


@command(
    "GEORADIUS_RO",
    arity=-6,
    flags=READONLY,
    keys=key(1, RO | ACCESS),
    group="geo",
    since="3.2.10",
)
def georadius_ro(
    ctx: Context,
    key: bytes,
    longitude: bytes,
    latitude: bytes,
    radius: bytes,
    unit: bytes,
    *options: bytes,
) -> Reply:
    """GEORADIUS_RO key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] \
[WITHHASH] [COUNT count [ANY]] [ASC | DESC]

    Return the members within a circle around a point.
    """
    where = (longitude, latitude, radius, unit)
    return radius_search(ctx, ctx.read(key, SortedSet), where, options, False)


@command(
    "GEORADIUSBYMEMBER",
    arity=-5,
    flags=WRITE | DENYOOM,
    keys=(
        key(1, RO | ACCESS),
        key(0, OW | UPDATE).after("STORE", 5),
        key(0, OW | UPDATE).after("STOREDIST", 5),
    ),
    group="geo",
    since="3.2.0",
)
def georadiusbymember(
    ctx: Context, key: bytes, member: bytes, radius: bytes, unit: bytes, *options: bytes
) -> Reply:
    """GEORADIUSBYMEMBER key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH] \
[COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]

    Return the members within a circle around one of them, or store them.
    """
    where = (member, radius, unit)
    return radius_search(ctx, ctx.read(key, SortedSet), where, options, True)


@command(
    "GEORADIUSBYMEMBER_RO",
    arity=-5,
    flags=READONLY,
    keys=key(1, RO | ACCESS),
    group="geo",
    since="3.2.10",
)
def georadiusbymember_ro(
    ctx: Context, key: bytes, member: bytes, radius: bytes, unit: bytes, *options: bytes
) -> Reply:
    """GEORADIUSBYMEMBER_RO key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] \
[WITHHASH] [COUNT count [ANY]] [ASC | DESC]

    Return the members within a circle around one of them.
    """
    where = (member, radius, unit)
    return radius_search(ctx, ctx.read(key, SortedSet), where, options, False)
