"""Posting lists, set algebra and phrases beside naive twins."""

import random
from itertools import accumulate, pairwise, product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from balas_search.analysis.tokens import TextWriter, tokens_of
from balas_search.fields.numeric import NumericIndex
from balas_search.fields.spec import NUMERIC, FieldSpec
from balas_search.index.vocabulary import Vocabulary
from balas_search.postings import phrases, sets, spans
from balas_search.postings.fuzzy import within
from balas_search.postings.posting import Posting
from balas_search.postings.termtable import TermTable
from balas_search.query.tree import ALL_FIELDS

few = settings(max_examples=60, deadline=None)
ids = st.lists(st.integers(1, 300), max_size=80, unique=True).map(sorted)
positions = st.lists(st.integers(0, 400), min_size=1, max_size=6, unique=True).map(sorted)


def array(docs: list[int]) -> np.ndarray:
    return np.array(docs, np.uint32)


occurrences = st.lists(
    st.tuples(st.integers(1, 40), st.integers(1, 300), st.integers(0, 70), st.integers(0, 900)),
    max_size=80,
)


@few
@given(occurrences, ids)
def test_a_posting_list_gives_back_what_it_was_given(
    entries: list[tuple[int, int, int, int]], wanted: list[int]
) -> None:
    posting = Posting(b"term")
    freqs: dict[int, int] = {}
    masks: dict[int, int] = {}
    places: dict[int, list[int]] = {}
    for doc, freq, field, place in sorted(entries, key=lambda entry: (entry[0], entry[3])):
        freqs[doc] = freqs.get(doc, 0) + freq
        masks[doc] = masks.get(doc, 0) | 1 << field
        places.setdefault(doc, []).append(place)
        assert posting.append(doc, freq, field, place) == freqs[doc]
    assert posting.docs_view().tolist() == sorted(freqs)
    mask = 1 << 3 | 1 << 66
    assert posting.docs_in(mask).tolist() == sorted(d for d in masks if masks[d] & mask)
    found = posting.freqs_at(array(wanted), mask).tolist()
    assert found == [freqs[d] if masks.get(d, 0) & mask else 0 for d in wanted]
    starts, flat = posting.positions_at(array(wanted), mask)
    assert [flat[starts[i] : starts[i + 1]].tolist() for i in range(len(wanted))] == [
        places[d] if masks.get(d, 0) & mask else [] for d in wanted
    ]
    alive = np.array([d % 3 > 0 for d in range(50)], np.uint8)
    list(posting.purged(lambda: alive, 4))
    new_ids = np.cumsum(alive, dtype=np.uint32)
    posting.renumber(new_ids)
    left = [d for d in sorted(freqs) if d % 3]
    assert posting.docs_view().tolist() == new_ids[left].tolist()
    starts, flat = posting.positions_at(posting.docs_view().copy(), ALL_FIELDS)
    assert flat.tolist() == [place for d in left for place in places[d]]


@few
@given(ids, ids)
def test_set_algebra_is_that_of_sets(one: list[int], other: list[int]) -> None:
    a, b = array(one), array(other)
    assert sets.intersect(a, b).tolist() == sorted({*one} & {*other})
    assert sets.union([a, b]).tolist() == sorted({*one} | {*other})
    assert sets.union([a, b, array([7])]).tolist() == sorted({*one} | {*other} | {7})
    assert sets.without(a, b).tolist() == sorted({*one} - {*other})
    assert sets.contains(a, b).tolist() == [doc in one for doc in other]
    docs, targets = sets.zigzag([a, b], [False, False])
    assert docs.tolist() == sorted({*one} & {*other})
    for docs_of, asked in zip((a, b), targets, strict=True):
        landed = sets.landings(docs_of, asked, docs).tolist()
        assert landed == naive_landings(docs_of.tolist(), asked.tolist(), docs.tolist())
    landings = [sets.landings(a, targets[0], docs), sets.landings(b, targets[1], docs)]
    assert [part.tolist() for part in sets.both(a, b)] == [
        part.tolist() for part in (docs, *landings)
    ]


