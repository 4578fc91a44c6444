"""Commands of the group *sorted-set* that combine sorted sets: union, intersection, difference.

Sets may take part; their members have the score 1. A key that is missing is empty. All keys are
looked up before the options are read, so that one of another type is an error in any case.
"""

from __future__ import annotations

from balas.commands.sorted_set_ranges import store_result
from balas.engine.context import Context
from balas.errors import SYNTAX, WRONG_TYPE, ReplyError
from balas.protocol.replies import Reply
from balas.registry import Arguments, command, integer, key, key_count
from balas.registry.flags import ACCESS, DENYOOM, OW, READONLY, RO, UPDATE, WRITE
from balas.types.set import Set
from balas.types.sorted_set import SortedSet
from balas.types.sorted_set_algebra import (
    difference,
    intersection,
    intersection_size,
    sorted_set_of,
    union,
)

INT64_MAX = 2**63 - 1
AGGREGATES = {b"SUM": 0, b"MIN": 1, b"MAX": 2}

Sources = list[Set | SortedSet | None]
Scored = list[tuple[float, bytes]]


class Operation:
    """The keys and options of a command that combines sorted sets.

    Attributes:
        sources: what stands at the keys.
        weights: for each what its scores are multiplied with.
        aggregate: 0, 1, 2: the scores of a member are added, or the least or greatest is taken.
        scores: whether the reply has scores.
        limit: how many members are counted, 0 for all.
    """

    def __init__(self, ctx: Context, name: str, numkeys: bytes, rest: tuple[bytes, ...]) -> None:
        count = integer(numkeys)
        if count < 1:
            raise ReplyError(f"ERR at least 1 input key is needed for '{name}' command")
        if count > len(rest):
            raise ReplyError(SYNTAX)
        self.sources: Sources = [look_up(ctx, key) for key in rest[:count]]
        self.arguments = Arguments(rest[count:])
        self.weights = [1.0] * count
        self.aggregate = 0
        self.scores = False
        self.limit = 0

    def read(self, weighed: bool, shown: bool) -> Operation:
        """Read the options: those of weights and of what a reply shows only if they are allowed."""
        arguments = self.arguments
        while arguments.more:
            word = arguments.take().upper()
            if word == b"WEIGHTS" and weighed and arguments.left >= len(self.sources):
                error = "ERR weight value is not a float"
                self.weights = [arguments.take_float(error) for _ in self.sources]
            elif word == b"AGGREGATE" and weighed and arguments.more:
                found = AGGREGATES.get(arguments.take().upper())
                if found is None:
                    raise ReplyError(SYNTAX)
                self.aggregate = found
            elif word == b"WITHSCORES" and shown:
                self.scores = True
            else:
                raise ReplyError(SYNTAX)
        return self

    def read_limit(self) -> Operation:
        """Read the options of ZINTERCARD."""
        while self.arguments.more:
            if not self.arguments.eat(b"LIMIT") or not self.arguments.more:
                raise ReplyError(SYNTAX)
            self.limit = self.arguments.take_int(0, INT64_MAX, "ERR LIMIT can't be negative")
        return self

    def united(self) -> Scored:
        """What any of the sources has."""
        return union(self.sources, self.weights, self.aggregate)

    def common(self) -> Scored:
        """What all of the sources have."""
        return intersection(self.sources, self.weights, self.aggregate)

    def different(self) -> Scored:
        """What only the first source has."""
        return difference(self.sources)


def look_up(ctx: Context, key: bytes) -> Set | SortedSet | None:
    """The set or sorted set at a key."""
    found = ctx.read_any(key)
    if found is None or isinstance(found, Set | SortedSet):
        return found
    raise ReplyError(WRONG_TYPE)


def show(ctx: Context, operation: Operation, found: Scored) -> Reply:
    """Members for a reply, with their scores if these were asked for."""
    if not operation.scores:
        return [member for _, member in found]
    if ctx.resp > 2:
        return [[member, score] for score, member in found]
    return [item for score, member in found for item in (member, score)]


def store(ctx: Context, destination: bytes, found: Scored, event: str) -> int:
    """Store members with their scores; how many there are."""
    made = sorted_set_of(found, ctx.limits) if found else None
    return store_result(ctx, destination, made, event)


