"""Commands of the group *sorted-set* on ranges: of ranks, of scores, of members of equal scores.

Every range becomes one of ranks, from `start` to before `stop`, as soon as the sorted set is there:
so LIMIT costs nothing, and a range is counted without being walked.
"""

from __future__ import annotations

from balas.commands.sorted_set import MEMBERS, PAIRS, tell_removed, with_scores
from balas.engine.context import Context
from balas.errors import SYNTAX, ReplyError
from balas.protocol.replies import Reply
from balas.registry import Arguments, command, integer, key
from balas.registry.flags import (
    ACCESS,
    DELETE,
    DENYOOM,
    FAST,
    OW,
    READONLY,
    RO,
    RW,
    UPDATE,
    WRITE,
)
from balas.structures.numbers import parse_float
from balas.types.sorted_set import SortedSet

# What a range is of; UNTOLD leaves it to the options.
UNTOLD, RANKS, SCORES, TEXTS = 0, 1, 2, 3

# An end of a range of members: before (-1) or behind (1) all; or 0, a member, whether it is left
# out.
LOWEST = (-1, b"", False)
HIGHEST = (1, b"", False)

USUAL_DIGITS = frozenset(b"+-.0123456789eE")

NOT_A_SCORE = "ERR min or max is not a float"
NOT_A_TEXT = "ERR min or max not valid string range item"
LIMIT_OF_RANKS = (
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX"
)
SCORES_OF_TEXTS = "ERR syntax error, WITHSCORES not supported in combination with BYLEX"


# --- the ends of a range --------------------------------------------------------------------------


def score_end(text: bytes) -> tuple[float, bool]:
    """A score, and whether `(` before it leaves it out."""
    left_out = text.startswith(b"(")
    digits = text[1:] if left_out else text
    score = parse_float(digits)
    if score is None or b"x" in digits or b"X" in digits:
        score = unusual_score(digits)
    return score, left_out


def unusual_score(digits: bytes) -> float:
    """An end that ZADD does not take for a score: one too large for a double is infinite, one too
    small is 0, as nothing at all is. What stands behind a zero byte does not count.
    """
    digits = digits.partition(b"\0")[0]
    if not digits:
        return 0.0
    if not USUAL_DIGITS.issuperset(digits):
        raise ReplyError(NOT_A_SCORE)
    try:
        return float(digits)
    except ValueError:
        raise ReplyError(NOT_A_SCORE) from None


def text_end(text: bytes) -> tuple[int, bytes, bool]:
    """Where among all members (-1, 1: before and behind all), a member, whether it is left out."""
    if text == b"-":
        return LOWEST
    if text == b"+":
        return HIGHEST
    if not text.startswith((b"(", b"[")):
        raise ReplyError(NOT_A_TEXT)
    return 0, text[1:], text.startswith(b"(")


def scores_between(
    found: SortedSet, low: tuple[float, bool], high: tuple[float, bool]
) -> tuple[int, int]:
    """The ranks of scores between two ends."""
    return (
        found.count_scores(low[0], low[1]),
        found.count_scores(high[0], not high[1]),
    )


def texts_between(
    found: SortedSet, low: tuple[int, bytes, bool], high: tuple[int, bytes, bool]
) -> tuple[int, int]:
    """The ranks of members between two ends."""
    return texts_before(found, low, low[2]), texts_before(found, high, not high[2])


def texts_before(found: SortedSet, end: tuple[int, bytes, bool], inclusive: bool) -> int:
    """How many members stand before an end."""
    if end[0]:
        return found.length() if end[0] > 0 else 0
    return found.count_members(end[1], inclusive)


def ranks_between(length: int, first: int, last: int, reverse: bool) -> tuple[int, int]:
    """The ranks from the first to the last index, both included and negative from the end; counted
    from the last member if `reverse`.
    """
    if first < 0:
        first = max(first + length, 0)
    if last < 0:
        last += length
    last = min(last, length - 1)
    if first > last:
        return 0, 0
    return (length - 1 - last, length - first) if reverse else (first, last + 1)


