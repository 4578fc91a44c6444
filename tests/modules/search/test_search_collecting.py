"""What is gone leaves the postings of a large index in steps; then the index is renumbered."""

import random

import numpy as np
import pytest

from balas.testing import InProcessServer
from balas_search.commands.common import module_class
from balas_search.index.columns import TextColumn
from balas_search.index.emptying import STEP
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
        table.entries += 1
        for own, other in postings.values():
            assert content(own, alive) == content(other, alive)
    assert steps >= 5000 // AT_ONCE
    assert len(postings[b"gone"][0]) == 0
    assert len(postings[b"often"][0]) < len(postings[b"often"][1]) / 2
    assert table.posting_bytes == sum(posting.memory() for posting in table.values())
    assert table.position_bytes == sum(posting.offsets_bytes() for posting in table.values())
    # Then the others get new ids, when they are asked for or in steps.
    expected = {term: content(own, alive) for term, (own, _) in postings.items()}
    new_ids = np.cumsum(alive, dtype=np.uint32)
    list(table.purged(lambda: alive, AT_ONCE))
    table.renumber(new_ids)
    moved = {
        term: [(int(new_ids[doc]), freq, places) for doc, freq, places in docs]
        for term, docs in expected.items()
    }
    there = np.ones(6000, np.uint8)
    assert content(table[b"seldom"], there) == moved[b"seldom"]
    forgotten: list[bytes] = []
    assert len(list(table.settled(forgotten.append, AT_ONCE))) > 0
    assert sorted(forgotten) == [b"gone", b"never"]
    assert len(table) == 2
    for posting in table.values():
        assert content(posting, there) == moved[posting.term]
    assert table.entries == sum(len(posting) for posting in table.values())
    assert table.blocks == sum(-(-len(posting) // 100) for posting in table.values())
    assert table.posting_bytes == sum(posting.memory() for posting in table.values())
    assert list(table.settled(forgotten.append, AT_ONCE)) == []


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
    total = len(list(index.collected()))
    for cut in range(1, total, 2):
        for number in range(1, 3000, 50):
            client("HSET", f"d:{number}", "t", f"one two three four w{number} more")
        steps = index.collected()
        for _ in range(cut):
            next(steps, None)
        index.collect()
        assert list(steps) == []
        assert client("FT.SEARCH", "i", "three", "LIMIT", 0, 0) == [1500]
        assert client("FT.SEARCH", "i", "w7", "NOCONTENT") == [1, b"d:7"]
        assert index.unused_ids == 0
    steps = index.collected()
    next(steps)
    index.clear()
    assert list(steps) == []
    steps = index.collected()
    client("FT.DROPINDEX", "i")
    balas_server.advance(5000)
    assert len(index.terms) == 0


# Scores are left out: words of documents that are gone count in them until they are collected.
SCHEMA = (
    b"SCHEMA t TEXT SORTABLE g TAG SORTABLE n NUMERIC SORTABLE p GEO s GEOSHAPE FLAT "
    b"m TEXT INDEXMISSING NOSTEM h VECTOR HNSW 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 "
    b"v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2"
)
NEAREST = ("PARAMS", "2", "q", np.array([3, 4], np.float32).tobytes(), "SORTBY", "d", "DIALECT", 2)
QUERIES: list[tuple[object, ...]] = [
    ("run", "SORTBY", "n", "LIMIT", 0, 50),
    ("three @g:{a*|b1}", "SORTBY", "g", "LIMIT", 0, 50),
    ('"two three"', "SORTBY", "t", "DESC", "LIMIT", 0, 50),
    ("w1* -@m:here", "LIMIT", 0, 0),
    ("ismissing(@m)", "SORTBY", "g", "LIMIT", 0, 50, "DIALECT", 2),
    ("@n:[10 (200] ~w2", "SORTBY", "t", "LIMIT", 0, 50),
    ("@p:[1 1 300 km]", "LIMIT", 0, 50),
    ("@s:[WITHIN $q]", "PARAMS", 2, "q", "POLYGON((0 0, 5 0, 5 5, 0 5, 0 0))", "DIALECT", 3),
    ("*=>[KNN 9 @v $q AS d]", *NEAREST),
    ("@g:{b1}=>[KNN 9 @h $q AS d]", *NEAREST),
]
GROUPS = ("*", "LOAD", 1, "u", "GROUPBY", 1, "@u", "REDUCE", "COUNT", 0, "SORTBY", 2, "@u", "ASC")


def test_at_every_step_of_a_collection_an_index_answers_as_one_that_is_not_collected(
    balas_server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("index.PURGED_AT_ONCE", "index.RENUMBERED_AT_ONCE", "index.MOVED_AT_ONCE"):
        monkeypatch.setattr(f"balas_search.index.{place}", 700)
    seed = random.randrange(10**6)
    print("seed", seed)
    chance = random.Random(seed)
    client = balas_server.client()
    for name in "ij":
        client("FT.CREATE", name, *SCHEMA.split())
    index = the_index(balas_server)

    def write() -> None:
        key = f"d:{chance.randrange(600)}"
        if chance.random() < 0.3:
            client("DEL", key)
            return
        x, y = chance.randrange(9), chance.randrange(9)
        place = np.array([x + chance.random(), y], np.float32).tobytes()
        words = f"one two three w{chance.randrange(40)} {chance.choice(['runs', 'running', ''])}"
        fields: dict[str, object] = {
            "t": words,
            "g": f"{chance.choice('ab')}{chance.randrange(3)}",
            "n": chance.randrange(300),
            "p": f"{x},{y}",
            "s": f"POINT({x} {y})",
            "h": place,
            "v": place,
            "u": chance.randrange(5),
        }
        if chance.random() < 0.8:
            fields["m"] = "here"
        client("DEL", key)
        client("HSET", key, *(item for pair in fields.items() for item in pair))

    def compare() -> None:
        for query in QUERIES:
            assert client("FT.SEARCH", "i", *query) == client("FT.SEARCH", "j", *query)
        assert client("FT.AGGREGATE", "i", *GROUPS) == client("FT.AGGREGATE", "j", *GROUPS)

    for _ in range(2500):
        write()
    rounds = 0
    for _ in range(2):
        for _ in index.collected():
            rounds += 1
            for _ in range(chance.randrange(30)):
                write()
            compare()
        assert index.unused_ids < 1000
        compare()
        for _ in range(1500):
            write()
    assert rounds > 15
    assert {posting.term for posting in index.terms.values()} >= {b"three", b"+run", b"w1"}
    memory = index.memory()
    index.collect()
    assert index.unused_ids == 0
    assert index.memory() <= memory
    assert {posting.term for posting in index.terms.values()} == set(index.vocabulary.in_order())
    assert index.records == sum(len(posting) for posting in index.terms.values())
    compare()


def test_texts_that_no_document_has_are_forgotten_though_documents_come_and_go() -> None:
    chance = random.Random(3)
    column, texts = TextColumn(), dict[int, bytes]()
    made = 0

    def write(count: int) -> None:
        nonlocal made
        for _ in range(count):
            made += 1
            texts[made] = b"text %d" % chance.randrange(5000)
            column.set(made, texts[made])

    def documents() -> np.ndarray:
        return np.array(sorted(texts), np.uint32)

    def check() -> None:
        docs = documents()
        assert column.at(docs) == [texts[doc] for doc in docs.tolist()]
        some = docs[:: chance.choice([1, 50])].copy()
        by_key = some[np.argsort(column.sort_keys(some), kind="stable")].tolist()
        assert by_key == sorted(some.tolist(), key=lambda doc: texts[doc])

    write(4000)
    for _ in range(3):
        check()
        for doc in sorted(texts)[: len(texts) * 3 // 4]:
            del texts[doc]
        held, steps = column.memory(), 0
        for _ in column.compacted(documents):
            steps += 1
            del texts[chance.choice(sorted(texts))]
            write(chance.randrange(3))
            check()
        assert steps > 2
        assert len(column.texts) < 2 * len(set(texts.values())) + STEP
        assert column.memory() < held
        check()
        write(2000)
        check()
    # What an aggregation had taken stays as it was.
    held = column.texts
    shown = list(held)
    for doc in sorted(texts)[10:]:
        del texts[doc]
    list(column.compacted(documents))
    assert len(column.texts) <= 10
    assert list(held) == shown
    assert [held[number] for number in range(len(held))] == shown
    with pytest.raises(IndexError):
        held[len(held)]
    total = len(column.texts)
    assert list(column.compacted(documents)) == []
    assert len(column.texts) == total
