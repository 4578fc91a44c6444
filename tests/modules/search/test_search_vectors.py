"""Vectors beside a naive twin, and how many of the nearest a graph finds."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balas.testing import Client, InProcessServer
from balas_search.fields.spec import VECTOR, FieldSpec
from balas_search.vectors.flat import ADHOC_BF, BATCHES, FlatVectors, HowToFilter
from balas_search.vectors.hnsw import HnswVectors
from balas_search.vectors.rows import VectorRows

DIMENSION = 4
few = settings(max_examples=40, deadline=None)
numbers = st.lists(st.integers(-4, 4), min_size=DIMENSION, max_size=DIMENSION)
steps = st.lists(st.tuples(st.integers(0, 12), st.none() | numbers), max_size=60)


def spec(algorithm: bytes, metric: bytes, kind: bytes, dimension: int = DIMENSION) -> FieldSpec:
    attributes = {b"TYPE": kind, b"DIM": str(dimension).encode(), b"DISTANCE_METRIC": metric}
    return FieldSpec(b"v", b"v", VECTOR, [], algorithm=algorithm, attributes=attributes)


def distance(metric: bytes, one: np.ndarray, other: np.ndarray) -> float:
    if metric == b"L2":
        return float(((one - other) ** 2).sum())
    if metric == b"COSINE":
        one, other = (v / (np.linalg.norm(v) or 1) for v in (one, other))
    return float(1 - one @ other)


@pytest.mark.parametrize(
    "kind", [b"FLOAT32", b"FLOAT64", b"FLOAT16", b"BFLOAT16", b"INT8", b"UINT8"]
)
@pytest.mark.parametrize("metric", [b"L2", b"IP", b"COSINE"])
@few
@given(steps, numbers, st.integers(1, 8), st.integers(0, 5))
def test_vectors_that_come_and_go(
    metric: bytes,
    kind: bytes,
    changes: list[tuple[int, list[int] | None]],
    asked: list[int],
    k: int,
    batch: int,
) -> None:
    flat = FlatVectors(spec(b"FLAT", metric, kind))
    graph = HnswVectors(spec(b"HNSW", metric, kind))
    docs: dict[int, int] = {}
    twin: dict[int, np.ndarray] = {}
    last = 0
    if kind == b"UINT8":
        asked = [abs(number) for number in asked]
        changes = [(key, row and [abs(number) for number in row]) for key, row in changes]
    for key, vector in changes:
        gone = docs.pop(key, None)
        if gone is not None:
            del twin[gone]
            flat.remove(gone)
            graph.remove(gone)
        if vector is not None:
            last += 1
            docs[key], twin[last] = last, np.array(vector, float)
            rows = flat.kind.of_blobs([flat.kind.narrowed(np.array(vector)).tobytes()])
            flat.add(last, rows)
            graph.add(last, rows)
    new_ids = np.full(last + 1, 0xFFFFFFFF, np.uint32)
    for place, doc in enumerate(sorted(twin), 1):
        new_ids[doc] = place
    for vectors in (flat, graph):
        vectors.renumber(new_ids)
    query = flat.kind.query(flat.kind.narrowed(np.array(asked)).tobytes())
    by_doc = {
        int(new_ids[doc]): distance(metric, v, np.array(asked, float)) for doc, v in twin.items()
    }
    wanted = sorted(by_doc.values())[:k]
    # Most of the rows, and few of them: that is done in two ways.
    some = [np.array(sorted(by_doc)[::step], np.uint32) for step in (2, 5)]
    close = 0.02 if kind == b"BFLOAT16" else 0.003 if kind == b"FLOAT16" else 1e-5
    for vectors in (flat, graph):
        found, distances = vectors.nearest(query, k)
        assert distances == pytest.approx(wanted, abs=close)
        assert distances == pytest.approx([by_doc[int(doc)] for doc in found], abs=close)
        ways = (HowToFilter(), HowToFilter(ADHOC_BF), HowToFilter(BATCHES, batch))
        for how, among in product(ways, some):
            found, distances, batches = vectors.nearest_of(query, k, among, how)
            assert set(found.tolist()) <= set(among.tolist())
            nearest = sorted(by_doc[int(d)] for d in among)[:k]
            assert distances == pytest.approx(nearest, abs=close)
            assert bool(batches) == (how.policy == BATCHES and bool(nearest))
        if metric == b"L2":
            found, _ = vectors.within(query, 9.5)
            assert set(found.tolist()) == {doc for doc, apart in by_doc.items() if apart < 9.5}


def test_a_graph_finds_most_of_the_nearest_even_after_changes() -> None:
    chance = np.random.default_rng(7)
    count, dimension = 3000, 16
    flat = FlatVectors(spec(b"FLAT", b"L2", b"FLOAT32", dimension))
    graph = HnswVectors(spec(b"HNSW", b"L2", b"FLOAT32", dimension))
    made = chance.normal(size=(count + 1000, dimension)).astype(np.float32)
    for doc in range(count):
        flat.add(doc + 1, made[doc : doc + 1])
        graph.add(doc + 1, made[doc : doc + 1])
    for doc in range(1, 1001):
        for vectors in (flat, graph):
            vectors.remove(doc)
            vectors.add(count + doc, made[count + doc - 1 : count + doc])
    assert graph.rows.used == count
    hits = 0
    for query in chance.normal(size=(50, dimension)).astype(np.float32):
        exact, _ = flat.nearest(query, 10)
        found, _ = graph.nearest(query, 10, 100)
        hits += len(set(exact.tolist()) & set(found.tolist()))
    assert hits >= 475


def test_a_graph_finds_what_lies_within_a_radius(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(7)
    count, dimension, inside = 10_000, 8, 10
    flat = FlatVectors(spec(b"FLAT", b"L2", b"FLOAT32", dimension))
    graph = HnswVectors(spec(b"HNSW", b"L2", b"FLOAT32", dimension))
    middles = chance.normal(size=(50, dimension)) * 3
    made = middles[chance.integers(0, 50, count)] + chance.normal(size=(count, dimension))
    made = made.astype(np.float32)
    for doc, row in enumerate(made, 1):
        flat.add(doc, row[None])
        graph.add(doc, row[None])
    with monkeypatch.context() as patch:
        # Only the graph may answer.
        patch.delattr(VectorRows, "within")
        hits = {0.01: 0, 0.1: 0}
        for query in made[::400]:
            near, apart = flat.nearest(query, inside)
            measured = dict(zip(near.tolist(), apart, strict=True))
            for epsilon in hits:
                found, distances = graph.within(query, float(apart[-1]), epsilon)
                assert found.tolist() == sorted(set(found.tolist()) & set(near.tolist()))
                assert distances.tolist() == [measured[doc] for doc in found.tolist()]
                hits[epsilon] += len(found)
        assert 0.95 * 25 * inside <= hits[0.01] <= hits[0.1]
    # Where it holds much, all vectors are compared, and nothing is missed.
    near, apart = flat.nearest(made[0], count // 2)
    found, _ = graph.within(made[0], float(apart[-1]), 0.01)
    assert found.tolist() == sorted(near.tolist())


@pytest.mark.parametrize("metric", ["L2", "IP", "COSINE"])
@pytest.mark.parametrize("algorithm", ["FLAT", "HNSW"])
def test_vectors_of_whole_numbers(
    balas_server: InProcessServer, algorithm: str, metric: str
) -> None:
    chance = np.random.default_rng(7)
    for kind, made in (("INT8", np.int8), ("UINT8", np.uint8)):
        limits = np.iinfo(made)
        rows = chance.integers(limits.min, limits.max, (30, 6), made, endpoint=True)
        with balas_server.client() as client:
            attributes = f"v VECTOR {algorithm} 6 TYPE {kind} DIM 6 DISTANCE_METRIC {metric}"
            client("FT.CREATE", kind, "PREFIX", "1", kind, "SCHEMA", *attributes.split(" "))
            for number, row in enumerate(rows):
                client("HSET", f"{kind}:{number}", "v", row.tobytes())
            query = ("*=>[KNN 5 @v $b AS d]", "PARAMS", "2", "b", rows[3].tobytes())
            reply = client(
                "FT.SEARCH", kind, *query, "SORTBY", "d", "RETURN", "1", "d", "DIALECT", "2"
            )
        told = [float(row[1]) for row in reply[2::2]]
        wide = rows.astype(float)
        apart = [distance(metric.encode(), row, wide[3]) for row in wide]
        assert told == pytest.approx(sorted(apart)[:5], rel=1e-5, abs=1e-5)


def test_text_and_vectors_are_ranked_together(balas_server: InProcessServer) -> None:
    with balas_server.client() as client:
        attributes = "v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 t TEXT n NUMERIC"
        client("FT.CREATE", "i", "SCHEMA", *attributes.split(" "))
        for n in range(4):
            blob = np.array([n, 1], np.float32).tobytes()
            client("HSET", f"d{n}", "v", blob, "t", "one two" if n % 2 else "one", "n", str(n))
        near = np.array([0, 1], np.float32).tobytes()
        search = ("FT.HYBRID", "i", "SEARCH", "two", "VSIM", "@v", "$b")
        params = ("PARAMS", "2", "b", near)
        reply = client(*search, "COMBINE", "RRF", "2", "CONSTANT", "10", *params)
        assert reply[:2] == [b"total_results", 4]
        first = dict(zip(reply[3][0][::2], reply[3][0][1::2], strict=True))
        assert first[b"__key"] == b"d1"
        assert float(first[b"__score"]) == pytest.approx(1 / 11 + 1 / 12)
        narrow = ("RANGE", "2", "RADIUS", "4", "FILTER", "@n:[2 3]")
        reply = client(
            *search, *narrow, "COMBINE", "LINEAR", "4", "ALPHA", "0", "BETA", "1", *params
        )
        assert reply[3][0][:2] == [b"__key", b"d2"]
        assert float(reply[3][0][3]) == pytest.approx(0.2)


def batches_of(client: Client, index: str, text: str, asked: bytes) -> int | None:
    """What FT.PROFILE says of the batches of a query that must find ten documents."""
    query = ("SEARCH", "QUERY", text, "PARAMS", "2", "b", asked, "NOCONTENT", "DIALECT", "2")
    reply = client("FT.PROFILE", index, *query)
    assert reply[b"total_results"] == 10
    (iterator,) = reply[b"profile"][b"Iterators profile"]
    assert iterator[b"Type"] == b"VECTOR"
    found: int | None = iterator.get(b"Batches number")
    return found


@pytest.mark.parametrize("algorithm", ["FLAT", "HNSW"])
def test_a_query_says_how_to_filter(balas_server: InProcessServer, algorithm: str) -> None:
    with balas_server.client(resp=3) as client:
        attributes = f"v VECTOR {algorithm} 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 n NUMERIC"
        client("FT.CREATE", "i", "SCHEMA", *attributes.split(" "))
        for n in range(1500):
            client("HSET", f"d{n}", "v", np.array([n, 0], np.float32).tobytes(), "n", str(n % 100))
        asked = np.array([0, 0], np.float32).tobytes()
        # Of each hundred one is left, so that the tenth of them is number 900.
        knn = "@n:[0 0]=>[KNN 10 @v $b {}]"
        assert batches_of(client, "i", knn.format("HYBRID_POLICY ADHOC_BF"), asked) is None
        batches = "HYBRID_POLICY BATCHES BATCH_SIZE {}"
        assert batches_of(client, "i", knn.format(batches.format(900)), asked) == 2
        assert batches_of(client, "i", knn.format(batches.format(901)), asked) == 1
        assert batches_of(client, "i", knn.format(batches.format(1)), asked) == 901
        assert batches_of(client, "i", knn.format("HYBRID_POLICY BATCHES"), asked) == 1