def limited(start: int, stop: int, reverse: bool, offset: int, count: int) -> tuple[int, int]:
    """What LIMIT leaves of a range of ranks; a negative count leaves all behind the offset."""
    if offset < 0 or start >= stop:
        return 0, 0
    if reverse:
        stop -= offset
        return (max(start, stop - count) if count >= 0 else start), stop
    start += offset
    return start, (min(stop, start + count) if count >= 0 else stop)


# --- ZRANGE and its like --------------------------------------------------------------------------


class Range:
    """What ZRANGE and its like are asked for."""

    def __init__(
        self, low: bytes, high: bytes, kind: int, reverse: bool | None, storing: bool
    ) -> None:
        self.low = low
        self.high = high
        self.kind = kind
        self.reverse = reverse
        self.storing = storing
        self.scores = False
        self.offset = 0
        self.count = -1

    def read(self, options: tuple[bytes, ...]) -> None:
        """Read the options and both ends; the latter are then what the kind of range needs."""
        if options:
            self.read_options(Arguments(options))
        if self.kind == UNTOLD:
            self.kind = RANKS
        if self.count != -1 and self.kind == RANKS:
            raise ReplyError(LIMIT_OF_RANKS)
        if self.scores and self.kind == TEXTS:
            raise ReplyError(SCORES_OF_TEXTS)
        low, high = self.low, self.high
        if self.reverse and self.kind != RANKS:
            low, high = high, low
        if self.kind == RANKS:
            self.first, self.last = integer(low), integer(high)
        elif self.kind == SCORES:
            self.from_score, self.to_score = score_end(low), score_end(high)
        else:
            self.from_text, self.to_text = text_end(low), text_end(high)

    def read_options(self, arguments: Arguments) -> None:
        """Read what stands behind the ends."""
        while arguments.more:
            word = arguments.take().upper()
            if word == b"WITHSCORES" and not self.storing:
                self.scores = True
            elif word == b"LIMIT" and arguments.left >= 2:
                self.offset = arguments.take_int()
                self.count = arguments.take_int()
            elif word == b"REV" and self.reverse is None:
                self.reverse = True
            elif word == b"BYLEX" and self.kind == UNTOLD:
                self.kind = TEXTS
            elif word == b"BYSCORE" and self.kind == UNTOLD:
                self.kind = SCORES
            else:
                raise ReplyError(SYNTAX)

    def ranks(self, found: SortedSet) -> tuple[int, int]:
        """The ranks that are asked for."""
        reverse = bool(self.reverse)
        if self.kind == RANKS:
            return ranks_between(found.length(), self.first, self.last, reverse)
        if self.kind == SCORES:
            start, stop = scores_between(found, self.from_score, self.to_score)
        else:
            start, stop = texts_between(found, self.from_text, self.to_text)
        return limited(start, stop, reverse, self.offset, self.count)


def show_range(
    ctx: Context,
    key: bytes,
    low: bytes,
    high: bytes,
    options: tuple[bytes, ...],
    kind: int,
    reverse: bool | None,
) -> Reply:
    """What ZRANGE and its like reply; the options say what is UNTOLD or None."""
    if kind <= RANKS and len(options) < 2:
        if not options:
            return show_ranks(ctx, key, integer(low), integer(high), bool(reverse), MEMBERS)
        if options[0].upper() == b"WITHSCORES":
            shape = with_scores(ctx)
            return show_ranks(ctx, key, integer(low), integer(high), bool(reverse), shape)
    wanted = Range(low, high, kind, reverse, False)
    wanted.read(options)
    found: SortedSet | None = ctx.read(key, SortedSet)
    if found is None:
        return []
    start, stop = wanted.ranks(found)
    shape = with_scores(ctx) if wanted.scores else MEMBERS
    return found.range(start, stop, bool(wanted.reverse), shape)