word_places = st.sets(st.tuples(st.integers(1, 12), st.integers(0, 300)), min_size=1)


@few
@given(word_places, word_places)
def test_two_words_follow_each_other(
    one: set[tuple[int, int]], other: set[tuple[int, int]]
) -> None:
    postings = []
    for places in (one, other):
        made = Posting(b"t")
        for doc, position in sorted(places):
            made.append(doc, position=position)
        postings.append(made)
    wanted = {doc for doc, place in one if {(doc, place), (doc, place + 1)} & other}
    assert phrases.following(*postings, lambda: None).tolist() == sorted(wanted)


def naive_landings(docs: list[int], targets: list[int], wanted: list[int]) -> list[int]:
    found = []
    for doc in wanted:
        before = max([d for d in docs if d < doc], default=0)
        if before == 0 and targets and targets[0] == 0:
            continue
        behind = [target for target in targets if target > before]
        if behind and behind[0] < doc:
            found.append(doc)
    return found


@few
@given(st.lists(positions, min_size=2, max_size=3), st.integers(0, 6))
def test_phrases_are_where_words_stand_near(parts: list[list[int]], slop: int) -> None:
    given_parts = [(np.array([0, len(part)]), array(part)) for part in parts]
    counts: list[None] = [None] * len(parts)
    ordered = any(
        all(x <= y for x, y in pairwise(p))
        and max(accumulate(y - x - 1 for x, y in pairwise(p))) <= slop
        for p in product(*parts)
    )
    assert spans.near(given_parts, counts, 1, slop, True)[0] == ordered
    anyhow = any(
        max(p) - min(p) - (len(p) - 1) <= slop and max(p) != min(p) for p in product(*parts)
    )
    if not any({*a} & {*b} for a, b in pairwise(parts)):
        assert spans.near(given_parts, counts, 1, slop, False)[0] == anyhow
    if len(parts) == 2:
        nearest = min(abs(x - y) for x, y in product(*parts))
        found = spans.distances(given_parts, counts, np.array([2]))[0]
        assert found >= max(nearest, 1)
    starts, merged = spans.merged(given_parts, 1)
    assert starts.tolist() == [0, len(merged)]
    assert merged.tolist() == sorted(place for part in parts for place in part)


words = st.text("abc", min_size=1, max_size=5).map(str.encode)


@few
@given(st.lists(words, unique=True), words, st.integers(1, 3))
def test_near_misses_are_those_within_the_distance(
    terms: list[bytes], word: bytes, distance: int
) -> None:
    found = within(sorted(terms), word, distance, 1000)
    assert found == [term for term in sorted(terms) if edits(term, word) <= distance]


def edits(one: bytes, other: bytes) -> int:
    row = list(range(len(other) + 1))
    for place, letter in enumerate(one, 1):
        before, row[0] = row[0], place
        for at, second in enumerate(other, 1):
            before, row[at] = (
                row[at],
                min(before + (letter != second), row[at] + 1, row[at - 1] + 1),
            )
    return row[-1]


