"""What is gone leaves the postings of a large index in steps; then the index is renumbered."""

import random

import numpy as np

from balas.testing import InProcessServer
from balas_search.commands.common import module_class
from balas_search.index.index import Index
from balas_search.postings.posting import Posting
from balas_search.postings.termtable import TermTable

ALL = (1 << 128) - 1
AT_ONCE = 64


def content(posting: Posting, alive: np.ndarray) -> list[tuple[int, float, list[int]]]:
    """What a posting tells of the documents that are there."""
    docs = posting.docs_view()
    docs = docs[alive[docs] != 0].copy()
    starts, places = posting.positions_at(docs, ALL)
    freqs = posting.freqs_at(docs, ALL)
    return [
        (int(doc), float(freqs[i]), places[starts[i] : starts[i + 1]].tolist())
        for i, doc in enumerate(docs)
    ]


def test_a_purge_leaves_what_is_there_though_documents_come_and_go_meanwhile() -> None:
    chance = random.Random(8)
    alive = np.zeros(6000, np.uint8)
    table, twin = TermTable(), TermTable()
    postings = {}
    for term in (b"often", b"seldom", b"never", b"gone"):
        postings[term] = Posting(term), Posting(term)
    made = 1

    def write(term: bytes) -> None:
        for posting in postings[term]:
            state = chance.getstate()
            freq, field = chance.randint(1, 300), chance.choice([0, 1, 9, 70])
            for place in range(1, chance.randint(2, 4)):
                posting.append(made, freq, field, place * chance.randint(1, 200))
            if posting is postings[term][0]:
                chance.setstate(state)

    for made in range(1, 3000):
        alive[made] = made % 3 == 0
        write(b"often")
        if made % 50 == 0:
            write(b"seldom")
        if made % 3:
            write(b"gone")
    for own, other in postings.values():
        table.add(own)
        twin.add(other)
    steps = 0
    for _ in table.purged(lambda: alive, AT_ONCE):
        steps += 1
        alive[chance.randrange(made)] = 0
        made += 1
        alive[made] = 1
        # The table is told of what it holds, as a writer does it.
        before = postings[b"often"][0].memory(), postings[b"often"][0].offsets_bytes()
        blocks = -(-len(postings[b"often"][0]) // 100)
        write(b"often")
        table.posting_bytes += postings[b"often"][0].memory() - before[0]
        table.position_bytes += postings[b"often"][0].offsets_bytes() - before[1]
        table.blocks += -(-len(postings[b"often"][0]) // 100) - blocks
        for own, other in postings.values():
            assert content(own, alive) == content(other, alive)
    assert steps >= 5000 // AT_ONCE
    assert len(postings[b"gone"][0]) == 0
    assert len(postings[b"often"][0]) < len(postings[b"often"][1]) / 2
    assert table.posting_bytes == sum(posting.memory() for posting in table.values())
    assert table.position_bytes == sum(posting.offsets_bytes() for posting in table.values())
    new_ids = np.where(alive != 0, np.cumsum(alive), 0xFFFFFFFF).astype(np.uint32)
    expected = {posting.term: posting.renumbered(new_ids) for posting in twin.values()}
    assert sorted(table.renumber(new_ids)) == [b"gone", b"never"]
    there = np.ones(6000, np.uint8)
    assert len(table) == 2
    for posting in table.values():
        assert content(posting, there) == content(expected[posting.term], there)
    assert table.entries == sum(len(posting) for posting in table.values())
    assert table.blocks == sum(-(-len(posting) // 100) for posting in table.values())
    assert table.posting_bytes == sum(posting.memory() for posting in table.values())


def the_index(server: InProcessServer) -> Index:
    found: Index = server.engine.services[module_class()].indexes.by_name[b"i"]
    return found


def test_a_large_index_answers_rightly_while_it_is_made_ready(
    balas_server: InProcessServer,
) -> None:
    client = balas_server.client()
    client("FT.CREATE", "i", "SCHEMA", "t", "TEXT", "g", "TAG", "n", "NUMERIC")
    chance = random.Random(2)
    held: dict[str, str] = {}

    def write(number: int) -> None:
        word = f"w{chance.randrange(20)}"
        held[f"d:{number}"] = word
        client("HSET", f"d:{number}", "t", f"one two three {word} running", "g", word, "n", number)

    for number in range(2500):
        write(number)
    for number in range(2500):
        write(number)
    for number in range(40):
        client("DEL", f"d:{number}")
        del held[f"d:{number}"]
    index = the_index(balas_server)
    assert index.unused_ids > len(held)
    for _ in range(400):
        balas_server.advance(20)
        word = f"w{chance.randrange(20)}"
        expected = sum(one == word for one in held.values())
        for query in (word, f"@g:{{{word}}}", f'"three {word}"', f"{word} run"):
            assert client("FT.SEARCH", "i", query, "LIMIT", 0, 0) == [expected]
        if index.collections:
            break
        write(chance.randrange(2500))
    assert index.collections == 1
    assert index.unused_ids < 400
    assert {posting.term for posting in index.terms.values()} == set(index.vocabulary.in_order())


def test_an_index_that_is_dropped_or_renumbered_meanwhile_is_left_alone(
    balas_server: InProcessServer,
) -> None:
    client = balas_server.client()
    client("FT.CREATE", "i", "SCHEMA", "t", "TEXT")
    for _ in range(2):
        for number in range(3000):
            client("HSET", f"d:{number}", "t", f"one two three four w{number}")
    index = the_index(balas_server)
    for number in range(0, 3000, 2):
        client("DEL", f"d:{number}")
    steps = index.purged()
    next(steps)
    index.collect()
    assert list(steps) == []
    assert client("FT.SEARCH", "i", "three", "LIMIT", 0, 0) == [1500]
    assert client("FT.SEARCH", "i", "w7", "NOCONTENT") == [1, b"d:7"]
    steps = index.purged()
    index.clear()
    assert len(list(steps)) <= 1
    client("FT.DROPINDEX", "i")
    balas_server.advance(5000)
    assert len(index.terms) == 0