def show_ranks(ctx: Context, key: bytes, first: int, last: int, reverse: bool, shape: int) -> Reply:
    """ZRANGE with no other option than WITHSCORES."""
    found: SortedSet | None = ctx.read(key, SortedSet)
    if found is None:
        return []
    start, stop = ranks_between(found.length(), first, last, reverse)
    return found.range(start, stop, reverse, shape)


@command(
    "ZRANGE", arity=-4, flags=READONLY, keys=key(1, RO | ACCESS), group="sorted-set", since="1.2.0"
)
def zrange(ctx: Context, key: bytes, start: bytes, stop: bytes, *options: bytes) -> Reply:
    """ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]

    Return the members from one rank to another, both included; with BYSCORE from one score to
    another, with BYLEX from one member to another. REV begins with the last; for scores and members
    the higher end comes first then.
    """
    return show_range(ctx, key, start, stop, options, UNTOLD, None)


@command(
    "ZREVRANGE",
    arity=-4,
    flags=READONLY,
    keys=key(1, RO | ACCESS),
    group="sorted-set",
    since="1.2.0",
)
def zrevrange(ctx: Context, key: bytes, start: bytes, stop: bytes, *options: bytes) -> Reply:
    """ZREVRANGE key start stop [WITHSCORES]

    Return the members from one rank to another, both counted from the last member.
    """
    return show_range(ctx, key, start, stop, options, RANKS, True)


@command(
    "ZRANGEBYSCORE",
    arity=-4,
    flags=READONLY,
    keys=key(1, RO | ACCESS),
    group="sorted-set",
    since="1.0.5",
)
def zrangebyscore(ctx: Context, key: bytes, low: bytes, high: bytes, *options: bytes) -> Reply:
    """ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]

    Return the members whose scores are between two, which `(` before them leaves out.
    """
    return show_range(ctx, key, low, high, options, SCORES, False)


@command(
    "ZREVRANGEBYSCORE",
    arity=-4,
    flags=READONLY,
    keys=key(1, RO | ACCESS),
    group="sorted-set",
    since="2.2.0",
)
def zrevrangebyscore(ctx: Context, key: bytes, high: bytes, low: bytes, *options: bytes) -> Reply:
    """ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]

    Return the members whose scores are between two, the highest first.
    """
    return show_range(ctx, key, high, low, options, SCORES, True)


@command(
    "ZRANGEBYLEX",
    arity=-4,
    flags=READONLY,
    keys=key(1, RO | ACCESS),
    group="sorted-set",
    since="2.8.9",
)
def zrangebylex(ctx: Context, key: bytes, low: bytes, high: bytes, *options: bytes) -> Reply:
    """ZRANGEBYLEX key min max [LIMIT offset count]

    Return the members between two in the order of bytes, all scores being the same. `[` before one
    includes it, `(` leaves it out; `-` and `+` are before and behind all.
    """
    return show_range(ctx, key, low, high, options, TEXTS, False)


@command(
    "ZREVRANGEBYLEX",
    arity=-4,
    flags=READONLY,
    keys=key(1, RO | ACCESS),
    group="sorted-set",
    since="2.8.9",
)
def zrevrangebylex(ctx: Context, key: bytes, high: bytes, low: bytes, *options: bytes) -> Reply:
    """ZREVRANGEBYLEX key max min [LIMIT offset count]

    Return the members between two in the order of bytes, the last first.
    """
    return show_range(ctx, key, high, low, options, TEXTS, True)


@command(
    "ZRANGESTORE",
    arity=-5,
    flags=WRITE | DENYOOM,
    keys=(key(1, OW | UPDATE), key(2, RO | ACCESS)),
    group="sorted-set",
    since="6.2.0",
)
def zrangestore(
    ctx: Context, destination: bytes, source: bytes, low: bytes, high: bytes, *options: bytes
) -> Reply:
    """ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]

    Store what ZRANGE finds in one sorted set as another, and return how many members there are.
    """
    wanted = Range(low, high, UNTOLD, None, True)
    wanted.read(options)
    found: SortedSet | None = ctx.read(source, SortedSet)
    start, stop = wanted.ranks(found) if found is not None else (0, 0)
    if found is None or start >= min(stop, found.length()):
        return store_result(ctx, destination, None, "zrangestore")
    made: SortedSet = SortedSet()
    made.prepare(stop - start if wanted.kind == RANKS else 0, 0, ctx.limits)
    for member, score in found.range(start, stop, False, PAIRS):
        made.put(member, score, 0, ctx.limits)
    return store_result(ctx, destination, made, "zrangestore")


