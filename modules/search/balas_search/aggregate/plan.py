"""The arguments of FT.AGGREGATE: what is searched, and the steps behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from balas.api import ReplyError
from balas_search.aggregate.expressions import Literal, Parsed, parse_expression
from balas_search.aggregate.reducers import Reducer, parse_reducer
from balas_search.results.options import QueryOptions, query_option, take_limit
from balas_search.schema.words import NOT_CONVERTED, Words, bad, shown

SORT_KEYS_MAX = 8
# So many rows come out of SORTBY where nothing says how many.
SORTED_DEFAULT = 10
CURSOR_ROWS = 1000
MAXIDLE_MAX_MS = 2**32 - 1
NOTHING = Parsed(Literal(None), ())


@dataclass(slots=True)
class Load:
    """LOAD: fields or paths, and what they are called."""

    fields: list[tuple[bytes, bytes]]


@dataclass(slots=True)
class LoadAll:
    """LOAD *."""


@dataclass(slots=True)
class Apply:
    """APPLY; `expression` is there once all arguments were looked through."""

    text: bytes
    label: bytes
    expression: Parsed = NOTHING


@dataclass(slots=True)
class Keep:
    """FILTER, likewise."""

    text: bytes
    expression: Parsed = NOTHING


@dataclass(slots=True)
class GroupBy:
    """GROUPBY and its reducers."""

    properties: list[bytes]
    reducers: list[Reducer]


@dataclass(slots=True)
class Arrange:
    """SORTBY and LIMIT: `keys` are properties, each with whether it is in descending order.

    `most` is the number that MAX says, or 0; `count` is None where there is no LIMIT.
    """

    keys: list[tuple[bytes, bool]] | None = None
    most: int = 0
    offset: int = 0
    count: int | None = None


Step = Load | LoadAll | Apply | Keep | GroupBy | Arrange


@dataclass(slots=True)
class AggregateOptions(QueryOptions):
    """What FT.AGGREGATE can be told."""

    steps: list[Step] = field(default_factory=list)
    add_scores: bool = False
    with_scores: bool = False
    no_content: bool = False
    expand_format: bool = False
    with_cursor: bool = False
    cursor_rows: int = CURSOR_ROWS
    cursor_idle_ms: int | None = None


FLAGS = {
    b"VERBATIM": "verbatim",
    b"NOSTOPWORDS": "no_stop_words",
    b"INORDER": "in_order",
    b"WITHSCORES": "with_scores",
    b"NOCONTENT": "no_content",
    b"ADDSCORES": "add_scores",
}
NOT_SUPPORTED = (b"RETURN", b"HIGHLIGHT", b"SUMMARIZE")
NOT_HERE = (b"FILTER", b"GEOFILTER")
# What may stand behind the first step, too.
EVERYWHERE = (b"DIALECT", b"PARAMS", b"TIMEOUT")


def parse_aggregate(
    arguments: Sequence[bytes], dialect: int, results_max: int, idle_max_ms: int
) -> AggregateOptions:
    """What stands behind the query in FT.AGGREGATE; raises ReplyError."""
    words = Words(arguments)
    made = AggregateOptions(dialect=dialect)
    before_steps = True
    while words.more:
        begin = words.at
        option = words.peek()
        if _common_option(made, words, option, results_max, idle_max_ms):
            continue
        if before_steps and _first_option(made, words, option):
            continue
        if option in EVERYWHERE and query_option(made, words):
            continue
        before_steps = False
        if not _step(made, words, option):
            raise ReplyError(
                f"Unknown argument `{shown(arguments[begin])}` at position {begin + 1} for <main>"
            )
    for step in made.steps:
        if isinstance(step, Apply | Keep):
            step.expression = parse_expression(step.text)
    return made


def _first_option(made: AggregateOptions, words: Words, option: bytes) -> bool:
    """Take an option that stands before all steps."""
    if option in FLAGS:
        words.take()
        setattr(made, FLAGS[option], True)
        return True
    if option == b"EXPLAINSCORE":
        raise ReplyError("EXPLAINSCORE must be accompanied with WITHSCORES")
    if option in (b"WITHCOUNT", b"WITHOUTCOUNT"):
        words.take()
        return True
    if option in NOT_SUPPORTED:
        raise ReplyError(f"{shown(option)} is not supported on FT.AGGREGATE")
    return option not in NOT_HERE and query_option(made, words)


def _common_option(
    made: AggregateOptions, words: Words, option: bytes, results_max: int, idle_max_ms: int
) -> bool:
    """Take an option that may stand anywhere."""
    if option == b"LIMIT":
        words.take()
        arrange = last_arrange(made)
        arrange.offset, arrange.count = take_limit(words, results_max)
    elif option == b"SORTBY":
        words.take()
        _sort(last_arrange(made), words)
    elif option == b"WITHCURSOR":
        words.take()
        _cursor(made, words, idle_max_ms)
    elif option == b"FORMAT":
        words.take()
        given = words.take("FORMAT")
        if given.upper() not in (b"STRING", b"EXPAND"):
            raise ReplyError(f"FORMAT {shown(given)} is not supported")
        made.expand_format = given.upper() == b"EXPAND"
    else:
        return False
    return True


def last_arrange(made: AggregateOptions) -> Arrange:
    """The step that sorts and limits, behind the last GROUPBY: there is one at most."""
    for step in reversed(made.steps):
        if isinstance(step, Arrange):
            return step
        if isinstance(step, GroupBy):
            break
    added = Arrange()
    made.steps.append(added)
    return added


def _sort(arrange: Arrange, words: Words) -> None:
    """SORTBY."""
    if arrange.keys is not None:
        raise ReplyError(
            "Multiple SORTBY steps are not allowed. Sort multiple fields in a single step"
        )
    given = Words(words.take_list("SORTBY"))
    keys: list[tuple[bytes, bool]] = []
    while given.more:
        if given.peek() in (b"ASC", b"DESC"):
            descending = given.take().upper() == b"DESC"
            if keys:
                keys[-1] = keys[-1][0], descending
            continue
        word = given.take()
        if not word.startswith(b"@"):
            raise ReplyError(f"MISSING ASC or DESC after sort field ({shown(word)})")
        if len(keys) == SORT_KEYS_MAX:
            raise ReplyError(f"Cannot sort by more than {SORT_KEYS_MAX} fields")
        keys.append((word[1:], False))
    arrange.keys = keys
    if words.eat(b"MAX"):
        if not words.more:
            raise bad("MAX", NOT_CONVERTED)
        arrange.most = words.take_count("MAX")


def _cursor(made: AggregateOptions, words: Words, idle_max_ms: int) -> None:
    """WITHCURSOR."""
    made.with_cursor = True
    while words.more:
        if words.eat(b"COUNT"):
            made.cursor_rows = words.take_count("COUNT", 1)
        elif words.eat(b"MAXIDLE"):
            made.cursor_idle_ms = min(words.take_count("MAXIDLE", 1, MAXIDLE_MAX_MS), idle_max_ms)
        else:
            break


def _step(made: AggregateOptions, words: Words, option: bytes) -> bool:
    """Take a step other than an arrangement."""
    if option == b"LOAD":
        words.take()
        if any(isinstance(step, GroupBy) for step in made.steps):
            raise ReplyError("LOAD cannot be applied after projectors or reducers")
        made.steps.append(_load(words))
    elif option == b"GROUPBY":
        words.take()
        made.steps.append(_group(words))
    elif option == b"APPLY":
        words.take()
        text = words.take("APPLY/FILTER")
        label = text
        if words.eat(b"AS"):
            if not words.more:
                raise ReplyError("AS needs argument")
            label = words.take()
        made.steps.append(Apply(text, label))
    elif option == b"FILTER":
        words.take()
        made.steps.append(Keep(words.take("APPLY/FILTER")))
    else:
        return False
    return True


def _load(words: Words) -> Load | LoadAll:
    """LOAD."""
    if words.eat(b"*"):
        return LoadAll()
    if not words.more:
        raise bad("LOAD", "Expected an argument, but none provided")
    try:
        given = Words(words.take_list("LOAD"))
    except ReplyError:
        raise bad("LOAD", "SUCCESS") from None
    fields = []
    while given.more:
        path = given.take().removeprefix(b"@")
        label = path
        if given.left > 1 and given.eat(b"AS"):
            label = given.take()
        fields.append((path, label))
    return Load(fields)


def _group(words: Words) -> GroupBy:
    """GROUPBY and the reducers behind it."""
    properties = []
    for word in words.take_list("GROUPBY"):
        if not word.startswith(b"@"):
            raise bad(
                "GROUPBY", f"Unknown property `{shown(word)}`. Did you mean `@{shown(word)}`?"
            )
        properties.append(word[1:])
    reducers = []
    while words.eat(b"REDUCE"):
        reducers.append(parse_reducer(words))
    return GroupBy(properties, reducers)
