"""The fields of a schema, as FT.CREATE and FT.ALTER take them."""

from __future__ import annotations

from balas.api import ReplyError
from balas_search.fields.spec import (
    GEOSHAPE,
    KINDS,
    NUMERIC,
    TAG,
    TEXT,
    VECTOR,
    FieldSpec,
)
from balas_search.schema.words import NOT_CONVERTED, Words, bad, shown
from balas_search.vectors.attributes import take_vector

FIELDS_MAX = 1024
# A text of JSON is one tag, unless a separator is given.
NO_SEPARATOR = b"\0"
TEXT_FIELDS_MAX = 128
PHONETIC_MATCHERS = (b"dm:en", b"dm:fr", b"dm:pt", b"dm:es")


def parse_fields(words: Words, known: list[FieldSpec], on_json: bool) -> list[FieldSpec]:
    """Fields up to the end, to be added to those that are `known`; raises ReplyError."""
    made: list[FieldSpec] = []
    while words.more:
        spec = _field(words, on_json)
        everything = [*known, *made]
        if any(other.name == spec.name for other in everything):
            raise ReplyError(f"Duplicate field in schema - {shown(spec.name)}")
        if len(everything) >= FIELDS_MAX:
            raise ReplyError("Schema is limited to 1024 fields")
        if spec.kind == TEXT:
            spec.bit = sum(other.kind == TEXT for other in everything)
            if spec.bit >= TEXT_FIELDS_MAX:
                raise ReplyError("Schema is limited to 128 TEXT fields")
        made.append(spec)
    return made


def _field(words: Words, on_json: bool) -> FieldSpec:
    begin = words.at
    identifier = words.take()
    name = identifier
    if words.eat(b"AS"):
        if not words.more:
            raise ReplyError("AS requires an argument")
        name = words.take()
    if not words.more:
        raise ReplyError(f"Field `{shown(name)}` does not have a type")
    kind = words.take().upper().decode("utf-8", "replace")
    if kind not in KINDS:
        raise ReplyError(f"Invalid field type for field `{shown(name)}`")
    spec = FieldSpec(identifier, name, kind, [])
    if on_json and kind == TAG:
        spec.separator = NO_SEPARATOR
    if kind == VECTOR:
        take_vector(spec, words)
    _options(spec, words)
    if (kind == NUMERIC or on_json) and spec.sortable:
        spec.unnormalized = True
    if spec.no_index and spec.index_missing:
        raise ReplyError(
            f"'Field `{shown(name)}` cannot be defined with both `NOINDEX` and `INDEXMISSING`'"
        )
    spec.words = list(words.words[begin : words.at])
    return spec


def _options(spec: FieldSpec, words: Words) -> None:
    """The options of a kind and those of all."""
    while words.more:
        option = words.peek()
        if spec.kind == TEXT and _text_option(spec, words, option):
            continue
        if spec.kind == TAG and _tag_option(spec, words, option):
            continue
        if spec.kind == GEOSHAPE and option in (b"FLAT", b"SPHERICAL"):
            spec.spherical = words.take().upper() == b"SPHERICAL"
        elif spec.kind in (TEXT, TAG) and words.eat(b"INDEXEMPTY"):
            spec.index_empty = True
        elif words.eat(b"INDEXMISSING"):
            spec.index_missing = True
        elif spec.kind == VECTOR:
            return
        elif words.eat(b"SORTABLE"):
            spec.sortable = True
            if words.eat(b"UNF"):
                spec.unnormalized = True
        elif words.eat(b"NOINDEX"):
            spec.no_index = True
        else:
            return


def _text_option(spec: FieldSpec, words: Words, option: bytes) -> bool:
    """Take an option of a TEXT field."""
    if words.eat(b"WEIGHT"):
        # At the end of the arguments RediSearch takes it for 0.
        spec.weight = _weight(words) if words.more else 0.0
    elif words.eat(b"NOSTEM"):
        spec.no_stem = True
    elif words.eat(b"WITHSUFFIXTRIE"):
        spec.suffix_trie = True
    elif words.eat(b"PHONETIC"):
        if not words.more:
            raise ReplyError("PHONETIC requires an argument")
        matcher = words.take()
        if matcher.lower() not in PHONETIC_MATCHERS:
            raise ReplyError(
                "Matcher Format: <2 chars algorithm>:<2 chars language>. Support algorithms: "
                "double metaphone (dm). Supported languages: English (en), French (fr), "
                "Portuguese (pt) and Spanish (es)"
            )
        spec.phonetic = matcher
    else:
        return False
    return True


def _weight(words: Words) -> float:
    try:
        return words.take_number("weight")
    except ReplyError:
        raise bad("weight", NOT_CONVERTED) from None


def _tag_option(spec: FieldSpec, words: Words, option: bytes) -> bool:
    """Take an option of a TAG field."""
    if words.eat(b"SEPARATOR"):
        if not words.more:
            raise ReplyError("SEPARATOR requires an argument")
        separator = words.take()
        if len(separator) != 1:
            raise ReplyError(f"Tag separator must be a single character. Got `{shown(separator)}`")
        spec.separator = separator
    elif words.eat(b"CASESENSITIVE"):
        spec.case_sensitive = True
    elif words.eat(b"WITHSUFFIXTRIE"):
        spec.suffix_trie = True
    else:
        return False
    return True
