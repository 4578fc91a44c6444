"""The options of FT.SEARCH, and those it shares with FT.AGGREGATE and FT.EXPLAIN."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from balas.api import ReplyError, integer, number
from balas_search.analysis.languages import LANGUAGES
from balas_search.query.ranges import GEO_UNITS
from balas_search.query.tree import Geo, Node, Numeric
from balas_search.results.excerpts import Excerpts, parse_highlight, parse_summarize
from balas_search.schema.words import Words, bad, shown

DIALECT_MAX = 4
EXPAND_DIALECT_MIN = 3


@dataclass(slots=True)
class QueryOptions:
    """What says how a query is understood."""

    dialect: int = 1
    verbatim: bool = False
    no_stop_words: bool = False
    in_fields: list[bytes] | None = None
    in_keys: list[bytes] | None = None
    slop: int = -1
    in_order: bool = False
    language: str = ""
    expander: bytes = b""
    scorer: bytes = b""
    payload: bytes = b""
    parameters: dict[bytes, bytes] = field(default_factory=dict)
    filters: list[Node] = field(default_factory=list)
    timeout_ms: int | None = None


@dataclass(slots=True)
class Returned:
    """A field to be returned, and what it is called then."""

    name: bytes
    label: bytes


@dataclass(slots=True)
class SearchOptions(QueryOptions):
    """What FT.SEARCH can be told."""

    no_content: bool = False
    with_scores: bool = False
    explain_score: bool = False
    with_payloads: bool = False
    with_sort_keys: bool = False
    offset: int = 0
    count: int = 10
    sort_by: bytes | None = None
    descending: bool = False
    # Further keys, each with whether it is in descending order.
    then_by: list[tuple[bytes, bool]] = field(default_factory=list)
    returned: list[Returned] | None = None
    expand_format: bool = False
    summarize: Excerpts | None = None
    highlight: Excerpts | None = None

    @property
    def plain(self) -> bool:
        """Whether keys and fields as they are is all that is to be shown."""
        return not (
            self.no_content
            or self.with_scores
            or self.with_payloads
            or self.with_sort_keys
            or self.highlight
            or self.summarize
        )

    @property
    def keys_alone(self) -> bool:
        """Whether nothing but the keys of documents is to be shown."""
        return self.no_content and not (
            self.with_scores or self.with_payloads or self.with_sort_keys
        )


FLAGS = {
    b"NOCONTENT": "no_content",
    b"VERBATIM": "verbatim",
    b"NOSTOPWORDS": "no_stop_words",
    b"WITHSCORES": "with_scores",
    b"EXPLAINSCORE": "explain_score",
    b"WITHPAYLOADS": "with_payloads",
    b"WITHSORTKEYS": "with_sort_keys",
    b"INORDER": "in_order",
}


def parse_search(arguments: Sequence[bytes], dialect: int, results_max: int) -> SearchOptions:
    """What stands behind the query in FT.SEARCH; raises ReplyError."""
    words = Words(arguments)
    made = SearchOptions(dialect=dialect)
    while words.more:
        begin = words.at
        option = words.peek()
        if option in FLAGS:
            words.take()
            setattr(made, FLAGS[option], True)
        elif option in (b"WITHCOUNT", b"WITHOUTCOUNT"):
            words.take()
        elif not (_result_option(made, words, results_max) or query_option(made, words)):
            raise ReplyError(
                f"Unknown argument `{shown(arguments[begin])}` at position {begin + 1} for <main>"
            )
        if option == b"DIALECT" and made.expand_format and made.dialect < EXPAND_DIALECT_MIN:
            raise ReplyError("EXPAND format requires dialect 3 or greater")
    if made.explain_score and not made.with_scores:
        raise ReplyError("EXPLAINSCORE must be accompanied with WITHSCORES")
    return made


def _result_option(made: SearchOptions, words: Words, results_max: int) -> bool:
    """Take an option that says what is returned."""
    if words.eat(b"LIMIT"):
        made.offset, made.count = take_limit(words, results_max)
    elif words.eat(b"SORTBY"):
        if not words.more:
            raise ReplyError("Bad SORTBY arguments")
        name = words.take().removeprefix(b"@")
        descending = words.eat(b"DESC")
        if not descending:
            words.eat(b"ASC")
        if made.sort_by is None:
            made.sort_by, made.descending = name, descending
        else:
            made.then_by.append((name, descending))
    elif words.eat(b"RETURN"):
        made.returned = parse_returned(words)
        if not made.returned:
            made.no_content = True
    elif words.eat(b"SUMMARIZE"):
        made.summarize = parse_summarize(words)
    elif words.eat(b"HIGHLIGHT"):
        made.highlight = parse_highlight(words)
    elif words.eat(b"FORMAT"):
        given = words.take("FORMAT")
        if given.upper() not in (b"STRING", b"EXPAND"):
            raise ReplyError(f"FORMAT {shown(given)} is not supported")
        made.expand_format = given.upper() == b"EXPAND"
    else:
        return False
    return True


def take_limit(words: Words, results_max: int) -> tuple[int, int]:
    """Offset and count of LIMIT."""
    if words.left < 2:
        raise ReplyError("LIMIT requires two arguments")
    try:
        offset, count = integer(words.take()), integer(words.take())
    except ReplyError:
        raise ReplyError("LIMIT needs two numeric arguments") from None
    if offset < 0 or count < 0:
        raise ReplyError("LIMIT needs two numeric arguments")
    if count > results_max:
        raise ReplyError(f"LIMIT exceeds maximum of {results_max}")
    if offset > results_max:
        raise ReplyError(f"OFFSET exceeds maximum of {results_max}")
    return offset, count


def parse_returned(words: Words) -> list[Returned]:
    """The fields of RETURN, each perhaps with AS; of two with the same name the first counts."""
    given = Words(words.take_list("RETURN"))
    made: dict[bytes, Returned] = {}
    while given.more:
        name = given.take()
        label = name
        if given.eat(b"AS"):
            if not given.more:
                raise ReplyError("RETURN path AS name - must be accompanied with NAME")
            label = given.take()
        label = label.removeprefix(b"@")
        made.setdefault(label, Returned(name.removeprefix(b"@"), label))
    return list(made.values())


def query_option(made: QueryOptions, words: Words) -> bool:
    """Take an option that says how the query is understood."""
    if words.eat(b"DIALECT"):
        made.dialect = take_dialect(words)
    elif words.eat(b"PARAMS"):
        made.parameters.update(take_parameters(words))
    elif words.eat(b"TIMEOUT"):
        made.timeout_ms = take_timeout(words)
    elif words.eat(b"SCORER"):
        made.scorer = words.take("SCORER")
    elif words.eat(b"PAYLOAD"):
        made.payload = words.take("PAYLOAD")
    elif words.eat(b"INFIELDS"):
        made.in_fields = words.take_list("INFIELDS") or None
    elif words.eat(b"INKEYS"):
        made.in_keys = words.take_list("INKEYS")
    elif words.eat(b"SLOP"):
        made.slop = words.take_count("SLOP", -(2**31))
    elif words.eat(b"EXPANDER"):
        made.expander = words.take("EXPANDER").upper()
    elif words.eat(b"LANGUAGE"):
        language = words.take("LANGUAGE").decode("utf-8", "replace").lower()
        if language not in LANGUAGES:
            raise ReplyError("No such language")
        made.language = language
    elif words.eat(b"FILTER"):
        made.filters.append(take_filter(words))
    elif words.eat(b"GEOFILTER"):
        made.filters.append(take_geo_filter(words))
    else:
        return False
    return True


def take_dialect(words: Words) -> int:
    """The number of a dialect."""
    if not words.more:
        raise ReplyError("Need an argument for DIALECT")
    try:
        dialect = integer(words.take())
    except ReplyError:
        dialect = 0
    if not 1 <= dialect <= DIALECT_MAX:
        raise ReplyError(f"DIALECT requires a non negative integer >=1 and <= {DIALECT_MAX}")
    return dialect


def take_timeout(words: Words) -> int:
    """Milliseconds."""
    if not words.more:
        raise ReplyError("Need argument for TIMEOUT")
    try:
        timeout_ms = integer(words.take())
    except ReplyError:
        timeout_ms = -1
    if timeout_ms < 0:
        raise ReplyError("TIMEOUT requires a non negative integer")
    return timeout_ms


def take_parameters(words: Words) -> dict[bytes, bytes]:
    """Names and values."""
    given = words.take_list("PARAMS")
    if len(given) % 2 or not given:
        raise ReplyError("Parameters must be specified in PARAM VALUE pairs")
    made: dict[bytes, bytes] = {}
    for name, value in zip(given[::2], given[1::2], strict=True):
        if name in made:
            raise ReplyError(f"Duplicate parameter `{shown(name)}`")
        made[name] = value
    return made


def take_filter(words: Words) -> Numeric:
    """A range of numbers, beside the query."""
    if words.left < 3:
        raise ReplyError("FILTER requires 3 arguments")
    name = words.take()
    low, with_low = _bound(words.take(), "lower")
    high, with_high = _bound(words.take(), "upper")
    return Numeric(field_name=name, low=low, high=high, with_low=with_low, with_high=with_high)


def _bound(word: bytes, which: str) -> tuple[float, bool]:
    value = number(word.removeprefix(b"("), f"Bad {which} range: {shown(word)}")
    return value, not word.startswith(b"(")


def take_geo_filter(words: Words) -> Geo:
    """A circle, beside the query."""
    if words.left < 5:
        raise ReplyError("GEOFILTER requires 5 arguments")
    name = words.take()
    values = []
    for of in ("<lon>", "<lat>", "<radius>"):
        values.append(
            number(words.take(), str(bad(of, "Could not convert argument to expected type")))
        )
    unit = words.take()
    if unit.lower() not in GEO_UNITS:
        raise ReplyError(f"Unknown distance unit {shown(unit)}")
    longitude, latitude, radius = values
    return Geo(
        field_name=name, longitude=longitude, latitude=latitude, radius=radius, unit=unit.lower()
    )
