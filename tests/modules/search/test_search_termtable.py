"""The table of terms: it holds what a dict would, in parts that stay short, and knows its bytes."""

import gc
import sys
from itertools import chain

import numpy as np
import pytest

from balas_search.analysis.tokens import TextWriter
from balas_search.index.emptying import STEP, emptied, shortened
from balas_search.index.vocabulary import Vocabulary
from balas_search.postings.posting import Posting
from balas_search.postings.termtable import TermTable

PART_MAX = 5400


def parts_of(table: TermTable) -> list[list[bytes]]:
    return [[posting.term for posting in part] for part in table.in_parts()]


@pytest.mark.parametrize("count", [0, 1, PART_MAX, PART_MAX + 1, 60_000])
def test_every_term_is_found_and_walked_over_once(count: int) -> None:
    table = TermTable()
    twin: dict[bytes, Posting] = {}
    for number in range(count):
        posting = Posting(b"term%d" % number)
        table.add(posting)
        twin[posting.term] = posting
    assert len(table) == len(twin)
    assert all(table.get(term) is posting for term, posting in twin.items())
    assert {posting.term: posting for posting in table.values()} == twin
    assert sorted(table) == sorted(twin)
    parts = parts_of(table)
    assert sorted(chain.from_iterable(parts)) == sorted(twin)
    assert max(map(len, parts)) <= PART_MAX
    assert b"other" not in table
    assert table.get(b"other") is None
    with pytest.raises(KeyError):
        table[b"other"]


def test_a_walk_in_parts_finds_what_was_there_though_parts_are_split_meanwhile() -> None:
    table = TermTable()
    before = {b"early%d" % number for number in range(12_000)}
    for term in before:
        table.add(Posting(term))
    seen: list[bytes] = []
    added = 0
    for part in table.in_parts():
        seen += [posting.term for posting in part]
        for _ in range(8000):
            table.add(Posting(b"late%d" % added))
            added += 1
    assert len(parts_of(table)) > 8
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


def test_the_table_knows_what_its_postings_take() -> None:
    chance = np.random.default_rng(5)
    table, tags = TermTable(), TermTable()
    writer = TextWriter(table, set(), lambda term: None, True)
    for doc in range(1, 2000):
        writer.begin(doc)
        words = [b"w%d" % number for number in chance.integers(0, 300, 20)]
        writer.add(b" ".join(words), int(chance.integers(0, 10)), 1.0, None, None, None, None)
        assert tags.add_doc(words[0], doc) == (len(tags[words[0]]) == 1)
    for found in (table, tags):
        held = list(found.values())
        assert found.posting_bytes == sum(posting.memory() for posting in held)
        assert found.position_bytes == sum(posting.offsets_bytes() for posting in held)
        assert found.blocks == sum(-(-len(posting) // 100) for posting in held)
        assert found.entries == sum(len(posting) for posting in held)
    # So does a table that takes them in.
    other = TermTable()
    for posting in table.values():
        other.add(posting)
    assert (other.position_bytes, other.blocks) == (table.position_bytes, table.blocks)
    assert (other.posting_bytes, other.entries) == (table.posting_bytes, table.entries)


def test_what_is_held_is_freed_a_little_at_a_time() -> None:
    count = 3 * PART_MAX
    words = [b"w%d" % number for number in range(count)]
    table, vocabulary = TermTable(), Vocabulary(words[:100])
    held = [Posting(word) for word in words]
    for doc in range(count):
        table.add(held[doc])
    for word in words[100:]:
        vocabulary.add(word)
    mapping, row = dict.fromkeys(words), list(words)
    alone = sys.getrefcount(Posting(b"")) * count
    for steps, size in (
        (table.emptied(), lambda: sum(map(sys.getrefcount, held)) - alone - count),
        (vocabulary.emptied(), lambda: len(vocabulary)),
        (emptied(mapping), lambda: len(mapping)),
        (shortened(row), lambda: len(row)),
    ):
        before = size()
        assert before == count
        for _ in steps:
            left = size()
            assert before - left <= STEP
            before = left
        assert size() == 0
    assert (len(table), table.posting_bytes) == (0, 0)


def test_terms_are_no_work_for_the_garbage_collector() -> None:
    table = TermTable()
    for number in range(20_000):
        table.add_doc(b"%d" % number, 1)
    parts = [one for one in gc.get_objects() if type(one) is dict and b"17" in one]
    assert not parts
    assert not gc.is_tracked(table[b"17"])
