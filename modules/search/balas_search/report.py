"""What INFO shows of the module, section by section, as RediSearch does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from balas_search.fields.spec import KINDS, TAG, VECTOR, FieldSpec
from balas_search.settings import UNLIMITED

if TYPE_CHECKING:
    from balas_search.module import SearchBase

MB = 1024 * 1024
DIALECTS = (1, 2, 3, 4)
# Settings under the names that they have here.
SETTINGS = {
    "minimal_term_prefix": "search-min-prefix",
    "minimal_stem_length": "search-min-stem-len",
    "maximal_prefix_expansions": "search-max-prefix-expansions",
    "query_timeout_ms": "search-timeout",
    "timeout_policy": "search-on-timeout",
    "cursor_max_idle_time": "search-cursor-max-idle",
    "max_search_results": "search-max-search-results",
    "max_aggregate_results": "search-max-aggregate-results",
    "gc_scan_size": "search-gc-scan-size",
    "min_phonetic_term_length": "search-min-phonetic-term-len",
}


def sections(module: SearchBase) -> dict[str, dict[str, object]]:
    """All sections."""
    indexes = module.indexes.by_name.values()
    specs = [spec for index in indexes for spec in index.specs]
    memory = sum(index.memory() for index in indexes)
    cursors = len(module.cursors.by_number)
    used = {dialect for index in indexes for dialect in index.dialects_used}
    return {
        "index": {
            "number_of_indexes": len(indexes),
            "total_indexed_documents": sum(len(index.documents) for index in indexes),
        },
        "fields_statistics": statistics(specs),
        "memory": {
            "used_memory_indexes": memory,
            "used_memory_indexes_human": memory / MB,
            "total_indexing_time": sum(index.indexing_ms for index in indexes),
        },
        "cursors": {"global_idle": cursors, "global_total": cursors},
        "gc": {
            "bytes_collected": sum(index.collected_bytes for index in indexes),
            "total_cycles": sum(index.collections for index in indexes),
            "total_ms_run": int(sum(index.collecting_ms for index in indexes)),
        },
        "dialect_statistics": {f"dialect_{number}": int(number in used) for number in DIALECTS},
        "runtime_configurations": {
            shown: -1 if value == UNLIMITED and "results" in shown else value
            for shown, name in SETTINGS.items()
            for value in [module.server.option(name)]
        },
    }


def statistics(specs: list[FieldSpec]) -> dict[str, object]:
    """How many fields there are of each kind that there is, and with which options."""
    shown: dict[str, object] = {}
    for kind in KINDS:
        own = [spec for spec in specs if spec.kind == kind]
        if own:
            counts = {kind.capitalize(): len(own), **options_of(kind, own)}
            parts = [f"{name}={count}" for name, count in counts.items() if count]
            shown[f"fields_{kind.lower()}"] = ",".join(parts)
    return shown


def options_of(kind: str, specs: list[FieldSpec]) -> dict[str, int]:
    """How many of some fields of one kind have which option."""
    if kind == VECTOR:
        algorithms = [spec.algorithm.upper() for spec in specs]
        return {"Flat": algorithms.count(b"FLAT"), "HNSW": algorithms.count(b"HNSW")}
    counts = {
        "Sortable": sum(spec.sortable for spec in specs),
        "NoIndex": sum(spec.no_index for spec in specs),
    }
    if kind == TAG:
        counts["CaseSensitive"] = sum(spec.case_sensitive for spec in specs)
    return counts
