"""FT.HYBRID, clause by clause: four documents, of which d1 and d3 hold "two", and d0 is nearest."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from balas.errors import ReplyError
from balas.testing import Client, InProcessServer

SEARCH = ("FT.HYBRID", "i", "SEARCH", "two", "VSIM", "@v", "$b")
PARAMS = ("PARAMS", "2", "b", np.array([0, 1], np.float32).tobytes())


@pytest.fixture
def client(balas_server: InProcessServer) -> Iterator[Client]:
    with balas_server.client(resp=3) as made:
        made("FLUSHALL")
        attributes = "v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 t TEXT n NUMERIC"
        made("FT.CREATE", "i", "SCHEMA", *attributes.split(" "))
        for n in range(4):
            blob = np.array([n, 1], np.float32).tobytes()
            made("HSET", f"d{n}", "v", blob, "t", "one two" if n % 2 else "one", "n", str(n))
        yield made


def rows(client: Client, *clauses: str, search: tuple[str, ...] = SEARCH) -> list[dict[Any, Any]]:
    """The rows of a reply."""
    found: list[dict[Any, Any]] = client(*search, *clauses, *PARAMS)[b"results"]
    return found


def keys(found: list[dict[Any, Any]]) -> list[bytes]:
    return [row[b"__key"] for row in found]


def test_ranks_are_added_up(client: Client) -> None:
    found = rows(client)
    # d1 and d3 are the first and second by text, d0 to d3 the first to fourth by distance.
    assert keys(found) == [b"d1", b"d3", b"d0", b"d2"]
    scores = [float(row[b"__score"]) for row in found]
    assert scores == pytest.approx([1 / 61 + 1 / 62, 1 / 62 + 1 / 64, 1 / 61, 1 / 63])


def test_a_window_keeps_the_best_of_each(client: Client) -> None:
    found = rows(client, "COMBINE", "RRF", "4", "WINDOW", "1", "CONSTANT", "1")
    assert sorted(keys(found)) == [b"d0", b"d1"]
    assert [float(row[b"__score"]) for row in found] == pytest.approx([0.5, 0.5])


def test_scores_are_weighed_and_named(client: Client) -> None:
    linear = ("COMBINE", "LINEAR", "6", "ALPHA", "0", "BETA", "2", "YIELD_SCORE_AS", "both")
    found = rows(client, *linear)
    assert [float(row[b"both"]) for row in found] == pytest.approx([2, 1, 0.4, 0.2])
    assert keys(found) == [b"d0", b"d1", b"d2", b"d3"]


def test_each_search_can_name_its_scores(client: Client) -> None:
    search = (*SEARCH[:4], "SCORER", "TFIDF", "YIELD_SCORE_AS", "words", *SEARCH[4:])
    found = rows(client, "YIELD_SCORE_AS", "near", search=search)
    by_key = {row[b"__key"]: row for row in found}
    assert float(by_key[b"d1"][b"words"]) == 1
    assert float(by_key[b"d1"][b"near"]) == pytest.approx(0.5)
    assert b"words" not in by_key[b"d0"]


def test_neighbours_may_be_few_near_and_filtered(client: Client) -> None:
    nothing = ("FT.HYBRID", "i", "SEARCH", "nothere", "VSIM", "@v", "$b")
    assert keys(rows(client, "KNN", "2", "K", "2", search=nothing)) == [b"d0", b"d1"]
    assert keys(rows(client, "RANGE", "2", "RADIUS", "4", search=nothing)) == [b"d0", b"d1", b"d2"]
    filtered = ("KNN", "2", "K", "1", "FILTER", "@n:[2 3]")
    assert keys(rows(client, *filtered, search=nothing)) == [b"d2"]


def test_steps_follow(client: Client) -> None:
    steps = ("LOAD", "1", "@n", "APPLY", "@n * 10", "AS", "m", "FILTER", "@m > 0")
    found = rows(client, *steps, "SORTBY", "2", "@m", "DESC", "LIMIT", "0", "2")
    assert [row[b"m"] for row in found] == [b"30", b"20"]
    grouped = rows(client, "LOAD", "1", "@n", "GROUPBY", "0", "REDUCE", "SUM", "1", "@n", "AS", "s")
    assert [row[b"s"] for row in grouped] == [b"6"]
    assert keys(rows(client, "LIMIT", "1", "2")) == [b"d3", b"d0"]
    assert keys(rows(client, "NOSORT")) == [b"d0", b"d1", b"d2", b"d3"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("FIND two VSIM @v $b", "SEARCH argument is required"),
        ("SEARCH two NEAR @v $b", "Unknown argument `NEAR` in SEARCH"),
        ("SEARCH two SCORER TFIDF VERB", "Unknown argument `VERB` in SEARCH"),
        ("SEARCH two VSIM v $b", "Missing @ prefix for vector field name (got `v`)"),
        ("SEARCH two VSIM @v b", "Invalid vector argument, expected a parameter"),
        ("SEARCH two VSIM @v $x", "No such parameter `x`"),
        ("SEARCH two VSIM @t $b", "Unknown field `t`"),
        ("SEARCH two VSIM @v $b KNN 1 X", "Unknown argument `X` in KNN"),
        ("SEARCH two VSIM @v $b RANGE 0", "Missing required argument RADIUS"),
        ("SEARCH two VSIM @v $b COMBINE MEAN 0", "Unknown combination method `MEAN`"),
        ("SEARCH two VSIM @v $b WITHCURSOR", "WITHCURSOR is not supported on FT.HYBRID"),
        ("SEARCH two SCORER none VSIM @v $b", "No such scorer none"),
    ],
)
def test_errors_name_the_clause(client: Client, arguments: str, error: str) -> None:
    with pytest.raises(ReplyError) as raised:
        client("FT.HYBRID", "i", *arguments.split(" "), *PARAMS)
    assert str(raised.value) == error