# --- for a reply ----------------------------------------------------------------------------------


@command(
    "ZUNION",
    arity=-3,
    flags=READONLY,
    keys=key_count(1, RO | ACCESS),
    group="sorted-set",
    since="6.2.0",
)
def zunion(ctx: Context, numkeys: bytes, *rest: bytes) -> Reply:
    """ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX] \
[WITHSCORES]

    Return the members that any of the sorted sets has. Their scores are multiplied with the weight
    of the sorted set and added up, unless AGGREGATE takes the least or the greatest.
    """
    operation = Operation(ctx, "zunion", numkeys, rest).read(True, True)
    return show(ctx, operation, operation.united())


@command(
    "ZINTER",
    arity=-3,
    flags=READONLY,
    keys=key_count(1, RO | ACCESS),
    group="sorted-set",
    since="6.2.0",
)
def zinter(ctx: Context, numkeys: bytes, *rest: bytes) -> Reply:
    """ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX] \
[WITHSCORES]

    Return the members that all the sorted sets have, with scores as ZUNION makes them.
    """
    operation = Operation(ctx, "zinter", numkeys, rest).read(True, True)
    return show(ctx, operation, operation.common())


@command(
    "ZDIFF",
    arity=-3,
    flags=READONLY,
    keys=key_count(1, RO | ACCESS),
    group="sorted-set",
    since="6.2.0",
)
def zdiff(ctx: Context, numkeys: bytes, *rest: bytes) -> Reply:
    """ZDIFF numkeys key [key ...] [WITHSCORES]

    Return the members of the first sorted set that none of the others has.
    """
    operation = Operation(ctx, "zdiff", numkeys, rest).read(False, True)
    return show(ctx, operation, operation.different())


@command(
    "ZINTERCARD",
    arity=-3,
    flags=READONLY,
    keys=key_count(1, RO | ACCESS),
    group="sorted-set",
    since="7.0.0",
)
def zintercard(ctx: Context, numkeys: bytes, *rest: bytes) -> Reply:
    """ZINTERCARD numkeys key [key ...] [LIMIT limit]

    Return how many members all the sorted sets have, counting no further than the limit, if it is
    not 0.
    """
    operation = Operation(ctx, "zintercard", numkeys, rest).read_limit()
    return intersection_size(operation.sources, operation.limit)


# --- to be stored ---------------------------------------------------------------------------------

STORING = (key(1, OW | UPDATE), key_count(2, RO | ACCESS))


@command(
    "ZUNIONSTORE",
    arity=-4,
    flags=WRITE | DENYOOM,
    keys=STORING,
    group="sorted-set",
    since="2.0.0",
)
def zunionstore(ctx: Context, destination: bytes, numkeys: bytes, *rest: bytes) -> Reply:
    """ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM \
| MIN | MAX]

    Store what ZUNION finds, and return how many members there are.
    """
    operation = Operation(ctx, "zunionstore", numkeys, rest).read(True, False)
    return store(ctx, destination, operation.united(), "zunionstore")


@command(
    "ZINTERSTORE",
    arity=-4,
    flags=WRITE | DENYOOM,
    keys=STORING,
    group="sorted-set",
    since="2.0.0",
)
def zinterstore(ctx: Context, destination: bytes, numkeys: bytes, *rest: bytes) -> Reply:
    """ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM \
| MIN | MAX]

    Store what ZINTER finds, and return how many members there are.
    """
    operation = Operation(ctx, "zinterstore", numkeys, rest).read(True, False)
    return store(ctx, destination, operation.common(), "zinterstore")


@command(
    "ZDIFFSTORE",
    arity=-4,
    flags=WRITE | DENYOOM,
    keys=STORING,
    group="sorted-set",
    since="6.2.0",
)
def zdiffstore(ctx: Context, destination: bytes, numkeys: bytes, *rest: bytes) -> Reply:
    """ZDIFFSTORE destination numkeys key [key ...]

    Store what ZDIFF finds, and return how many members there are.
    """
    operation = Operation(ctx, "zdiffstore", numkeys, rest).read(False, False)
    return store(ctx, destination, operation.different(), "zdiffstore")
