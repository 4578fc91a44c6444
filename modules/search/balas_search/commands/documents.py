"""FT.ADD and its kin: documents through the index, as it was done before indexes followed keys."""

from __future__ import annotations

from typing import Any

from balas.api import OK, Context, Reply, ReplyError, Status, command, keys, number
from balas_search.analysis.languages import LANGUAGES
from balas_search.commands.common import (
    FILLING,
    READING,
    TWO_NAMES,
    WRITING,
    search_module,
    wrong_number,
)
from balas_search.index.index import Index
from balas_search.schema.filters import Filter
from balas_search.schema.words import Words, shown

MANY_NAMES = keys(1, -1, 1, TWO_NAMES.flags)


def index_of(ctx: Context, name: bytes) -> Index:
    """The index; raises ReplyError."""
    return search_module(ctx).indexes.named(name, "Unknown index name")


def contents(ctx: Context, index: Index, key: bytes) -> Reply:
    """What a document holds, flat; None if it is not in the index."""
    value: Any = ctx.peek_any(key)
    if key not in index.documents or not index.reader.is_document(value):
        return None
    definition = index.definition
    hidden = (definition.language_field, definition.score_field, definition.payload_field)
    pairs = index.reader.whole(value, ctx.now_ms)
    return [part for pair in pairs if pair[0] not in hidden for part in pair]


@command("FT.ADD", arity=-1, flags=FILLING, keys=TWO_NAMES, group="search")
def ft_add(ctx: Context, *arguments: bytes) -> Reply:
    """FT.ADD index key score [REPLACE [PARTIAL] [IF c]] [LANGUAGE l] FIELDS f v ...

    Store a hash, which the index takes in if it follows keys of that name.
    """
    return add(ctx, "FT.ADD", arguments)


@command("FT.SAFEADD", arity=-1, flags=FILLING, keys=TWO_NAMES, group="search")
def ft_safe_add(ctx: Context, *arguments: bytes) -> Reply:
    """FT.SAFEADD index key score [REPLACE [PARTIAL] [IF c]] [LANGUAGE l] FIELDS f v ...

    The same as FT.ADD.
    """
    return add(ctx, "FT.SAFEADD", arguments)


def add(ctx: Context, called: str, arguments: tuple[bytes, ...]) -> Reply:
    """Store a document."""
    if len(arguments) < 3:
        raise wrong_number(called)
    name, key, score = arguments[:3]
    index = index_of(ctx, name)
    if not 0 <= number(score, "Could not parse document score") <= 1:
        raise ReplyError("Score must be between 0 and 1")
    words = Words(arguments[3:])
    replace = partial = False
    condition: Condition | None = None
    extras: list[bytes] = []
    while words.more and not words.eat(b"FIELDS"):
        if words.eat(b"REPLACE"):
            replace = True
        elif words.eat(b"PARTIAL"):
            partial = True
        elif words.eat(b"LANGUAGE"):
            extras += [b"__language", known_language(words.take("LANGUAGE"))]
        elif words.eat(b"PAYLOAD"):
            extras += [b"__payload", words.take("PAYLOAD")]
        elif words.eat(b"IF"):
            condition = Condition(words)
        else:
            raise ReplyError(f"Unknown keyword `{shown(words.take())}` provided")
    fields = list(words.words[words.at :])
    if not fields:
        raise ReplyError("No field list found")
    if len(fields) % 2:
        raise ReplyError("Fields must be specified in FIELD VALUE pairs")
    if ctx.known(key):
        if not replace:
            raise ReplyError("Document already exists")
        if condition is not None and not condition.holds(ctx, index, key):
            return Status("NOADD")
        if not partial:
            ctx.call(b"DEL", key)
    index.adopt_default_fields()
    ctx.call(b"HSET", key, *fields, b"__score", score, *extras)
    index.uses += 1
    return OK


def known_language(name: bytes) -> bytes:
    """The name of a language; raises ReplyError."""
    if name.decode("utf-8", "replace").lower() not in LANGUAGES:
        raise ReplyError("Unsupported language")
    return name


class Condition:
    """What IF asks of a document that is to be replaced."""

    def __init__(self, words: Words) -> None:
        if not words.more:
            raise ReplyError("IF: Expected an argument, but none provided")
        self._filter = Filter(words.take())

    def holds(self, ctx: Context, index: Index, key: bytes) -> bool:
        """Whether the document is as it should be; raises ReplyError."""
        names = [name.encode() for name in self._filter.fields]
        for name in names:
            if index.spec_of(name) is None:
                raise ReplyError(f"Property `{shown(name)}` not loaded nor in pipeline")
        values = ctx.read_fields(key, tuple(names)) or []
        found = zip(self._filter.fields, values, strict=False)
        return self._filter.accepts({name: value for name, value in found if value is not None})


@command("FT.DEL", arity=-1, flags=WRITING, keys=TWO_NAMES, group="search")
def ft_del(ctx: Context, *arguments: bytes) -> Reply:
    """FT.DEL index key [DD]

    Delete a document.
    """
    if not 2 <= len(arguments) <= 3:
        raise wrong_number("FT.DEL")
    index_of(ctx, arguments[0])
    return ctx.call(b"DEL", arguments[1])


@command("FT.GET", arity=-1, flags=READING, keys=TWO_NAMES, group="search")
def ft_get(ctx: Context, *arguments: bytes) -> Reply:
    """FT.GET index key

    What a document of an index holds.
    """
    if len(arguments) != 2:
        raise wrong_number("FT.GET")
    return contents(ctx, index_of(ctx, arguments[0]), arguments[1])


@command("FT.MGET", arity=-1, flags=READING, keys=MANY_NAMES, group="search")
def ft_mget(ctx: Context, *arguments: bytes) -> Reply:
    """FT.MGET index key [key ...]

    What documents of an index hold.
    """
    if len(arguments) < 2:
        raise wrong_number("FT.MGET")
    index = index_of(ctx, arguments[0])
    return [contents(ctx, index, key) for key in arguments[1:]]
