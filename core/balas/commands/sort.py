"""SORT and SORT_RO: the elements of a list, a set or a sorted set in order.

What is sorted by, and what is returned, can be an element itself, or a string or a field of a hash
whose key is made from the element by a pattern.
"""

from __future__ import annotations

import locale
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from balas.commands.string import text_or_none
from balas.engine.context import Context
from balas.errors import SYNTAX, WRONG_TYPE, ReplyError
from balas.protocol.replies import Reply
from balas.registry import Arguments, KeySpec, command, key
from balas.registry.flags import ACCESS, DENYOOM, OW, READONLY, RO, UPDATE, WRITE
from balas.services.acl.users import Acl
from balas.structures.numbers import parse_float
from balas.types.hash import Hash
from balas.types.list import List
from balas.types.set import Set
from balas.types.sorted_set import SortedSet

NOT_DOUBLES = "ERR One or more scores can't be converted into double"

# A number that a double can only come near to: `parse_float` leaves out what is too large or small.
NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")

# Locales that order texts by their bytes.
BYTE_ORDERS = ("C", "POSIX", "C.UTF-8", "C.utf8")

CATEGORIES = ("set", "sortedset", "list", "dangerous", "-keyspace")
SOURCE = key(1, RO | ACCESS)
OTHERS = KeySpec(
    RO | ACCESS,
    notes="For the optional BY/GET keyword. It is marked 'unknown' because the key names derive "
    "from the content of the key we sort",
)
TARGET = KeySpec(
    OW | UPDATE,
    notes="For the optional STORE keyword. It is marked 'unknown' because the keyword can appear "
    "anywhere in the argument array",
)


class Pattern:
    """Where BY or GET find what belongs to an element: the key is the pattern with the element in
    the place of its first `*`, and what follows `->` is a field of the hash there. `#` is the
    element itself.
    """

    def __init__(self, text: bytes) -> None:
        self.is_element = text == b"#"
        self.prefix, star, rest = text.partition(b"*")
        self.has_place = bool(star)
        self.suffix, self.field = rest, b""
        before, arrow, after = rest.partition(b"->")
        if arrow and after:
            self.suffix, self.field = before, after


@dataclass(slots=True)
class Options:
    """What SORT was told. `count` is -1 for all; `by` is None to sort by the elements."""

    by: Pattern | None = None
    gets: list[Pattern] = field(default_factory=list)
    start: int = 0
    count: int = -1
    descending: bool = False
    alphabetic: bool = False
    target: bytes | None = None

    @property
    def unsorted(self) -> bool:
        """Whether the pattern has no place for the element, and so asks for no order at all."""
        return self.by is not None and not self.by.has_place


def sort_keys(argv: Sequence[bytes]) -> list[int]:
    """The positions of SORT's keys: the source, and the last target."""
    positions = [1]
    i = 2
    while i < len(argv):
        word = argv[i].lower()
        if word == b"store" and i + 1 < len(argv):
            positions[1:] = [i + 1]
        i += {b"limit": 3, b"get": 2, b"by": 2}.get(word, 1)
    return positions


def source_key(argv: Sequence[bytes]) -> list[int]:
    """The position of SORT_RO's one key."""
    return [1]


@command(
    "SORT",
    arity=-2,
    flags=WRITE | DENYOOM,
    keys=(SOURCE, OTHERS, TARGET),
    find_keys=sort_keys,
    group="generic",
    since="1.0.0",
    categories=CATEGORIES,
)
def sort(ctx: Context, key: bytes, *words: bytes) -> Reply:
    """SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] \
[ALPHA] [STORE destination]

    Return the elements of a list, set or sorted set in the order of their numbers, or with ALPHA of
    their texts; or what GET finds for each. With STORE keep it as a list and return its length.
    """
    return sort_or_store(ctx, key, sort_options(ctx, "sort", key, words))


@command(
    "SORT_RO",
    arity=-2,
    flags=READONLY,
    keys=(SOURCE, OTHERS),
    find_keys=source_key,
    group="generic",
    since="7.0.0",
    categories=CATEGORIES,
)
def sort_ro(ctx: Context, key: bytes, *words: bytes) -> Reply:
    """SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] \
[ALPHA]

    SORT without STORE.
    """
    return sort_or_store(ctx, key, sort_options(ctx, "sort_ro", key, words))


def sort_options(ctx: Context, name: str, key: bytes, words: tuple[bytes, ...]) -> Options:
    """Read the options of the command `name`; raises an error for what makes no sense, and for
    keys that only their patterns tell of where the client may not read them all.
    """
    arguments = Arguments(words)
    options = Options()
    while arguments.more:
        word = arguments.take().upper()
        left = arguments.left
        if word in (b"ASC", b"DESC"):
            options.descending = word == b"DESC"
        elif word == b"ALPHA":
            options.alphabetic = True
        elif word == b"LIMIT" and left >= 2:
            options.start, options.count = arguments.take_int(), arguments.take_int()
        elif word == b"STORE" and name == "sort" and left >= 1:
            options.target = arguments.take()
        elif word == b"BY" and left >= 1:
            options.by = Pattern(arguments.take())
            if options.by.has_place:
                check_access(ctx, name, key, words, "BY")
        elif word == b"GET" and left >= 1:
            options.gets.append(Pattern(arguments.take()))
            check_access(ctx, name, key, words, "GET")
        else:
            raise ReplyError(SYNTAX)
    return options


