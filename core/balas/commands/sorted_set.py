"""Commands of the group *sorted-set* on single members: sorted_set_ranges.py has those on ranges,
sorted_set_popping.py those that take members out, sorted_set_operations.py unions and the like.

A sorted set goes when its last member does.
"""

from __future__ import annotations

from balas.commands.generic import scan_cursor
from balas.commands.set import scan_options
from balas.engine.context import Context
from balas.errors import OUT_OF_RANGE, SYNTAX, ReplyError
from balas.protocol.replies import NULL_ARRAY, Reply
from balas.registry import bounded, command, key, number
from balas.registry.flags import (
    ACCESS,
    DELETE,
    DENYOOM,
    FAST,
    READONLY,
    RO,
    RW,
    UPDATE,
    WRITE,
)
from balas.structures.glob import match
from balas.types.sorted_set import ONLY_GREATER, ONLY_LESS, ONLY_NEW, ONLY_OLD, SortedSet

INT64_MAX = 2**63 - 1
# A step of ZSCAN never has to look at more members than this: it would have all of them.
SCAN_COUNT_MAX = 2**48

# What SortedSet.put returns, and the shapes of SortedSet.range.
SAME, UPDATED, ADDED = 0, 1, 2
MEMBERS, FLAT, PAIRS = 0, 1, 2

# ZADD's options beyond those that SortedSet.put knows.
COUNT_CHANGED = 16
INCREASE = 32
ADD_OPTIONS = {
    b"NX": ONLY_NEW,
    b"XX": ONLY_OLD,
    b"GT": ONLY_GREATER,
    b"LT": ONLY_LESS,
    b"CH": COUNT_CHANGED,
    b"INCR": INCREASE,
}


def with_scores(ctx: Context) -> int:
    """The shape of members with scores in a reply: pairs where the protocol tells them apart."""
    return FLAT if ctx.resp == 2 else PAIRS


# --- adding ---------------------------------------------------------------------------------------


@command(
    "ZADD",
    arity=-4,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | UPDATE),
    group="sorted-set",
    since="1.2.0",
)
def zadd(ctx: Context, key: bytes, *arguments: bytes) -> Reply:
    """ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]

    Set the scores of members of a sorted set, which is made if it is missing, and return how many
    are new. NX leaves members alone that are there, XX those that are not, GT and LT those whose
    score would not become greater or less. CH counts those whose score has changed, too. INCR adds
    to the score of one member and returns it.
    """
    # Most add one member without an option; options begin with letters.
    if len(arguments) == 2 and arguments[0] <= b":":
        return add_one(ctx, key, number(arguments[0]), arguments[1])
    return add(ctx, key, arguments, 0, False)


def add_one(ctx: Context, key: bytes, score: float, member: bytes) -> Reply:
    """ZADD of one member without options: 1 if it is new, otherwise 0."""
    found: SortedSet | None = ctx.write(key, SortedSet)
    target: SortedSet = SortedSet() if found is None else found
    target.prepare(1, len(member), ctx.limits)
    outcome = target.put(member, score, 0, ctx.limits)
    if found is None:
        ctx.store(key, target)
    if outcome != SAME:
        ctx.changed_by(key, "zadd", 1)
    return 1 if outcome == ADDED else 0


@command(
    "ZINCRBY",
    arity=4,
    flags=WRITE | DENYOOM | FAST,
    keys=key(1, RW | ACCESS | UPDATE),
    group="sorted-set",
    since="1.2.0",
)
def zincrby(ctx: Context, key: bytes, increment: bytes, member: bytes) -> Reply:
    """ZINCRBY key increment member

    Add to the score of a member, 0 if it is missing, and return it.
    """
    return add(ctx, key, (increment, member), INCREASE, False)


