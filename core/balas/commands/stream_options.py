"""Ids and options that several commands on streams read alike."""

from __future__ import annotations

from balas.engine.context import Context
from balas.errors import SYNTAX, ReplyError
from balas.registry import Arguments, integer
from balas.types.stream import Stream
from balas.types.stream_entries import ACKNOWLEDGED, DELETE, KEEP
from balas.types.stream_ids import ID_MAX, SEQ_MAX, parse_given_id, parse_id

INT64_MAX = 2**63 - 1

INVALID_ID = "ERR Invalid stream ID specified as stream command argument"
BOTH_TRIMS = "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"
LIMIT_ALONE = "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"
LIMIT_EXACT = "ERR syntax error, LIMIT cannot be used without the special ~ option"
NO_TRIM = "ERR syntax error, XTRIM must be called with a trimming strategy"

# LIMIT of an approximate trim that gives none: so many full blocks, within bounds.
LIMIT_BLOCKS = 100
LIMIT_DEFAULT = 10_000
LIMIT_MAX = 1_000_000

REFERENCES = {b"KEEPREF": KEEP, b"DELREF": DELETE, b"ACKED": ACKNOWLEDGED}


def take_id(text: bytes, missing_seq: int = 0) -> int:
    """An id in full or ms alone, "-" or "+"."""
    found = parse_id(text, missing_seq)
    if found is None:
        raise ReplyError(INVALID_ID)
    return found


def strict_id(text: bytes, missing_seq: int = 0) -> int:
    """The same without "-" and "+"."""
    if text in (b"-", b"+"):
        raise ReplyError(INVALID_ID)
    return take_id(text, missing_seq)


def interval(start: bytes, end: bytes) -> tuple[int, int]:
    """The first and the last id of a range; an id after "(" is not in it."""
    first = take_id(start[1:] if (opened := exclusive(start)) else start)
    if opened:
        if first == ID_MAX:
            raise ReplyError("ERR invalid start ID for the interval")
        first += 1
    last = take_id(end[1:] if (opened := exclusive(end)) else end, SEQ_MAX)
    if opened:
        if last == 0:
            raise ReplyError("ERR invalid end ID for the interval")
        last -= 1
    return first, last


def exclusive(text: bytes) -> bool:
    """Whether a bound of a range is not in it; "(-" and "(+" are no ids."""
    if not text.startswith(b"(") or len(text) == 1:
        return False
    if text in (b"(-", b"(+"):
        raise ReplyError(INVALID_ID)
    return True


class AddOptions:
    """What stands between the key and the entry of XADD, or after the key of XTRIM.

    Attributes:
        by_id: trim by MINID instead of MAXLEN; threshold: None if nothing is to be trimmed.
        threshold_at: the index of the threshold in the words, given: those words.
        id: None for `*`; has_seq: False for `ms-*`. position: the index behind the id.
    """

    def __init__(self) -> None:
        self.make = True
        self.by_id = False
        self.threshold: int | None = None
        self.threshold_at = -1
        self.approximate = False
        self.limit = -1
        self.references: int | None = None
        self.id: int | None = None
        self.has_seq = True
        self.position = 0

    def trim_by(self, word: bytes, words: tuple[bytes, ...], i: int) -> int:
        """Read what follows MAXLEN or MINID at `i`; the index of the threshold."""
        if self.threshold is not None:
            raise ReplyError(BOTH_TRIMS)
        self.approximate = False
        if i + 2 < len(words) and words[i + 1] in (b"~", b"="):
            self.approximate = words[i + 1] == b"~"
            i += 1
        self.by_id = word == b"MINID"
        if self.by_id:
            self.threshold = strict_id(words[i + 1])
        else:
            self.threshold = integer(words[i + 1])
            if self.threshold < 0:
                raise ReplyError("ERR The MAXLEN argument must be >= 0.")
        self.threshold_at = i + 1
        return i + 1

    def apply(self, found: Stream) -> int:
        """Trim a stream; how many entries went."""
        return found.trim(
            self.by_id,
            self.threshold or 0,
            self.approximate,
            self.limit,
            self.references or KEEP,
        )

    def settle(self, ctx: Context) -> None:
        """Check LIMIT, and choose one where none is given."""
        if self.limit > 0 and self.threshold is None:
            raise ReplyError(LIMIT_ALONE)
        if ctx.changes.loading:
            self.limit = 0  # the record's threshold says how much had gone
        elif self.limit >= 0:
            if not self.approximate:
                raise ReplyError(LIMIT_EXACT)
        elif self.approximate:
            blocks = LIMIT_BLOCKS * ctx.limits.stream_node_entries
            self.limit = min(blocks, LIMIT_MAX) if blocks > 0 else LIMIT_DEFAULT
        else:
            self.limit = 0


def add_options(ctx: Context, words: tuple[bytes, ...], adds: bool) -> AddOptions:
    """Read the options of XADD (`adds`), up to and with the id, or of XTRIM."""
    options = AddOptions()
    i = 0
    while i < len(words):
        given = words[i]
        word = given.upper()
        more = i + 1 < len(words)
        if adds and given == b"*":
            break
        if word in (b"MAXLEN", b"MINID") and more:
            i = options.trim_by(word, words, i)
        elif word == b"LIMIT" and more:
            i += 1
            options.limit = integer(words[i])
            if options.limit < 0:
                raise ReplyError("ERR The LIMIT argument must be >= 0.")
        elif adds and word == b"NOMKSTREAM":
            options.make = False
        elif word in REFERENCES and options.references is None:
            options.references = REFERENCES[word]
        elif adds:
            found = parse_given_id(given)
            if found is None:
                raise ReplyError(INVALID_ID)
            options.id, options.has_seq = found
            break
        else:
            raise ReplyError(SYNTAX)
        i += 1
    options.position = i + 1
    if not adds and options.threshold is None and options.limit <= 0:
        raise ReplyError(NO_TRIM)
    options.settle(ctx)
    return options


def references_and_ids(words: tuple[bytes, ...]) -> tuple[int, tuple[bytes, ...]]:
    """`[KEEPREF | DELREF | ACKED] IDS numids id [id ...]` of XDELEX and XACKDEL: what is done about
    groups, and the ids as they stand there.
    """
    arguments = Arguments(words)
    references, ids = None, None
    while arguments.more:
        if references is None and (word := arguments.eat(*REFERENCES)) is not None:
            references = REFERENCES[word]
        elif arguments.left >= 2 and arguments.eat(b"IDS"):
            count = arguments.take_int(1, INT64_MAX, "ERR Number of IDs must be a positive integer")
            if count > arguments.left:
                raise ReplyError("ERR The `numids` parameter must match the number of arguments")
            ids = tuple(arguments.take() for _ in range(count))
        else:
            raise ReplyError(SYNTAX)
    if ids is None:
        raise ReplyError(SYNTAX)
    return references or KEEP, ids
