"""FT.INFO and FT.TAGVALS: what an index is, and what it holds."""

from __future__ import annotations

import math

from balas.api import Context, Pairs, Reply, ReplyError, Status, command
from balas_search.commands.common import NAME, READING, search_module, wrong_number
from balas_search.fields.spec import GEOSHAPE, TAG, TEXT, VECTOR, FieldSpec
from balas_search.fields.tag import TagIndex
from balas_search.index.index import Index
from balas_search.vectors.attributes import described

MB = 1024 * 1024
ERROR_KEY = "last indexing error key"
AS_THEY_ARE = (ERROR_KEY, "stopwords_list")
DIALECTS = (1, 2, 3, 4)


@command("FT.TAGVALS", arity=-1, flags=READING, keys=NAME, group="search")
def ft_tag_vals(ctx: Context, *arguments: bytes) -> Reply:
    """FT.TAGVALS index field

    All values of a TAG field.
    """
    if len(arguments) != 2:
        raise wrong_number("FT.TAGVALS")
    index = search_module(ctx).indexes.named(arguments[0], "Unknown Index name")
    field = index.fields.get(arguments[1])
    if field is None:
        raise ReplyError("No such field")
    if not isinstance(field, TagIndex):
        raise ReplyError("Not a tag field")
    return field.vocabulary.in_order()


@command("FT.INFO", arity=-1, flags=READING, keys=NAME, group="search")
def ft_info(ctx: Context, *arguments: bytes) -> Reply:
    """FT.INFO index

    What an index is made of, and what it holds.
    """
    if len(arguments) != 1:
        raise wrong_number("FT.INFO")
    index = search_module(ctx).indexes.named(arguments[0])
    index.uses += 1
    return as_status(
        Pairs(
            [
                ("index_name", index.name),
                ("index_options", list(index.definition.options())),
                ("index_definition", definition_of(index)),
                ("attributes", [attribute_of(spec, ctx.resp) for spec in index.specs]),
                *sizes_of(index),
                ("hash_indexing_failures", index.failures.count),
                ("total_indexing_time", index.indexing_ms),
                ("indexing", int(index.scanning)),
                ("percent_indexed", index.scanned_share),
                ("number_of_uses", index.uses),
                ("cleaning", 0),
                *collection_of(index),
                ("cursor_stats", cursors_of(ctx, index)),
                *stop_words_of(index),
                (
                    "dialect_stats",
                    Pairs([(f"dialect_{n}", int(n in index.dialects_used)) for n in DIALECTS]),
                ),
                (
                    "Index Errors",
                    errors_of(index.failures.count, index.failures.error, index.failures.key),
                ),
                ("field statistics", [statistics_of(spec) for spec in index.specs]),
            ]
        )
    )


def as_status(value: Reply) -> Reply:
    """A reply all of whose texts are simple strings, as FT.INFO's are, but for some."""
    if isinstance(value, bytes):
        return Status(value.decode("utf-8", "replace"))
    if isinstance(value, str):
        return Status(value)
    if isinstance(value, Pairs):
        return Pairs(
            [
                (as_status(name), item if name in AS_THEY_ARE else as_status(item))
                for name, item in value.items
            ]
        )
    if isinstance(value, list):
        return [as_status(item) for item in value]
    return value


def definition_of(index: Index) -> Reply:
    """Which documents it holds."""
    definition = index.definition
    made: list[tuple[Reply, Reply]] = [
        ("key_type", "JSON" if definition.on_json else "HASH"),
        ("prefixes", list(definition.prefixes)),
    ]
    if definition.filter_text:
        made.append(("filter", definition.filter_text))
    if definition.language_said:
        made.append(("default_language", definition.language))
    if definition.language_field:
        made.append(("language_field", definition.language_field))
    made.append(("default_score", definition.score))
    if definition.score_field:
        made.append(("score_field", definition.score_field))
    if definition.payload_field:
        made.append(("payload_field", definition.payload_field))
    return Pairs(made)


def attribute_of(spec: FieldSpec, resp: int) -> Reply:
    """A field of the schema."""
    made: list[tuple[Reply, Reply]] = [
        ("identifier", spec.identifier),
        ("attribute", spec.name),
        ("type", spec.kind),
    ]
    if spec.kind == TEXT:
        made.append(("WEIGHT", spec.weight))
    elif spec.kind == TAG:
        made.append(("SEPARATOR", spec.separator.strip(b"\0")))
    elif spec.kind == VECTOR:
        made += described(spec)
    elif spec.kind == GEOSHAPE:
        made.append(("coord_system", "SPHERICAL" if spec.spherical else "FLAT"))
    flags: list[Reply] = list(flags_of(spec))
    if resp == 3:
        return Pairs([*made, ("flags", flags)])
    return [part for pair in made for part in pair] + flags