def store_result(ctx: Context, destination: bytes, result: SortedSet | None, event: str) -> int:
    """Store a sorted set, or delete the key if there is none; the number of members."""
    if result is None:
        if ctx.discard(destination):
            ctx.changed(destination, "del")
        return 0
    ctx.store(destination, result)
    ctx.changed(destination, event)
    return result.length()


# --- counting and removing ------------------------------------------------------------------------


@command(
    "ZCOUNT",
    arity=4,
    flags=READONLY | FAST,
    keys=key(1, RO | ACCESS),
    group="sorted-set",
    since="2.0.0",
)
def zcount(ctx: Context, key: bytes, low: bytes, high: bytes) -> Reply:
    """ZCOUNT key min max

    Return how many members have scores between two, which `(` before them leaves out.
    """
    ends = score_end(low), score_end(high)
    found: SortedSet | None = ctx.read(key, SortedSet)
    if found is None:
        return 0
    start, stop = scores_between(found, ends[0], ends[1])
    return max(stop - start, 0)


@command(
    "ZLEXCOUNT",
    arity=4,
    flags=READONLY | FAST,
    keys=key(1, RO | ACCESS),
    group="sorted-set",
    since="2.8.9",
)
def zlexcount(ctx: Context, key: bytes, low: bytes, high: bytes) -> Reply:
    """ZLEXCOUNT key min max

    Return how many members are between two in the order of bytes, all scores being the same.
    """
    ends = text_end(low), text_end(high)
    found: SortedSet | None = ctx.read(key, SortedSet)
    if found is None:
        return 0
    start, stop = texts_between(found, ends[0], ends[1])
    return max(stop - start, 0)


@command(
    "ZREMRANGEBYRANK",
    arity=4,
    flags=WRITE,
    keys=key(1, RW | DELETE),
    group="sorted-set",
    since="2.0.0",
)
def zremrangebyrank(ctx: Context, key: bytes, start: bytes, stop: bytes) -> Reply:
    """ZREMRANGEBYRANK key start stop

    Remove the members from one rank to another, both included, and return how many there were.
    """
    return remove(ctx, key, start, stop, RANKS, "zremrangebyrank")


@command(
    "ZREMRANGEBYSCORE",
    arity=4,
    flags=WRITE,
    keys=key(1, RW | DELETE),
    group="sorted-set",
    since="1.2.0",
)
def zremrangebyscore(ctx: Context, key: bytes, low: bytes, high: bytes) -> Reply:
    """ZREMRANGEBYSCORE key min max

    Remove the members whose scores are between two, and return how many there were.
    """
    return remove(ctx, key, low, high, SCORES, "zremrangebyscore")


@command(
    "ZREMRANGEBYLEX",
    arity=4,
    flags=WRITE,
    keys=key(1, RW | DELETE),
    group="sorted-set",
    since="2.8.9",
)
def zremrangebylex(ctx: Context, key: bytes, low: bytes, high: bytes) -> Reply:
    """ZREMRANGEBYLEX key min max

    Remove the members between two in the order of bytes, and return how many there were.
    """
    return remove(ctx, key, low, high, TEXTS, "zremrangebylex")


def remove(ctx: Context, key: bytes, low: bytes, high: bytes, kind: int, event: str) -> int:
    """What ZREMRANGEBYRANK and its like do."""
    wanted = Range(low, high, kind, False, False)
    wanted.read(())
    found: SortedSet | None = ctx.write(key, SortedSet)
    if found is None:
        return 0
    start, stop = wanted.ranks(found)
    removed = found.remove_range(start, stop)
    if removed:
        tell_removed(ctx, key, found, event, removed)
    return removed
