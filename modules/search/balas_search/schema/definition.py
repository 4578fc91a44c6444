"""The options of an index, as FT.CREATE takes them before SCHEMA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from balas.api import ReplyError
from balas_search.analysis.languages import LANGUAGES
from balas_search.analysis.stopwords import STOP_WORDS
from balas_search.fields.spec import FieldSpec
from balas_search.schema.fields import parse_fields
from balas_search.schema.filters import Filter
from balas_search.schema.words import NOT_CONVERTED, Words, bad, shown


@dataclass(slots=True)
class Definition:
    """Which documents an index holds, and how it reads them."""

    on_json: bool = False
    prefixes: list[bytes] = field(default_factory=lambda: [b""])
    filter_text: bytes = b""
    filter: Filter | None = None
    language: str = "english"
    language_said: bool = False
    language_field: bytes = b""
    score: float = 1.0
    score_field: bytes = b""
    payload_field: bytes = b""
    max_text_fields: bool = False
    no_offsets: bool = False
    no_highlights: bool = False
    no_fields: bool = False
    no_frequencies: bool = False
    stop_words: frozenset[bytes] = STOP_WORDS
    own_stop_words: list[bytes] | None = None
    skip_initial_scan: bool = False
    temporary_s: int = 0

    def options(self) -> list[str]:
        """The options that FT.INFO lists."""
        flags = [
            (self.no_frequencies, "NOFREQS"),
            (self.no_fields, "NOFIELDS"),
            (self.no_offsets, "NOOFFSETS"),
            (self.no_highlights, "NOHL"),
            (self.max_text_fields, "MAXTEXTFIELDS"),
        ]
        return [name for is_set, name in flags if is_set]


FLAGS = {
    b"MAXTEXTFIELDS": "max_text_fields",
    b"NOOFFSETS": "no_offsets",
    b"NOHL": "no_highlights",
    b"NOFIELDS": "no_fields",
    b"NOFREQS": "no_frequencies",
    b"SKIPINITIALSCAN": "skip_initial_scan",
}


def parse_create(arguments: Sequence[bytes]) -> tuple[Definition, list[FieldSpec]]:
    """What stands behind the name of the index in FT.CREATE; raises ReplyError."""
    words = Words(arguments)
    made = Definition()
    while words.more and not words.eat(b"SCHEMA"):
        _option(made, words)
    if not words.more:
        raise ReplyError("Fields arguments are missing" if words.at else "No schema found")
    return made, parse_fields(words, [], made.on_json)


def _option(made: Definition, words: Words) -> None:
    """Take one option."""
    name = words.take()
    option = name.upper()
    if option in FLAGS:
        setattr(made, FLAGS[option], True)
        if option == b"NOOFFSETS":
            made.no_highlights = True
    elif option == b"ON":
        kind = words.take("ON")
        if kind.upper() not in (b"HASH", b"JSON"):
            raise ReplyError(f"Invalid rule type: {shown(kind)}")
        made.on_json = kind.upper() == b"JSON"
    elif option == b"PREFIX":
        made.prefixes = words.take_list("PREFIX") or [b""]
    elif option == b"STOPWORDS":
        made.own_stop_words = [word.lower() for word in words.take_list("STOPWORDS")]
        made.stop_words = frozenset(made.own_stop_words)
    elif option == b"TEMPORARY":
        made.temporary_s = words.take_count("TEMPORARY")
    elif option == b"FILTER":
        made.filter_text = words.take("FILTER")
        made.filter = Filter(made.filter_text)
    else:
        _document_option(made, words, option, name)


def _document_option(made: Definition, words: Words, option: bytes, name: bytes) -> None:
    """Take an option about language, score or payload."""
    if option == b"LANGUAGE":
        language = words.take("LANGUAGE").decode("utf-8", "replace").lower()
        if language not in LANGUAGES:
            raise ReplyError("Invalid language")
        made.language, made.language_said = language, True
    elif option == b"LANGUAGE_FIELD":
        made.language_field = words.take("LANGUAGE_FIELD")
    elif option == b"SCORE":
        made.score = _score(words)
    elif option == b"SCORE_FIELD":
        made.score_field = words.take("SCORE_FIELD")
    elif option == b"PAYLOAD_FIELD":
        made.payload_field = words.take("PAYLOAD_FIELD")
    else:
        raise ReplyError(f"Unknown argument `{shown(name)}`")


def _score(words: Words) -> float:
    try:
        score = words.take_number("SCORE")
    except ReplyError as error:
        if str(error) == str(bad("SCORE", NOT_CONVERTED)):
            raise ReplyError("Invalid score") from None
        raise
    if not 0 <= score <= 1:
        raise ReplyError("Invalid score")
    return score