def flags_of(spec: FieldSpec) -> list[str]:
    """The options of a field that have no value."""
    flags = [
        (spec.case_sensitive, "CASESENSITIVE"),
        (spec.sortable, "SORTABLE"),
        (spec.sortable and spec.unnormalized, "UNF"),
        (spec.no_stem, "NOSTEM"),
        (spec.no_index, "NOINDEX"),
        (spec.suffix_trie, "WITHSUFFIXTRIE"),
        (spec.index_empty, "INDEXEMPTY"),
        (spec.index_missing, "INDEXMISSING"),
    ]
    return [name for is_set, name in flags if is_set]


def sizes_of(index: Index) -> list[tuple[Reply, Reply]]:
    """How many and how much."""
    documents = len(index.documents)
    terms = index.terms
    positions = terms.position_bytes
    postings = terms.posting_bytes - positions
    tags = sum(field.memory() for field in index.fields.values() if isinstance(field, TagIndex))
    vectors = sum(index.fields[spec.name].memory() for spec in index.specs if spec.kind == VECTOR)
    shapes = sum(index.fields[spec.name].memory() for spec in index.specs if spec.kind == GEOSHAPE)
    columns = sum(column.memory() for column in index.columns.values())
    table = index.documents.memory()
    records = index.records
    return [
        ("num_docs", documents),
        ("max_doc_id", index.documents.last_id),
        ("num_terms", len(terms)),
        ("num_records", records),
        ("inverted_sz_mb", postings / MB),
        ("vector_index_sz_mb", vectors / MB),
        ("total_inverted_index_blocks", terms.blocks),
        ("offset_vectors_sz_mb", positions / MB),
        ("doc_table_size_mb", table / MB),
        ("sortable_values_size_mb", columns / MB),
        ("key_table_size_mb", len(index.documents) * 100 / MB),
        ("tag_overhead_sz_mb", tags / MB),
        ("text_overhead_sz_mb", index.vocabulary.memory() / MB),
        ("total_index_memory_sz_mb", index.memory() / MB),
        ("geoshapes_sz_mb", shapes / MB),
        ("records_per_doc_avg", ratio(records, documents)),
        ("bytes_per_record_avg", ratio(postings, records)),
        ("offsets_per_term_avg", ratio(positions, records)),
        ("offset_bits_per_record_avg", ratio(8 * positions, positions)),
    ]


def ratio(one: float, other: float) -> float:
    """A quotient; not a number where there is none."""
    return one / other if other else math.nan


def collection_of(index: Index) -> list[tuple[Reply, Reply]]:
    """What collecting has done; a temporary index is said to have none."""
    if index.definition.temporary_s:
        return []
    stats: list[tuple[Reply, Reply]] = [
        ("bytes_collected", float(index.collected_bytes)),
        ("total_ms_run", index.collecting_ms),
        ("total_cycles", float(index.collections)),
        ("average_cycle_time_ms", ratio(index.collecting_ms, index.collections)),
        ("last_run_time_ms", index.last_collecting_ms),
        ("gc_numeric_trees_missed", 0.0),
        ("gc_blocks_denied", 0.0),
    ]
    return [("gc_stats", Pairs(stats))]


def cursors_of(ctx: Context, index: Index) -> Reply:
    """How many cursors there are."""
    own, everywhere = search_module(ctx).cursor_counts(index)
    return Pairs(
        [
            ("global_idle", everywhere),
            ("global_total", everywhere),
            ("index_capacity", 128),
            ("index_total", own),
        ]
    )


def stop_words_of(index: Index) -> list[tuple[Reply, Reply]]:
    """The stop words, if they are the index's own."""
    own = index.definition.own_stop_words
    return [] if own is None else [("stopwords_list", list(own))]


def errors_of(count: int, error: str, key: bytes) -> Reply:
    """What could not be indexed."""
    return Pairs(
        [
            ("indexing failures", count),
            ("last indexing error", error),
            (ERROR_KEY, key),
        ]
    )


def statistics_of(spec: FieldSpec) -> Reply:
    """What could not be indexed of a field."""
    return Pairs(
        [
            ("identifier", spec.identifier),
            ("attribute", spec.name),
            ("Index Errors", errors_of(spec.failures, spec.last_error, spec.last_error_key)),
        ]
    )
