"""What INFO and FT.PROFILE count; the numbers are the original's."""

from typing import Any

import pytest

from balas.testing import InProcessServer
from balas.testing.clients import Client


def filled(server: InProcessServer) -> Client:
    client = server.client()
    schema = "t TEXT SORTABLE x TEXT NOINDEX SORTABLE g TAG CASESENSITIVE SORTABLE n NUMERIC"
    for name, algorithm in (("v", "FLAT"), ("w", "HNSW")):
        schema += f" {name} VECTOR {algorithm} 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2"
    client("FT.CREATE", "i", "SCHEMA", *schema.split())
    for number in range(59):
        client("HSET", f"d{number}", "t", "hello", "n", number)
    return client


def told(client: Client) -> dict[str, str]:
    """The module's part of INFO."""
    lines = client("INFO", "modules").decode().splitlines()
    return dict(line.split(":", 1) for line in lines if line.startswith("search_"))


def test_info_tells_of_indexes_cursors_and_settings(balas_server: InProcessServer) -> None:
    client = filled(balas_server)
    client("FT.SEARCH", "i", "hello", "DIALECT", 2)
    client("FT.AGGREGATE", "i", "*", "WITHCURSOR", "COUNT", 2, "DIALECT", 2)
    client("CONFIG", "SET", "search-timeout", 77)
    found = told(client)
    expected = {
        "number_of_indexes": "1",
        "fields_text": "Text=2,Sortable=2,NoIndex=1",
        "fields_numeric": "Numeric=1",
        "fields_tag": "Tag=1,Sortable=1,CaseSensitive=1",
        "fields_vector": "Vector=2,Flat=1,HNSW=1",
        "global_total": "1",
        "dialect_1": "0",
        "dialect_2": "1",
        "minimal_term_prefix": "2",
        "query_timeout_ms": "77",
        "timeout_policy": "return",
        "max_aggregate_results": "-1",
    }
    assert {name: found[f"search_{name}"] for name in expected} == expected
    assert int(found["search_used_memory_indexes"]) > 0
    assert float(found["search_total_indexing_time"]) > 0


@pytest.mark.parametrize(
    ("options", "stages"),
    [
        ((), ["Index 59", "Scorer 59", "Sorter 10"]),
        (("SORTBY", "n"), ["Index 59", "Sorter 10"]),
        (("LIMIT", 5, 9), ["Index 59", "Scorer 59", "Sorter 14", "Pager/Limiter 9"]),
        (("LIMIT", 55, 10), ["Index 59", "Scorer 59", "Sorter 59", "Pager/Limiter 4"]),
        (("LIMIT", 0, 0), ["Index 59", "Counter 1"]),
    ],
)
def test_a_profile_counts_what_stages_let_through(
    options: tuple[Any, ...], stages: list[str], balas_server: InProcessServer
) -> None:
    client = filled(balas_server)
    _, report = client("FT.PROFILE", "i", "SEARCH", "QUERY", "hello", "NOCONTENT", *options)
    made = [(stage[1].decode(), stage[5]) for stage in report[5][1:]]
    assert [f"{kind} {count}" for kind, count in made] == stages