def check_access(
    ctx: Context, name: str, key: bytes, words: tuple[bytes, ...], option: str
) -> None:
    """Refuse an option that looks at other keys to who may not read them all."""
    spec = ctx.engine.commands.by_full_name(name)
    argv = (name.encode(), key, *words)
    if spec is not None and not ctx.service(Acl).may_read_all(ctx.client, spec, argv):
        raise ReplyError(f"ERR {option} option of SORT denied due to insufficient ACL permissions.")


def sort_or_store(ctx: Context, key: bytes, options: Options) -> Reply:
    """Sort what is at the key, and return or store it."""
    value = ctx.read_any(key)
    if value is not None and not isinstance(value, List | Set | SortedSet):
        raise ReplyError(WRONG_TYPE)
    if isinstance(value, SortedSet):
        # As in Redis, which sorts no other form, and leaves it in this one.
        value.spread(ctx.limits)
        ctx.resized(key)
    if options.unsorted and options.target is not None and isinstance(value, Set):
        # What a set gives first is chance, and must not decide what is stored.
        options.by, options.alphabetic = None, True
    length = len(value) if value is not None else 0
    start = min(max(options.start, 0), length)
    count = length - start if options.count < 0 else min(options.count, length - start)
    if value is None:
        elements = []
    elif options.unsorted:
        elements = as_they_come(value, start, count, options.descending)
    else:
        elements = in_order(ctx, list(value), options)[start : start + count]
    found: list[bytes | None] = [*elements]
    if options.gets:
        found = [look_up(ctx, get, element) for element in elements for get in options.gets]
    if options.target is None:
        return found
    return store_sorted(ctx, options.target, [text or b"" for text in found])


def as_they_come(
    value: List | Set | SortedSet, start: int, count: int, descending: bool
) -> list[bytes]:
    """Some elements in the order they have, if any: from the last on, if that is wanted."""
    if isinstance(value, Set):
        return value.members()[start : start + count]
    if isinstance(value, SortedSet):
        first = len(value) - start - count if descending else start
        found: list[bytes] = value.range(first, first + count, descending, 0)  # of members alone
        return found
    if descending:
        return value.backwards(-1 - start, count)
    return value.range(start, count)


def store_sorted(ctx: Context, key: bytes, elements: list[bytes]) -> int:
    """Keep elements as a list, or delete the key if there are none; how many there are."""
    if elements:
        ctx.store(key, List.of(elements, ctx.limits))
        ctx.changed_by(key, "sortstore", len(elements))
    elif ctx.discard(key):
        ctx.changed(key, "del")
    return len(elements)


def look_up(ctx: Context, pattern: Pattern, element: bytes) -> bytes | None:
    """What a pattern finds for an element; None if there is nothing."""
    if pattern.is_element:
        return element
    if not pattern.has_place:
        return None
    value = ctx.read_any(pattern.prefix + element + pattern.suffix)
    if not pattern.field:
        return text_or_none(value)
    return value.get(pattern.field, ctx.now_ms) if isinstance(value, Hash) else None


# --- the order ------------------------------------------------------------------------------------


def in_order(ctx: Context, elements: list[bytes], options: Options) -> list[bytes]:
    """The elements sorted as the options ask."""
    by: list[bytes | None] = list(elements)
    if options.by is not None:
        by = [look_up(ctx, options.by, element) for element in elements]
    if options.alphabetic:
        return by_text(elements, by, options)
    return by_number(elements, by, options.descending)


def by_number(elements: list[bytes], by: Sequence[bytes | None], descending: bool) -> list[bytes]:
    """Elements in the order of numbers, those without one as if it were 0; of the same number, in
    the order of their bytes.
    """
    numbers = [0.0 if text is None else score(text) for text in by]
    pairs = sorted(zip(numbers, elements, strict=True), reverse=descending)
    return [element for _, element in pairs]


def score(text: bytes) -> float:
    """The number that a text begins with, up to a zero byte; an error unless it is one, and plain.

    What a double cannot hold is infinite or 0, and nothing at all is 0.
    """
    value: float | None = parse_float(text)
    if value is None or b"x" in text or b"X" in text:
        plain = text.partition(b"\0")[0]
        if plain != text:
            return score(plain)
        if not plain:
            return 0.0
        if NUMBER.match(plain) is None:
            raise ReplyError(NOT_DOUBLES)
        return float(plain)
    return value


def by_text(elements: list[bytes], by: Sequence[bytes | None], options: Options) -> list[bytes]:
    """Elements in the order of texts; those without one come first.

    What is stored is ordered by bytes, so that it is the same everywhere. Otherwise the locale's
    order counts, and the texts end at a zero byte.
    """
    place = placed_by_bytes if options.target is not None else collation()
    places = [(text is not None, place(text or b"")) for text in by]
    order = sorted(range(len(elements)), key=places.__getitem__, reverse=options.descending)
    return [elements[i] for i in order]


def placed_by_bytes(text: bytes) -> bytes | str:
    """A text's place in the order of bytes."""
    return text


def collation() -> Callable[[bytes], bytes | str]:
    """What gives a text's place in the order of the locale that `locale-collate` has set."""
    if locale.setlocale(locale.LC_COLLATE) in BYTE_ORDERS:
        return lambda text: text.partition(b"\0")[0]
    return lambda text: locale.strxfrm(text.partition(b"\0")[0].decode("utf-8", "surrogateescape"))