def add(
    ctx: Context, key: bytes, arguments: tuple[bytes, ...], options: int, translated: bool
) -> Reply:
    """What ZADD and ZINCRBY do; `translated` says that the command was another one, and is to be
    recorded as ZADD.
    """
    first = 0
    # A number begins below the letters.
    while first < len(arguments) and arguments[first] > b":":
        option = ADD_OPTIONS.get(arguments[first].upper())
        if option is None:
            break
        options |= option
        first += 1
    check_options(options, len(arguments) - first)
    scores = [number(arguments[i]) for i in range(first, len(arguments), 2)]
    found: SortedSet | None = ctx.write(key, SortedSet)
    if found is None and options & ONLY_OLD:
        return None if options & INCREASE else 0
    target: SortedSet = SortedSet() if found is None else found
    target.prepare(len(scores), len(arguments[first + 1]), ctx.limits)
    if options & INCREASE:
        return increase(ctx, key, arguments[first + 1], scores[0], options, target, found is None)
    allowed = options & (ONLY_NEW | ONLY_OLD | ONLY_GREATER | ONLY_LESS)
    added = 0
    updated = 0
    place = first + 1
    for score in scores:
        outcome = target.put(arguments[place], score, allowed, ctx.limits)
        if outcome == ADDED:
            added += 1
        elif outcome == UPDATED:
            updated += 1
        place += 2
    if found is None:
        ctx.store(key, target)
    if translated and added + updated > 0:
        ctx.record(b"ZADD", key, *arguments)
    if added + updated:
        ctx.changed_by(key, "zadd", added + updated)
    return added + updated if options & COUNT_CHANGED else added


def check_options(options: int, left: int) -> None:
    """Errors of options that do not go together, or that so many arguments do not suit."""
    if left == 0 or left % 2:
        raise ReplyError(SYNTAX)
    if options == 0:
        return
    if options & ONLY_NEW and options & ONLY_OLD:
        raise ReplyError("ERR XX and NX options at the same time are not compatible")
    if (options & (ONLY_GREATER | ONLY_LESS | ONLY_NEW)).bit_count() > 1:
        raise ReplyError("ERR GT, LT, and/or NX options at the same time are not compatible")
    if options & INCREASE and left > 2:
        raise ReplyError("ERR INCR option supports a single increment-element pair")


def increase(
    ctx: Context,
    key: bytes,
    member: bytes,
    by: float,
    options: int,
    target: SortedSet,
    is_new: bool,
) -> Reply:
    """Add to the score of one member of a sorted set, which is stored if it is new."""
    try:
        outcome, score = target.increase(member, by, options, ctx.limits)
    except ValueError:
        raise ReplyError("ERR resulting score is not a number (NaN)") from None
    if is_new:
        ctx.store(key, target)
    if outcome in (ADDED, UPDATED):
        ctx.changed(key, "zincr")
    return score


# --- removing -------------------------------------------------------------------------------------


@command(
    "ZREM",
    arity=-3,
    flags=WRITE | FAST,
    keys=key(1, RW | DELETE),
    group="sorted-set",
    since="1.2.0",
)
def zrem(ctx: Context, key: bytes, *members: bytes) -> Reply:
    """ZREM key member [member ...]

    Remove members from a sorted set, and return how many were there.
    """
    found: SortedSet | None = ctx.write(key, SortedSet)
    if found is None:
        return 0
    removed = 0
    for member in members:
        if found.discard(member):
            removed += 1
            if found.length() == 0:
                break
    if removed:
        tell_removed(ctx, key, found, "zrem", removed)
    return removed


def tell_removed(ctx: Context, key: bytes, found: SortedSet, event: str, count: int) -> None:
    """Report that members have been removed from a sorted set, and delete it if it is empty."""
    ctx.changed_by(key, event, count)
    if found.length() == 0:
        ctx.delete(key)
        ctx.changed_too(key, "del")


# --- reading --------------------------------------------------------------------------------------


@command(
    "ZCARD", arity=2, flags=READONLY | FAST, keys=key(1, RO), group="sorted-set", since="1.2.0"
)
def zcard(ctx: Context, key: bytes) -> Reply:
    """ZCARD key

    Return how many members a sorted set has, 0 if it is missing.
    """
    found: SortedSet | None = ctx.read(key, SortedSet)
    return found.length() if found is not None else 0


@command(
    "ZSCORE",
    arity=3,
    flags=READONLY | FAST,
    keys=key(1, RO | ACCESS),
    group="sorted-set",
    since="1.2.0",
)
def zscore(ctx: Context, key: bytes, member: bytes) -> Reply:
    """ZSCORE key member

    Return the score of a member.
    """
    found: SortedSet | None = ctx.read(key, SortedSet)
    return found.score(member) if found is not None else None


