"""The table of documents against a dict: ids, keys, and what is kept of each document."""

import os
import random

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from balas_search.index.tables import DocumentTable

EXAMPLES = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "25"))
# Few, so that they come again; among them empty ones, and those longer than a byte can say.
KEYS = st.one_of(
    st.integers(0, 60).map(lambda number: b"doc:%d" % number),
    st.sampled_from([b"", b"\x00", b"a" * 254, b"a" * 255, b"a" * 256, b"b" * 70_000]),
)


def renumbered(table: DocumentTable) -> np.ndarray:
    """Renumber a table in one go."""
    table.begin_renumbering()
    while table.renumber_some(1000):
        pass
    return table.end_renumbering()


class DocumentsMachine(RuleBasedStateMachine):
    """Puts, removes and renumbers documents in a table and in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.table = DocumentTable()
        self.ids: dict[bytes, int] = {}
        self.kept: dict[bytes, tuple[float, int, bytes | None]] = {}
        self.last = 0

    def put_one(self, key: bytes, score: float, length: int, payload: bytes | None) -> None:
        self.last += 1
        assert self.table.put(key, score, payload) == self.last
        self.table.describe(self.last, length, 1)
        self.ids[key] = self.last
        self.kept[key] = (score, length, payload)

    @rule(
        key=KEYS,
        score=st.sampled_from([0.0, 0.5, 1.0]),
        length=st.integers(0, 9),
        payload=st.none() | st.binary(max_size=3),
    )
    def put(self, key: bytes, score: float, length: int, payload: bytes | None) -> None:
        self.put_one(key, score, length, payload)

    @rule(first=st.integers(0, 5), count=st.integers(1, 300))
    def put_many(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            self.put_one(b"doc:%d" % number, 1.0, 3, None)

    @rule(key=KEYS)
    def remove(self, key: bytes) -> None:
        assert self.table.remove(key) == self.ids.pop(key, 0)
        self.kept.pop(key, None)

    @rule(share=st.integers(2, 5))
    def remove_many(self, share: int) -> None:
        for key in sorted(self.ids)[::share]:
            self.remove(key)

    @rule()
    def renumber(self) -> None:
        renumbered(self.table)
        ordered = sorted(self.ids, key=self.ids.__getitem__)
        self.ids = {key: doc for doc, key in enumerate(ordered, 1)}
        self.last = len(self.ids)

    @rule(data=st.data(), at_once=st.sampled_from([1, 7, 100]))
    def renumber_in_steps(self, data: st.DataObject, at_once: int) -> None:
        self.table.begin_renumbering()
        left, changes = True, 5
        while left:
            left = self.table.renumber_some(at_once)
            if changes and data.draw(st.booleans()):
                changes -= 1
                if data.draw(st.booleans()):
                    self.remove(data.draw(KEYS))
                else:
                    self.put_one(data.draw(KEYS), 1.0, 4, b"p")
                left = True
            self.same()
        new_ids = self.table.end_renumbering()
        assert len(new_ids) == self.last + 1
        moved = {key: int(new_ids[doc]) for key, doc in self.ids.items()}
        assert sorted(moved, key=moved.__getitem__) == sorted(self.ids, key=self.ids.__getitem__)
        assert self.table.last_id <= len(self.ids) + 2 * (5 - changes)
        self.ids, self.last = moved, self.table.last_id

    @invariant()
    def same(self) -> None:
        table = self.table
        assert (len(table), table.last_id) == (len(self.ids), self.last)
        docs = sorted(self.ids.values())
        assert table.all_ids().tolist() == docs
        assert table.keys_of(docs) == sorted(self.ids, key=self.ids.__getitem__)
        for key, doc in self.ids.items():
            assert key in table
            assert table.id_of(key) == doc
            score, length, payload = self.kept[key]
            assert (table.scores[doc], table.lengths[doc]) == (score, length)
            assert table.payloads.get(doc) == payload
        assert len(table.payloads) == sum(kept[2] is not None for kept in self.kept.values())
        assert table.total_length == sum(kept[1] for kept in self.kept.values())
        gone = set(range(self.last + 2)) - set(docs)
        assert all(table.key_of(doc) is None for doc in gone)


TestDocuments = DocumentsMachine.TestCase
TestDocuments.settings = settings(max_examples=EXAMPLES, stateful_step_count=25, deadline=None)


def test_keys_come_and_go_at_every_size() -> None:
    chance = random.Random(9)
    table, ids = DocumentTable(), dict[bytes, int]()
    for step in range(60_000):
        key = b"key:%d" % chance.randrange(20_000)
        if chance.random() < 0.6:
            ids[key] = table.put(key)
        else:
            assert table.remove(key) == ids.pop(key, 0)
        if step % 5_000 == 4_999:
            assert all(table.id_of(key) == doc for key, doc in ids.items())
            assert len(table) == len(ids)
    absent = [b"key:%d" % number for number in range(20_000) if b"key:%d" % number not in ids]
    assert not any(map(table.id_of, absent))


def test_a_document_takes_little_more_than_its_key() -> None:
    table = DocumentTable()
    for number in range(100_000):
        table.put(b"key:%08d" % number)
    assert table.memory() < 100_000 * (12 + 56)
    for number in range(0, 100_000, 10):
        table.put(b"key:%08d" % number)  # its bytes are not stored again
    for number in range(90_000):
        table.remove(b"key:%08d" % number)
    renumbered(table)
    assert table.memory() < 10_000 * (12 + 56)
    assert table.keys_of(np.array([1, 10_000], np.uint32)) == [b"key:00090001", b"key:00099990"]
