"""What INFO and FT.PROFILE count; the numbers are the original's."""

from collections.abc import Callable
from typing import Any

import pytest

from balas.testing import InProcessServer
from balas.testing.clients import Client
from balas.testing.real_server import RealRedis


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


PROFILED = [
    *["hello", "hello|word1", "zzz|hello", "smith", "zzz", "*"],
    *["wor*", "*orld1", "*orl*", "w'wor?d?'", "%wordl%", "%%wrld%%", "-hello", "-word1", "~hello"],
    *["@g:{a1}", "@g:{a1|b2}", "@g:{w'a?'}", "@g:{zz*}", "-@g:{a1}", "@n:[100 200]"],
]
# What is not compared, with what follows it in the flat list.
MEASURED = {b"Time"}


def part(report: Any) -> Any:
    """A part of a report, without times."""
    if isinstance(report, dict):
        report = [one for pair in report.items() for one in pair]
    if not isinstance(report, list):
        return report
    flat = [part(one) for one in report]
    measured = [at for at, one in enumerate(flat) if isinstance(one, bytes) and one in MEASURED]
    return [one for at, one in enumerate(flat) if at not in measured and at - 1 not in measured]


def iterators(reply: Any, resp: int) -> Any:
    """What a report says of the iterators."""
    return part(reply[b"profile"][b"Iterators profile"] if resp == 3 else reply[1][4])


def fill_profiled(client: Client) -> None:
    client("FLUSHALL")
    schema = "t TEXT n NUMERIC g TAG p TEXT PHONETIC dm:en"
    client("FT.CREATE", "i", "SCHEMA", *schema.split())
    for at in range(40):
        words, tags = f"hello world{at % 7} word{at % 3}", f"a{at % 3},b{at % 4}"
        client("HSET", f"d{at}", "t", words, "n", at, "g", tags, "p", "smith")


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("limited", [(), ("LIMITED",)])
def test_a_profile_names_the_parts_as_the_original_does(
    resp: int,
    limited: tuple[str, ...],
    balas_server: InProcessServer,
    real_servers: Callable[..., RealRedis],
) -> None:
    with real_servers("search").client(resp=resp) as real:
        both = balas_server.client(resp=resp), real
        for client in both:
            fill_profiled(client)
        for query in PROFILED:
            ask = ("FT.PROFILE", "i", "SEARCH", *limited, "QUERY", query, "NOCONTENT", "DIALECT", 2)
            ours, original = (iterators(client(*ask), resp) for client in both)
            assert ours == original, query
            assert ours


def test_a_profile_tells_ranges_and_what_is_left_out(balas_server: InProcessServer) -> None:
    client = balas_server.client()
    client("FT.CREATE", "i", "SCHEMA", "t", "TEXT", "INDEXMISSING", "n", "NUMERIC", "p", "GEO")
    client("HSET", "d1", "n", 5, "p", "1,1")
    client("HSET", "d2", "n", 7, "p", "1,2", "t", "x")

    def tree(query: str, *options: Any) -> Any:
        ask = ("FT.PROFILE", "i", "SEARCH", "QUERY", query, "NOCONTENT", "DIALECT", 2, *options)
        return part(client(*ask)[1][4][1])

    def leaf(kind: bytes, term: bytes, count: int) -> list[Any]:
        return [b"Type", kind, b"Term", term, b"Counter", count, b"Size", count]

    assert tree("@n:[3 6.5]") == leaf(b"NUMERIC", b"3 - 6.5", 1)
    assert tree("@p:[1 1 300 km]") == leaf(b"GEO", b"1,1 - 300 km", 2)
    assert tree("ismissing(@t)") == [b"Type", b"MISSING", b"Counter", 1]
    assert tree("*", "INKEYS", 1, "d1")[5][:2] == [b"Type", b"ID-LIST"]
    child = [b"Child iterator", leaf(b"NUMERIC", b"-inf - inf", 2)]
    assert tree("-@n:[-inf inf]") == [b"Type", b"NOT", b"Counter", 0, *child]