@few
@given(st.lists(words, unique=True), words)
def test_a_vocabulary_knows_what_begins_so(terms: list[bytes], prefix: bytes) -> None:
    vocabulary = Vocabulary(terms[: len(terms) // 2])
    for term in terms[len(terms) // 2 :]:
        vocabulary.add(term)
    assert vocabulary.in_order() == sorted(terms)
    found = sorted(term for term in terms if term.startswith(prefix))
    assert vocabulary.with_prefix(prefix, 1000) == found
    assert vocabulary.with_prefix(prefix, 2) == found[:2]
    for term in found:
        vocabulary.forget(term)
    assert vocabulary.in_order() == sorted({*terms} - {*found})
    assert len(vocabulary) == len(terms) - len(found)


def test_a_large_vocabulary_stays_in_order() -> None:
    chance = random.Random(6)
    vocabulary, twin = Vocabulary(b"%d" % number for number in range(3000)), set[bytes]()
    twin.update(vocabulary.in_order())
    for step in range(20_000):
        term = b"%d" % chance.randrange(12_000)
        # It grows to several blocks, and shrinks until some are empty.
        if term not in twin and chance.random() < (0.9 if step < 10_000 else 0.01):
            twin.add(term)
            vocabulary.add(term)
        elif term in twin and step >= 10_000:
            twin.remove(term)
            vocabulary.forget(term)
        if step % 1000 == 0:
            assert vocabulary.in_order() == sorted(twin)
            found = sorted(one for one in twin if one.startswith(b"10"))
            assert vocabulary.with_prefix(b"10", 10_000) == found
            assert [one for part in vocabulary.in_parts(b"10") for one in part] == found
    assert len(vocabulary) == len(twin)
    assert vocabulary.memory() == 8 * len(twin)


def test_numbers_are_found_in_narrow_and_wide_ranges() -> None:
    index = NumericIndex(FieldSpec(b"n", b"n", NUMERIC, []))
    chance = np.random.default_rng(7)
    values = chance.integers(0, 1000, 20_000).tolist()
    for doc, value in enumerate(values, 1):
        index.add(doc, index.prepare([b"%d" % value]))
        if doc in (6000, 19_000):
            assert index.between(5, 5, True, True).tolist() == [
                d for d, v in enumerate(values[:doc], 1) if v == 5
            ]
    for low, high, with_low, with_high in (
        (10, 12, True, True),
        (10, 12, False, False),
        (0, 900, True, False),
        (-5, -1, True, True),
        (999, 5000, False, True),
    ):
        expected = [
            d
            for d, v in enumerate(values, 1)
            if (v > low or (with_low and v == low)) and (v < high or (with_high and v == high))
        ]
        assert index.between(low, high, with_low, with_high).tolist() == expected


def test_tokens_are_cut_as_the_original_cuts_them() -> None:
    assert [token for token, _, _ in tokens_of(rb"Hello, foo-bar a_b foo\-bar \xq 1.5")] == [
        b"hello",
        b"foo",
        b"bar",
        b"a_b",
        b"foo-bar",
        b"xq",
        b"1",
        b"5",
    ]
    assert tokens_of(b"  ab (cd)") == [(b"ab", 2, 4), (b"cd", 6, 8)]


def test_stop_words_take_no_place() -> None:
    terms = TermTable()
    writer = TextWriter(terms, {b"the"}, lambda term: None, True)
    writer.begin(1)
    writer.add(b"one the two one", 0, 1.0, None, None, None, None)
    assert set(terms) == {b"one", b"two"}
    assert terms[b"one"].positions_at(array([1]), ALL_FIELDS)[1].tolist() == [1, 3]
    assert (writer.length, writer.frequency_max, writer.records) == (3, 2, 2)


def test_frequencies_of_many_documents_are_those_of_each() -> None:
    chance = np.random.default_rng(3)
    posting = Posting(b"term")
    held = {int(doc): int(chance.integers(1, 400)) for doc in chance.choice(6000, 2500) + 1}
    for doc in sorted(held):
        posting.append(doc, held[doc], doc % 3, 1)
    wanted = np.unique(chance.choice(6000, 4000) + 1).astype(np.uint32)
    assert len(wanted) > 2048
    for mask in (ALL_FIELDS, 0b010):
        expected = [held.get(doc, 0) if mask >> doc % 3 & 1 else 0 for doc in wanted.tolist()]
        assert posting.freqs_at(wanted, mask).tolist() == expected
        assert posting.freqs_at(wanted[:50].copy(), mask).tolist() == expected[:50]
