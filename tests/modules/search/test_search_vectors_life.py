"""Indexes of vectors over their lives: what churn leaves of them, and what a restart."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from balas.testing import Client, InProcessServer
from balas_search.commands.common import module_class
from balas_search.index import indexes
from balas_search.vectors import hnsw
from balas_search.vectors.rows import VectorRows
from persisting import finish_child

TYPES = ("FLOAT32", "FLOAT64", "FLOAT16", "BFLOAT16", "INT8", "UINT8")
DTYPES = {"FLOAT32": "<f4", "FLOAT64": "<f8", "FLOAT16": "<f2", "INT8": "i1", "UINT8": "u1"}
DIMENSION = 8
Floats = NDArray[np.float32]


def create(client: Client, name: str, algorithm: str, kind: str, *options: Any) -> None:
    attributes = f"{algorithm} {6 + len(options)} TYPE {kind} DIM {DIMENSION} DISTANCE_METRIC L2"
    head = ("FT.CREATE", name, "PREFIX", 1, f"{name}:", "SCHEMA", "n", "NUMERIC", "v", "VECTOR")
    client(*head, *attributes.split(" "), *options)


def store(client: Client, name: str, numbers: range, rows: NDArray[Any]) -> None:
    client.pipeline(
        *(
            ("HSET", f"{name}:{number}", "n", number, "v", row.tobytes())
            for number, row in zip(numbers, rows, strict=True)
        )
    )


def nearest(client: Client, name: str, blob: bytes, text: str = "*", k: int = 10) -> Any:
    query = f"{text}=>[KNN {k} @v $b AS d]"
    tail = ("SORTBY", "d", "RETURN", 1, "d", "DIALECT", 2, "PARAMS", 2, "b", blob)
    return client("FT.SEARCH", name, query, *tail, "LIMIT", 0, k)


def facts(client: Client, name: str) -> dict[bytes, Any]:
    reply = client("FT.INFO", name)
    return dict(zip(reply[::2], reply[1::2], strict=True))


@pytest.mark.parametrize("algorithm", ["FLAT", "HNSW"])
def test_churn_leaves_no_trace(
    balas_server: InProcessServer, algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = np.random.default_rng(7)
    size, rounds = 2200, 10
    client = balas_server.client()
    options = ("M", 8, "EF_CONSTRUCTION", 50, "EF_RUNTIME", 40) if algorithm == "HNSW" else ()
    create(client, "i", algorithm, "FLOAT32", *options)
    known: dict[int, Floats] = {}
    sizes = []
    for number in range(rounds):
        # Half of them are new, half change; then those that changed go.
        made = chance.normal(size=(size, DIMENSION)).astype(np.float32)
        first = number * size // 2
        store(client, "i", range(first, first + size), made)
        known.update(zip(range(first, first + size), made, strict=True))
        gone = [key for key in known if key < first + size // 2]
        assert client("DEL", *(f"i:{key}" for key in gone)) == len(gone)
        for key in gone:
            del known[key]
        balas_server.advance(2000)
        told = facts(client, "i")
        assert int(told[b"num_docs"]) == len(known) == size - size // 2
        sizes.append(float(told[b"vector_index_sz_mb"]))
    # It is as large after ten rounds as after the first few, which leave room for what comes.
    assert max(sizes[3:]) <= max(sizes[:3]) * 1.1
    with monkeypatch.context() as patch:
        patch.setattr(hnsw, "COMPARED_MAX", 0)
        patch.setattr(hnsw, "STEP_COST", 0)
        rows, keys = np.array(list(known.values())), list(known)
        hits = 0
        for asked in chance.normal(size=(40, DIMENSION)).astype(np.float32):
            apart = ((rows - asked) ** 2).sum(axis=1)
            wanted = {b"i:%d" % keys[at] for at in np.argsort(apart)[:10]}
            reply = nearest(client, "i", asked.tobytes())
            assert len(reply) == 21
            for key, fields in zip(reply[1::2], reply[2::2], strict=True):
                row = known[int(key[2:])]
                assert float(fields[1]) == pytest.approx(((row - asked) ** 2).sum(), rel=1e-5)
            hits += len(wanted & set(reply[1::2]))
        assert hits >= (400 if algorithm == "FLAT" else 380)
    # What is left at the end takes hardly any room.
    client("DEL", *(f"i:{key}" for key in known))
    balas_server.advance(2000)
    told = facts(client, "i")
    assert int(told[b"num_docs"]) == 0
    assert nearest(client, "i", bytes(4 * DIMENSION)) == [0]
    assert float(told[b"vector_index_sz_mb"]) < max(sizes) / 4


@pytest.mark.parametrize("way", ["snapshot", "log", "log with a snapshot"])
def test_vectors_of_every_type_come_back(tmp_path: Path, way: str) -> None:
    chance = np.random.default_rng(7)
    preamble = "yes" if way == "log with a snapshot" else "no"
    logged = {"appendonly": "yes", "aof-use-rdb-preamble": preamble}
    with InProcessServer({} if way == "snapshot" else logged, directory=tmp_path) as server:
        client = server.client()
        blobs = {}
        for kind in TYPES:
            rows = chance.integers(0, 9, size=(40, DIMENSION))
            if kind == "BFLOAT16":
                rows = (rows.astype("<f4").view("<u4") >> 16).astype("<u2")
            else:
                rows = rows.astype(DTYPES[kind])
            for algorithm in ("FLAT", "HNSW"):
                name = f"{kind}-{algorithm}"
                create(client, name, algorithm, kind)
                store(client, name, range(40), rows)
                blobs[name] = rows[7].tobytes()
        before = {name: nearest(client, name, blob) for name, blob in blobs.items()}
        assert all(reply[1].endswith(b":7") and reply[2][1] == b"0" for reply in before.values())
        if way == "snapshot":
            client("SAVE")
        elif preamble == "yes":
            client("BGREWRITEAOF")
            finish_child(server)
        server.restart()
        server.advance(1000)
        client = server.client()
        # Of those as far away as each other either may come first.
        for name, blob in blobs.items():
            after = nearest(client, name, blob)
            assert after[0] == before[name][0]
            assert after[2::2] == before[name][2::2]


def test_a_graph_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hnsw, "COMPARED_MAX", 0)
    monkeypatch.setattr(hnsw, "STEP_COST", 0)
    chance = np.random.default_rng(7)
    rows = chance.normal(size=(1500, DIMENSION)).astype(np.float32)
    with InProcessServer(directory=tmp_path) as server:
        client = server.client()
        create(client, "i", "HNSW", "FLOAT32", "M", 12, "EF_RUNTIME", 200)
        store(client, "i", range(1500), rows)
        store(client, "i", range(0, 1500, 3), -rows[::3])
        asked = [row.tobytes() for row in chance.normal(size=(20, DIMENSION)).astype(np.float32)]
        filters = ("*", "@n:[0 700]", "@n:[0 20]")
        before = [nearest(client, "i", blob, text) for blob in asked for text in filters]
        client("SAVE")
        server.restart()
        server.advance(1000)
        client = server.client()
        after = [nearest(client, "i", blob, text) for blob in asked for text in filters]
        assert after == before
        attributes = facts(client, "i")[b"attributes"][1]
        assert attributes[attributes.index(b"M") + 1] == 12


def test_what_lies_within_a_radius_is_found_by_the_graph(
    balas_server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = np.random.default_rng(7)
    size, inside = 4000, 12
    middles = chance.normal(size=(40, DIMENSION)) * 3
    rows = middles[chance.integers(0, 40, size)] + chance.normal(size=(size, DIMENSION))
    rows = rows.astype(np.float32)
    client = balas_server.client()
    create(client, "i", "HNSW", "FLOAT32", "EPSILON", "0.02")
    store(client, "i", range(size), rows)
    monkeypatch.setattr(hnsw, "COMPARED_MAX", 0)
    monkeypatch.setattr(hnsw, "STEP_COST", 0)
    # Only the graph may answer.
    monkeypatch.delattr(VectorRows, "within")
    found = {"": 0, "; $epsilon: 0.001": 0, "; $epsilon: 1": 0}
    for asked in rows[::160]:
        apart = ((rows - asked) ** 2).sum(axis=1)
        radius = float(np.sort(apart)[inside - 1]) * 1.0001
        near = {b"i:%d" % number: apart[number] for number in np.flatnonzero(apart <= radius)}
        for epsilon in found:
            text = f"@v:[VECTOR_RANGE $r $b]=>{{$yield_distance_as: d{epsilon}}}"
            query = ("FT.SEARCH", "i", text, "SORTBY", "d", "RETURN", 1, "d", "LIMIT", 0, size)
            reply = client(*query, "DIALECT", 2, "PARAMS", 4, "r", radius, "b", asked.tobytes())
            told = dict(zip(reply[1::2], reply[2::2], strict=True))
            assert reply[0] == len(told)
            for key, fields in told.items():
                assert float(fields[1]) == pytest.approx(near[key], rel=1e-4, abs=1e-4)
            found[epsilon] += len(told)
    total = inside * len(rows[::160])
    assert 0.95 * total <= found["; $epsilon: 0.001"] <= found["; $epsilon: 1"] <= total
    assert found["; $epsilon: 1"] >= 0.99 * total


class Counted:
    """A graph that counts what is put into it."""

    def __init__(self, graph: Any, put: list[int]) -> None:
        self.graph = graph
        self.put = put

    def add(self, row: int, vector: Any) -> None:
        self.put.append(row)
        self.graph.add(row, vector)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.graph, name)


def test_a_change_of_another_field_leaves_the_graph_alone(
    balas_server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    put: list[int] = []
    make = hnsw.HnswVectors._graph
    monkeypatch.setattr(
        hnsw.HnswVectors, "_graph", lambda self, capacity: Counted(make(self, capacity), put)
    )
    monkeypatch.setattr(hnsw, "COMPARED_MAX", 0)
    monkeypatch.setattr(hnsw, "STEP_COST", 0)
    rows = np.random.default_rng(7).normal(size=(50, DIMENSION)).astype(np.float32)
    client = balas_server.client()
    create(client, "i", "HNSW", "FLOAT32")
    store(client, "i", range(50), rows)
    client("HSET", "i:7", "n", 1000)
    assert put == list(range(50))
    asked = rows[7].tobytes()
    assert nearest(client, "i", asked, "@n:[1000 1000]") == [1, b"i:7", [b"d", b"0"]]
    assert nearest(client, "i", asked, k=1) == [1, b"i:7", [b"d", b"0"]]
    client("HSET", "i:7", "v", rows[8].tobytes())
    assert put == [*range(50), 7]
    assert nearest(client, "i", rows[8].tobytes(), k=2)[2::2] == [[b"d", b"0"]] * 2


def graph_field(server: InProcessServer) -> hnsw.HnswVectors:
    found: hnsw.HnswVectors = (
        server.engine.services[module_class()].indexes.by_name[b"i"].fields[b"v"].vectors
    )
    return found


def recall(client: Client, known: dict[int, Floats], asked: Floats) -> float:
    """The share of the ten nearest that is found; checks the distances of those."""
    keys, rows = list(known), np.array(list(known.values()))
    hits = 0
    for query in asked:
        apart = ((rows - query) ** 2).sum(axis=1)
        reply = nearest(client, "i", query.tobytes())
        for key, fields in zip(reply[1::2], reply[2::2], strict=True):
            row = known[int(key[2:])]
            assert float(fields[1]) == pytest.approx(((row - query) ** 2).sum(), rel=1e-4)
        hits += len({b"i:%d" % keys[at] for at in np.argsort(apart)[:10]} & set(reply[1::2]))
    return hits / (10 * len(asked))


@pytest.mark.parametrize("helped", [0, 2])
def test_replacing_all_vectors_again_and_again(
    balas_server: InProcessServer, monkeypatch: pytest.MonkeyPatch, helped: int
) -> None:
    monkeypatch.setattr(hnsw, "COMPARED_MAX", 0)
    monkeypatch.setattr(hnsw, "STEP_COST", 0)
    monkeypatch.setattr(hnsw, "HELPED", helped)
    chance = np.random.default_rng(11)
    size = 1200
    client = balas_server.client()
    create(client, "i", "HNSW", "FLOAT32", "M", 8, "EF_CONSTRUCTION", 50, "EF_RUNTIME", 60)
    asked = chance.normal(size=(20, DIMENSION)).astype(np.float32)
    field = graph_field(balas_server)
    built = []
    for _ in range(4):
        rows = chance.normal(size=(size, DIMENSION)).astype(np.float32)
        for begin in range(0, size, 200):
            store(client, "i", range(begin, begin + 200), rows[begin : begin + 200])
            # Slices are done between commands.
            balas_server.advance(50)
        known = dict(enumerate(rows))
        assert recall(client, known, asked) >= 0.95
        balas_server.advance(5000)
        assert recall(client, known, asked) >= 0.95
        built.append(field.graph.dead)
        # Rows are taken again, and labels are never more than three for each vector.
        assert field.rows.used <= size + 1
        assert field.graph.given <= 3 * size
    assert field.successor is None
    assert min(built[1:]) < size / 2


def test_another_graph_is_built_in_slices_after_a_mass_deletion(
    balas_server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hnsw, "COMPARED_MAX", 0)
    monkeypatch.setattr(hnsw, "STEP_COST", 0)
    monkeypatch.setattr(indexes, "STEPS_SLICE_S", 0)  # a single step in each
    chance = np.random.default_rng(12)
    client = balas_server.client()
    create(client, "i", "HNSW", "FLOAT32", "EF_RUNTIME", 60)
    rows = chance.normal(size=(2000, DIMENSION)).astype(np.float32)
    store(client, "i", range(2000), rows)
    known = dict(enumerate(rows))
    client("DEL", *(f"i:{number}" for number in range(1500)))
    for number in range(1500):
        del known[number]
    field = graph_field(balas_server)
    assert field.successor is not None
    before = field.memory()
    asked = chance.normal(size=(20, DIMENSION)).astype(np.float32)
    states = []
    for _ in range(100):
        balas_server.advance(20)
        states.append(field.successor is None)
        # It goes on while vectors come, change, change elsewhere and go.
        number = int(chance.integers(1500, 2100))
        row = chance.normal(size=DIMENSION).astype(np.float32)
        store(client, "i", range(number, number + 1), row[None])
        known[number] = row
        kept, gone = (int(chance.choice(list(known))) for _ in range(2))
        client("HSET", f"i:{kept}", "n", 1)
        client("DEL", f"i:{gone}")
        del known[gone]
        assert recall(client, known, asked[:1]) >= 0.9
    assert not states[0]
    assert states[99]
    assert recall(client, known, asked) >= 0.95
    assert field.memory() < before / 2
    assert field.graph.dead <= 200


def test_a_dropped_index_is_not_built_anew(
    balas_server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hnsw, "COMPARED_MAX", 0)
    monkeypatch.setattr(indexes, "STEPS_SLICE_S", 0)
    client = balas_server.client()
    create(client, "i", "HNSW", "FLOAT32")
    store(client, "i", range(500), np.random.default_rng(1).random((500, DIMENSION), np.float32))
    client("DEL", *(f"i:{number}" for number in range(300)))
    field = graph_field(balas_server)
    balas_server.advance(1050)
    assert field.successor is not None
    assert 0 < field.successor.given < 200
    client("FT.DROPINDEX", "i")
    balas_server.advance(1000)
    assert field.successor is None
    assert field.graph.given == 500