@command(
    "ZMSCORE",
    arity=-3,
    flags=READONLY | FAST,
    keys=key(1, RO | ACCESS),
    group="sorted-set",
    since="6.2.0",
)
def zmscore(ctx: Context, key: bytes, *members: bytes) -> Reply:
    """ZMSCORE key member [member ...]

    Return the score of each member, null for one that is missing.
    """
    found: SortedSet | None = ctx.read(key, SortedSet)
    if found is None:
        return [None] * len(members)
    return [found.score(member) for member in members]


@command(
    "ZRANK",
    arity=-3,
    flags=READONLY | FAST,
    keys=key(1, RO | ACCESS),
    group="sorted-set",
    since="2.0.0",
)
def zrank(ctx: Context, key: bytes, member: bytes, *options: bytes) -> Reply:
    """ZRANK key member [WITHSCORE]

    Return how many members come before this one, and its score if that is asked for.
    """
    return rank(ctx, key, member, options, False)


@command(
    "ZREVRANK",
    arity=-3,
    flags=READONLY | FAST,
    keys=key(1, RO | ACCESS),
    group="sorted-set",
    since="2.0.0",
)
def zrevrank(ctx: Context, key: bytes, member: bytes, *options: bytes) -> Reply:
    """ZREVRANK key member [WITHSCORE]

    Return how many members come after this one, and its score if that is asked for.
    """
    return rank(ctx, key, member, options, True)


def rank(
    ctx: Context, key: bytes, member: bytes, options: tuple[bytes, ...], reverse: bool
) -> Reply:
    """What ZRANK and ZREVRANK do."""
    if len(options) > 1:
        name = "zrevrank" if reverse else "zrank"
        raise ReplyError(f"ERR wrong number of arguments for '{name}' command")
    if options and options[0].upper() != b"WITHSCORE":
        raise ReplyError(SYNTAX)
    found: SortedSet | None = ctx.read(key, SortedSet)
    place = found.rank(member) if found is not None else -1
    if found is None or place < 0:
        return NULL_ARRAY if options else None
    if reverse:
        place = found.length() - 1 - place
    return [place, found.score(member)] if options else place


@command(
    "ZRANDMEMBER",
    arity=-2,
    flags=READONLY,
    keys=key(1, RO | ACCESS),
    group="sorted-set",
    since="6.2.0",
)
def zrandmember(ctx: Context, key: bytes, *options: bytes) -> Reply:
    """ZRANDMEMBER key [count [WITHSCORES]]

    Return a member by chance; with a count, up to so many different ones, or with a negative one
    exactly so many of which some may be the same.
    """
    if not options:
        one: SortedSet | None = ctx.read(key, SortedSet)
        return one.random(ctx.rng.getrandbits(64)) if one is not None else None
    wanted = bounded(options[0], -INT64_MAX, INT64_MAX)
    if len(options) > 2 or (len(options) == 2 and options[1].upper() != b"WITHSCORES"):
        raise ReplyError(SYNTAX)
    shape = MEMBERS
    if len(options) == 2:
        shape = with_scores(ctx)
        if abs(wanted) > INT64_MAX // 2:
            raise ReplyError(OUT_OF_RANGE)
    found: SortedSet | None = ctx.read(key, SortedSet)
    if found is None:
        return []
    chance = ctx.rng.getrandbits(64)
    if wanted >= 0:
        return found.sample(wanted, chance, shape)
    return found.randoms(-wanted, chance, shape)


@command(
    "ZSCAN", arity=-3, flags=READONLY, keys=key(1, RO | ACCESS), group="sorted-set", since="2.8.0"
)
def zscan(ctx: Context, key: bytes, cursor: bytes, *options: bytes) -> Reply:
    """ZSCAN key cursor [MATCH pattern] [COUNT count]

    Return the next cursor, 0 at the end, and some members, each with its score after it. Who begins
    with cursor 0 and goes on to the end gets every member that is there all the while, some perhaps
    more than once.
    """
    position = scan_cursor(cursor)
    found: SortedSet | None = ctx.read(key, SortedSet)
    if found is None:
        return [b"0", []]
    pattern, count = scan_options(options)
    following, items = found.scan(position, min(count, SCAN_COUNT_MAX))
    if pattern is not None:
        kept = []
        for i in range(0, len(items), 2):
            if match(pattern, items[i]):
                kept.append(items[i])
                kept.append(items[i + 1])
        items = kept
    return [b"%d" % following, items]
