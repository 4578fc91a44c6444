"""Vectors that come, change, expire and go, through the wire, beside a twin that knows them all.

Two fields hold the same vectors. FLAT must find exactly what the twin does; HNSW is made to go by
its graph even where there are few vectors, and must tell the truth about what it finds, and find
nearly all.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from balas.testing import Client, InProcessServer
from balas_search.index import index, indexes
from balas_search.vectors import hnsw

DIMENSION = 4
TYPES = ("FLOAT32", "FLOAT64", "FLOAT16", "BFLOAT16", "INT8", "UINT8")
METRICS = ("L2", "IP", "COSINE")
DTYPES = {"FLOAT32": "<f4", "FLOAT64": "<f8", "FLOAT16": "<f2", "INT8": "i1", "UINT8": "u1"}
# How far off the distance of vectors may be that are kept at length 1.
CLOSE = {"FLOAT16": 0.003, "BFLOAT16": 0.02}
RECALL_MIN = 0.95

keys = st.integers(0, 30).map(lambda number: f"d{number}")
# Small whole numbers, which every type holds as they are.
rows = st.lists(st.integers(-4, 4), min_size=DIMENSION, max_size=DIMENSION)
fields = st.sampled_from(["flat", "graph"])
bounds = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted)


@dataclass
class Document:
    """What the twin knows of a document."""

    row: np.ndarray
    number: int
    expires_ms: int | None = None


class Vectors(RuleBasedStateMachine):
    """Both servers of the truth: Balas, and a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.server = InProcessServer()
        self.client: Client = self.server.client()
        self.twin: dict[str, Document] = {}
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(hnsw, "COMPARED_MAX", 0)
        self.patch.setattr(hnsw, "STEP_COST", 0)
        # Another graph is built in single steps, so that much happens meanwhile.
        self.patch.setattr(indexes, "STEPS_SLICE_S", 0)
        # What has gone is collected soon.
        self.patch.setattr(index, "COLLECT_MIN", 4)
        self.found = self.wanted = 0

    @initialize(
        kind=st.sampled_from(TYPES), metric=st.sampled_from(METRICS), helped=st.integers(0, 2)
    )
    def create(self, kind: str, metric: str, helped: int) -> None:
        self.kind, self.metric = kind, metric
        self.patch.setattr(hnsw, "HELPED", helped)
        attributes = f"TYPE {kind} DIM {DIMENSION} DISTANCE_METRIC {metric}"
        schema = f"n NUMERIC flat VECTOR FLAT 6 {attributes} graph VECTOR HNSW 8 {attributes}"
        self.client("FT.CREATE", "i", "SCHEMA", *schema.split(" "), "EF_RUNTIME", 50)

    # --- changes ---------------------------------------------------------------------------------

    def blob(self, row: np.ndarray) -> bytes:
        if self.kind == "BFLOAT16":
            return (row.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
        return row.astype(DTYPES[self.kind]).tobytes()

    def vector(self, row: list[int]) -> np.ndarray:
        return np.abs(row) if self.kind == "UINT8" else np.array(row)

    @rule(key=keys, row=rows, number=st.integers(0, 9))
    def put(self, key: str, row: list[int], number: int) -> None:
        document = Document(self.vector(row), number)
        if (known := self.twin.get(key)) is not None:
            document.expires_ms = known.expires_ms
        self.twin[key] = document
        blob = self.blob(document.row)
        self.client("HSET", key, "n", number, "flat", blob, "graph", blob)

    @rule(number=st.integers(5, 40), seed=st.integers(0, 1000))
    def put_many(self, number: int, seed: int) -> None:
        chance = np.random.default_rng(seed)
        for at in range(number):
            self.put(f"d{at}", chance.integers(-4, 5, DIMENSION).tolist(), at % 10)

    @rule(key=keys, number=st.integers(0, 9))
    def change_another_field(self, key: str, number: int) -> None:
        if key in self.twin:
            self.twin[key].number = number
            self.client("HSET", key, "n", number)

    @rule(key=keys)
    def delete(self, key: str) -> None:
        assert self.client("DEL", key) == (self.twin.pop(key, None) is not None)

    @rule(share=st.integers(1, 3))
    def delete_many(self, share: int) -> None:
        for key in sorted(self.twin)[::share]:
            self.delete(key)

    @rule(key=keys, ms=st.integers(1, 50))
    def expire(self, key: str, ms: int) -> None:
        if self.client("PEXPIRE", key, ms):
            self.twin[key].expires_ms = self.server.clock.now_ms + ms

    @rule(key=keys, new=keys)
    def rename(self, key: str, new: str) -> None:
        if key in self.twin:
            self.client("RENAME", key, new)
            self.twin[new] = self.twin.pop(key)

    @rule(ms=st.integers(1, 60) | st.just(2000))
    def wait(self, ms: int) -> None:
        self.server.advance(ms)
        now_ms = self.server.clock.now_ms
        for key, document in list(self.twin.items()):
            if document.expires_ms is not None and document.expires_ms < now_ms:
                # Nobody may have looked at it yet.
                self.client("EXISTS", key)
                del self.twin[key]

    # --- queries ---------------------------------------------------------------------------------

    def distances(self, row: np.ndarray, low: int = 0, high: int = 9) -> dict[str, float]:
        """Of the documents with a number in these bounds."""
        found = {}
        for key, document in self.twin.items():
            if low <= document.number <= high:
                one, other = document.row.astype(float), row.astype(float)
                if self.metric == "COSINE":
                    one, other = (v / (np.linalg.norm(v) or 1) for v in (one, other))
                apart = ((one - other) ** 2).sum() if self.metric == "L2" else 1 - one @ other
                found[key] = float(apart)
        return found

    def ask(self, text: str, row: np.ndarray, *options: Any) -> dict[str, float]:
        """What is found, with the distances under the name `d`, in this order."""
        parameters = ("PARAMS", 2, "b", self.blob(row), "DIALECT", 2)
        reply = self.client("FT.SEARCH", "i", text, "RETURN", 1, "d", *parameters, *options)
        note(f"{text} {row}: {reply}")
        told = zip(reply[1::2], reply[2::2], strict=True)
        found = {key.decode(): float(fields[1]) for key, fields in told}
        assert len(found) == len(reply) // 2
        return found

    def check(self, field: str, found: dict[str, float], known: dict[str, float], k: int) -> None:
        close = CLOSE.get(self.kind, 1e-5) if self.metric == "COSINE" else 1e-5
        assert found == pytest.approx({key: known[key] for key in found}, abs=close)
        assert list(found.values()) == sorted(found.values())
        wanted = sorted(known.values())[:k]
        assert len(found) == len(wanted)
        if field == "flat":
            assert list(found.values()) == pytest.approx(wanted, abs=close)
        else:
            self.wanted += len(wanted)
            limit = wanted[len(wanted) - 1] + 2 * close if wanted else 0
            self.found += sum(apart <= limit for apart in found.values())

    @rule(field=fields, row=rows, k=st.integers(1, 40))
    def nearest(self, field: str, row: list[int], k: int) -> None:
        asked = self.vector(row)
        found = self.ask(f"*=>[KNN {k} @{field} $b AS d]", asked, "SORTBY", "d", "LIMIT", 0, k)
        self.check(field, found, self.distances(asked), k)

    @rule(
        field=fields,
        row=rows,
        k=st.integers(1, 40),
        low_high=bounds,
        policy=st.sampled_from(["", "HYBRID_POLICY ADHOC_BF", "HYBRID_POLICY BATCHES"]),
    )
    def nearest_under_a_filter(
        self, field: str, row: list[int], k: int, low_high: list[int], policy: str
    ) -> None:
        asked = self.vector(row)
        low, high = low_high
        text = f"@n:[{low} {high}]=>[KNN {k} @{field} $b {policy} AS d]"
        found = self.ask(text, asked, "SORTBY", "d", "LIMIT", 0, k)
        self.check(field, found, self.distances(asked, low, high), k)

    @rule(field=fields, row=rows, k=st.integers(1, 20), first=st.integers(0, 20))
    def a_page(self, field: str, row: list[int], k: int, first: int) -> None:
        asked = self.vector(row)
        text = f"*=>[KNN {k} @{field} $b AS d]"
        whole = self.ask(text, asked, "SORTBY", "d", "LIMIT", 0, k)
        part = self.ask(text, asked, "SORTBY", "d", "LIMIT", first, 5)
        assert list(part.items()) == list(whole.items())[first : first + 5]

    @precondition(lambda self: self.metric != "COSINE")
    @rule(field=fields, row=rows, radius=st.integers(0, 60), low_high=bounds)
    def within(self, field: str, row: list[int], radius: int, low_high: list[int]) -> None:
        asked = self.vector(row)
        low, high = low_high
        text = f"@{field}:[VECTOR_RANGE {radius}.5 $b]=>{{$yield_distance_as: d}}"
        text = f"@n:[{low} {high}] {text}"
        found = self.ask(text, asked, "SORTBY", "d", "LIMIT", 0, 100)
        known = self.distances(asked, low, high)
        inside = {key: apart for key, apart in known.items() if apart <= radius + 0.5}
        assert found == {key: inside[key] for key in found}
        if field == "flat":
            assert found == inside
        else:
            self.found += len(found)
            self.wanted += len(inside)

    @rule()
    def count(self) -> None:
        reply = self.client("FT.SEARCH", "i", "*", "LIMIT", 0, 0)
        assert reply == [len(self.twin)]

    def teardown(self) -> None:
        self.patch.undo()
        self.server.close()
        assert self.found >= RECALL_MIN * self.wanted


Vectors.TestCase.settings = settings(
    max_examples=settings().max_examples // 2, stateful_step_count=30
)
TestVectors = Vectors.TestCase
