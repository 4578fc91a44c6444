"""What a snapshot holds beside the keys, in the form of RediSearch 2.10.

So either server has the indexes and dictionaries of the other's snapshots. Definitions are read
into the words of an FT.CREATE: an index from there is made as if a client asked for it here. What
this form has no place for is lost in a snapshot of either server: EPSILON of a vector field, and
the language of PHONETIC. What indexes hold is not saved, but indexed anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from balas.api import LoadStream, NotUnderstood, ReplyError, SaveStream
from balas_search.fields.spec import GEOSHAPE, TAG, TEXT, VECTOR, FieldSpec
from balas_search.index.index import Index
from balas_search.index.indexes import Indexes
from balas_search.schema.definition import parse_create
from balas_search.schema.words import shown

DEFINITIONS, DEFINITIONS_VERSION = "ft_index0", 23
DICTIONARIES, DICTIONARIES_VERSION = "scdtype00", 1

Dictionaries = dict[bytes, dict[bytes, None]]

# Of an index.
KEEPS_OFFSETS, KEEPS_FIELDS, OWN_STOP_WORDS, KEEPS_FREQUENCIES = 0x01, 0x02, 0x08, 0x10
KEEPS_BYTE_OFFSETS, WIDE, SYNONYMS, TEMPORARY, NO_SCAN = 0x40, 0x80, 0x100, 0x200, 0x1000
HAS_PHONETIC, HAS_ALIAS, HAS_VECTOR, HAS_SUFFIXES = 0x400, 0x4000, 0x8000, 0x10000
HAS_SHAPE, HAS_NON_EMPTY = 0x40000, 0x80000
# Of a field.
SORTABLE, NO_STEM, NO_INDEX, PHONETIC, UNNORMALIZED = 0x01, 0x02, 0x04, 0x08, 0x20
SUFFIX_TRIE, INDEX_EMPTY, INDEX_MISSING = 0x40, 0x100, 0x200
# Of a tag field: those it always has, and one it may have.
TRIMS_AND_FOLDS, CASE_SENSITIVE = 0x06, 0x01
# In place of a number: not to be sorted by, not to be searched in, no end of its life.
NO_PLACE, NO_BIT, NO_LIFETIME = 2**64 - 1, 2**16 - 1, 2**64 - 1000

KINDS = {1: b"TEXT", 2: b"NUMERIC", 4: b"GEO", 8: b"TAG", 16: b"VECTOR", 32: b"GEOSHAPE"}
VECTOR_TYPES = (b"FLOAT32", b"FLOAT64", b"BFLOAT16", b"FLOAT16", b"INT8", b"UINT8")
VECTOR_ITEM_BYTES = (4, 8, 2, 2, 1, 1)
METRICS = (b"L2", b"IP", b"COSINE")
# The attributes that are saved as numbers, in their order.
VECTOR_NUMBERS = {
    b"FLAT": (b"INITIAL_CAP", b"BLOCK_SIZE"),
    b"HNSW": (b"INITIAL_CAP", b"M", b"EF_CONSTRUCTION", b"EF_RUNTIME"),
}
VECTOR_DEFAULTS = {
    b"INITIAL_CAP": 1024,
    b"BLOCK_SIZE": 1024,
    b"M": 16,
    b"EF_CONSTRUCTION": 200,
    b"EF_RUNTIME": 10,
}
BRUTE_FORCE, GRAPH, GRAPH_WITH_BUFFER = 0, 1, 2
# In the order of its numbers.
LANGUAGES = (
    *(
        b"english",
        b"arabic",
        b"basque",
        b"catalan",
        b"chinese",
        b"danish",
        b"dutch",
        b"finnish",
        b"french",
    ),
    *(
        b"german",
        b"greek",
        b"hindi",
        b"hungarian",
        b"italian",
        b"indonesian",
        b"irish",
        b"lithuanian",
    ),
    *(
        b"nepali",
        b"norwegian",
        b"portuguese",
        b"romanian",
        b"russian",
        b"spanish",
        b"swedish",
        b"tamil",
    ),
    *(b"turkish", b"armenian", b"serbian", b"yiddish"),
)

INDEX_FLAGS = (
    (KEEPS_OFFSETS, False, b"NOOFFSETS"),
    (KEEPS_BYTE_OFFSETS, False, b"NOHL"),
    (KEEPS_FIELDS, False, b"NOFIELDS"),
    (KEEPS_FREQUENCIES, False, b"NOFREQS"),
    (WIDE, True, b"MAXTEXTFIELDS"),
    (NO_SCAN, True, b"SKIPINITIALSCAN"),
)
FIELD_FLAGS = (
    (NO_STEM, b"NOSTEM"),
    (SUFFIX_TRIE, b"WITHSUFFIXTRIE"),
    (INDEX_EMPTY, b"INDEXEMPTY"),
    (INDEX_MISSING, b"INDEXMISSING"),
    (NO_INDEX, b"NOINDEX"),
    (SORTABLE, b"SORTABLE"),
    (UNNORMALIZED, b"UNF"),
)


def load_definitions(source: LoadStream, indexes: Indexes, stem_length_min: int) -> None:
    """Take definitions from a snapshot, in place of indexes of the same names.

    Raises NotUnderstood, and nothing has changed.
    """
    found = [_load_index(source, stem_length_min) for _ in range(source.load_unsigned())]
    for index, aliases in found:
        known = indexes.by_name.get(index.name)
        if known is not None:
            indexes.drop(known)
        indexes.add(index)
        for alias in aliases:
            indexes.aliases[alias] = index


def _load_index(source: LoadStream, stem_length_min: int) -> tuple[Index, list[bytes]]:
    """One index, and what else it is called."""
    name = _text(source)
    flags = source.load_unsigned()
    fields = [word for _ in range(source.load_unsigned()) for word in _field(source)]
    words = [b"ON", _text(source), *_prefixes(source)]
    for option in (b"FILTER", b"LANGUAGE_FIELD", b"SCORE_FIELD", b"PAYLOAD_FIELD"):
        if source.load_unsigned():
            words += [option, _text(source)]
    words += [b"SCORE", b"%.17g" % source.load_double()]
    language = _chosen(LANGUAGES, source.load_unsigned())
    words += [b"LANGUAGE", language] if language != LANGUAGES[0] else []
    words += [word for bit, is_set, word in INDEX_FLAGS if bool(flags & bit) == is_set]
    if flags & OWN_STOP_WORDS:
        stop_words = [source.load_string() for _ in range(source.load_unsigned())]
        words += [b"STOPWORDS", b"%d" % len(stop_words), *stop_words]
    synonyms = list(_synonyms(source)) if flags & SYNONYMS else []
    lifetime_ms = source.load_unsigned()
    if flags & TEMPORARY:
        words += [b"TEMPORARY", b"%d" % (lifetime_ms // 1000)]
    words += [b"SCHEMA", *fields]
    try:
        index = Index(name, words, *parse_create(words), stem_length_min)
    except ReplyError as error:
        raise NotUnderstood(f"index '{shown(name)}': {error}") from error
    for term, group in synonyms:
        index.synonyms.update(group, [term])
    return index, [_text(source) for _ in range(source.load_unsigned())]


def _prefixes(source: LoadStream) -> list[bytes]:
    prefixes = [_text(source) for _ in range(source.load_unsigned())]
    return [b"PREFIX", b"%d" % len(prefixes), *prefixes]


def _synonyms(source: LoadStream) -> Iterator[tuple[bytes, bytes]]:
    """Terms with the groups they belong to."""
    for _ in range(source.load_unsigned()):
        term = _text(source)
        for _ in range(source.load_unsigned()):
            yield term, _text(source)


def _field(source: LoadStream) -> list[bytes]:
    """The words of one field."""
    name = _text(source)
    identifier = _text(source) if source.load_unsigned() else name
    number = source.load_unsigned()
    if number not in KINDS:
        # Several kinds at once, as FT.CREATE has no words for.
        raise NotUnderstood(f"a field of the unknown kind {number}")
    kind = KINDS[number]
    flags = source.load_unsigned()
    source.load_unsigned()  # its place among those that can be sorted by
    words = [identifier, b"AS", name, kind]
    if kind == b"TEXT":
        source.load_unsigned()  # its bit
        words += [b"WEIGHT", b"%.17g" % source.load_double()]
        words += [b"PHONETIC", b"dm:en"] if flags & PHONETIC else []
    elif kind == b"TAG":
        words += _tag(source)
    elif kind == b"VECTOR":
        words += _vector(source)
    elif kind == b"GEOSHAPE":
        words.append(b"SPHERICAL" if source.load_unsigned() else b"FLAT")
    return words + [word for bit, word in FIELD_FLAGS if flags & bit]


def _tag(source: LoadStream) -> list[bytes]:
    flags = source.load_unsigned()
    separator = source.load_string()
    case = [b"CASESENSITIVE"] if flags & CASE_SENSITIVE else []
    # No separator is what a field of JSON has by itself.
    return case if separator == b"\0" else [b"SEPARATOR", separator, *case]


def _vector(source: LoadStream) -> list[bytes]:
    """The algorithm with its attributes."""
    source.load_unsigned()  # bytes of a vector
    algorithm = source.load_unsigned()
    if algorithm == GRAPH_WITH_BUFFER:
        algorithm = source.load_unsigned()
        source.load_unsigned()  # of the buffer in front of the graph
    if algorithm not in (BRUTE_FORCE, GRAPH):
        raise NotUnderstood(f"a vector field of the unknown algorithm {algorithm}")
    kind, dimensions = _chosen(VECTOR_TYPES, source.load_unsigned()), source.load_unsigned()
    metric = _chosen(METRICS, source.load_unsigned())
    source.load_unsigned()  # whether a document may have several
    attributes = [b"TYPE", kind, b"DIM", b"%d" % dimensions, b"DISTANCE_METRIC", metric]
    name = b"FLAT" if algorithm == BRUTE_FORCE else b"HNSW"
    for attribute in VECTOR_NUMBERS[name]:
        attributes += [attribute, b"%d" % source.load_unsigned()]
    return [name, b"%d" % len(attributes), *attributes]


def _chosen(names: tuple[bytes, ...], number: int) -> bytes:
    if number >= len(names):
        raise NotUnderstood(f"the unknown choice {number}")
    return names[number]


def _text(source: LoadStream) -> bytes:
    """A string that is saved with the zero behind it."""
    return source.load_string().removesuffix(b"\0")


# --- saving --------------------------------------------------------------------------------------


def save_definitions(out: SaveStream, indexes: Indexes) -> None:
    """Save all definitions, with their aliases and synonyms."""
    out.save_unsigned(len(indexes.by_name))
    for index in indexes.by_name.values():
        _save_index(out, index)
        aliases = [alias for alias, other in indexes.aliases.items() if other is index]
        out.save_unsigned(len(aliases))
        for alias in aliases:
            _save_text(out, alias)


def _save_index(out: SaveStream, index: Index) -> None:
    """One index up to its aliases."""
    made = index.definition
    _save_text(out, index.name)
    out.save_unsigned(_index_flags(index))
    _save_fields(out, index.specs)
    _save_text(out, b"JSON" if made.on_json else b"HASH")
    out.save_unsigned(len(made.prefixes))
    for prefix in made.prefixes:
        _save_text(out, prefix)
    for text in (made.filter_text, made.language_field, made.score_field, made.payload_field):
        out.save_unsigned(bool(text))
        if text:
            _save_text(out, text)
    out.save_double(made.score)
    out.save_unsigned(LANGUAGES.index(made.language.encode()))
    if made.own_stop_words is not None:
        out.save_unsigned(len(made.own_stop_words))
        for word in made.own_stop_words:
            out.save_string(word)
    if index.synonyms.groups:
        out.save_unsigned(len(index.synonyms.groups))
        for term, groups in index.synonyms.groups.items():
            _save_text(out, term)
            out.save_unsigned(len(groups))
            for group in groups:
                _save_text(out, group)
    out.save_unsigned(made.temporary_s * 1000 if made.temporary_s else NO_LIFETIME)


def _index_flags(index: Index) -> int:
    """The flags of an index, those that follow from its fields included."""
    made, specs = index.definition, index.specs
    options = {option.encode() for option in made.options()}
    if made.skip_initial_scan:
        options.add(b"SKIPINITIALSCAN")
    if made.no_offsets:
        options.add(b"NOHL")
    flags = sum(bit for bit, is_set, word in INDEX_FLAGS if (word in options) == is_set)
    facts = (
        (OWN_STOP_WORDS, made.own_stop_words is not None),
        (SYNONYMS, bool(index.synonyms.groups)),
        (TEMPORARY, bool(made.temporary_s)),
        (HAS_PHONETIC, any(spec.phonetic for spec in specs)),
        (HAS_ALIAS, any(spec.name != spec.identifier for spec in specs)),
        (HAS_VECTOR, any(spec.kind == VECTOR for spec in specs)),
        (HAS_SUFFIXES, any(spec.kind == TEXT and spec.suffix_trie for spec in specs)),
        (HAS_SHAPE, any(spec.kind == GEOSHAPE for spec in specs)),
        (HAS_NON_EMPTY, any(s.kind in (TEXT, TAG) and not s.index_empty for s in specs)),
    )
    return flags | sum(bit for bit, is_so in facts if is_so)


def _save_fields(out: SaveStream, specs: list[FieldSpec]) -> None:
    numbers = {name.decode(): number for number, name in KINDS.items()}
    place = bit = 0
    out.save_unsigned(len(specs))
    for spec in specs:
        _save_text(out, spec.name)
        out.save_unsigned(spec.name != spec.identifier)
        if spec.name != spec.identifier:
            _save_text(out, spec.identifier)
        out.save_unsigned(numbers[spec.kind])
        out.save_unsigned(_field_flags(spec))
        out.save_unsigned(place if spec.sortable else NO_PLACE)
        place += spec.sortable
        if spec.kind == TEXT:
            out.save_unsigned(NO_BIT if spec.no_index else bit)
            bit += not spec.no_index
            out.save_double(spec.weight)
        elif spec.kind == TAG:
            out.save_unsigned(TRIMS_AND_FOLDS | (CASE_SENSITIVE if spec.case_sensitive else 0))
            out.save_string(spec.separator)
        elif spec.kind == VECTOR:
            _save_vector(out, spec)
        elif spec.kind == GEOSHAPE:
            out.save_unsigned(spec.spherical)


def _field_flags(spec: FieldSpec) -> int:
    facts = {
        NO_STEM: spec.no_stem,
        PHONETIC: bool(spec.phonetic),
        SUFFIX_TRIE: spec.suffix_trie,
        INDEX_EMPTY: spec.index_empty,
        INDEX_MISSING: spec.index_missing,
        NO_INDEX: spec.no_index,
        SORTABLE: spec.sortable,
        UNNORMALIZED: spec.unnormalized and spec.sortable,
    }
    return sum(bit for bit, is_so in facts.items() if is_so)


def _save_vector(out: SaveStream, spec: FieldSpec) -> None:
    given = spec.attributes
    kind = VECTOR_TYPES.index(given[b"TYPE"].upper())
    dimensions = int(given[b"DIM"])
    out.save_unsigned(dimensions * VECTOR_ITEM_BYTES[kind])
    if spec.algorithm == b"FLAT":
        out.save_unsigned(BRUTE_FORCE)
    else:
        for number in (GRAPH_WITH_BUFFER, GRAPH, 0):
            out.save_unsigned(number)
    out.save_unsigned(kind)
    out.save_unsigned(dimensions)
    out.save_unsigned(METRICS.index(given[b"DISTANCE_METRIC"].upper()))
    out.save_unsigned(0)
    for name in VECTOR_NUMBERS[spec.algorithm]:
        out.save_unsigned(int(given.get(name, VECTOR_DEFAULTS[name])))


def _save_text(out: SaveStream, text: bytes) -> None:
    out.save_string(text + b"\0")


# --- dictionaries --------------------------------------------------------------------------------


def save_dictionaries(out: SaveStream, dictionaries: Dictionaries) -> None:
    """Save all dictionaries, the terms with a score that means nothing."""
    kept = {name: terms for name, terms in dictionaries.items() if terms}
    out.save_unsigned(len(kept))
    for name, terms in kept.items():
        _save_text(out, name)
        out.save_unsigned(len(terms))
        for term in terms:
            _save_text(out, term)
            out.save_double(1.0)


def load_dictionaries(source: LoadStream, dictionaries: Dictionaries) -> None:
    """Take dictionaries in place of those there are."""
    dictionaries.clear()
    for _ in range(source.load_unsigned()):
        name = _text(source)
        terms = dictionaries.setdefault(name, {})
        for _ in range(source.load_unsigned()):
            terms[_text(source)] = None
            source.load_double()


# --- commands ------------------------------------------------------------------------------------


def commands(indexes: Indexes, dictionaries: Dictionaries) -> Iterator[Sequence[bytes]]:
    """What a client would send to have these indexes and dictionaries."""
    for index in indexes.by_name.values():
        yield b"FT.CREATE", index.name, *index.words
        for term, groups in index.synonyms.groups.items():
            for group in groups:
                yield b"FT.SYNUPDATE", index.name, group, term
    for alias, index in indexes.aliases.items():
        yield b"FT.ALIASADD", alias, index.name
    for name, terms in dictionaries.items():
        if terms:
            yield b"FT.DICTADD", name, *terms
