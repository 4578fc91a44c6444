"""Columns of SORTABLE fields: what documents are sorted and grouped by, found by their ids."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balas_search.index.emptying import STEP
from balas_search.index.tables import GONE, NumberColumn
from balas_search.index.texts import TextTable

Docs = NDArray[np.uint32]
# Where no more than this share of all texts is to be sorted, it is done without the others.
FEW_SHARE = 8
# The code of a document that was not read yet.
UNREAD = -3


class TextColumn:
    """A text for each document id. Every text is kept once; a document has its number."""

    def __init__(self) -> None:
        self.codes = NumberColumn()
        self.texts = TextTable()
        # The numbers of texts in the order of these, and for each number its place there; new ones
        # are sorted in when somebody asks.
        self._order = np.empty(0, np.int64)
        self._ranks = np.empty(0, np.int64)

    def set(self, doc: int, value: bytes) -> None:
        """Set the text of a document."""
        self.codes.set(doc, self.texts.number_of(value))

    def codes_at(self, docs: Docs) -> NDArray[np.int64]:
        """For each of the documents the place of its text in `texts`, -1 if it has none."""
        return self.codes.whole_at(docs)

    def at(self, docs: Docs) -> list[bytes | None]:
        """The texts of these documents."""
        texts = self.texts
        return [texts[code] if code >= 0 else None for code in self.codes_at(docs).tolist()]

    def sort_keys(self, docs: Docs) -> NDArray[np.float64]:
        """Numbers in the same order as the texts of these documents; NaN if there is none."""
        codes = self.codes_at(docs)
        found = np.full(len(codes), np.nan)
        there = codes >= 0
        codes = codes[there]
        if len(self._ranks) < len(self.texts) and len(codes) * FEW_SHARE < len(self.texts):
            some, codes = np.unique(codes, return_inverse=True)
            ranks = ranks_of(self.texts.some(some))
        else:
            ranks = self.ranks()
        found[there] = ranks[codes]
        return found

    def ranks(self) -> NDArray[np.int64]:
        """For each text its place in the order of the texts."""
        texts, order = self.texts, self._order
        if len(order) < len(texts):
            if len(texts) - len(order) < len(order) // FEW_SHARE:
                new = sorted(range(len(order), len(texts)), key=lambda code: texts[code])
                self._order = np.insert(order, [self._place_of(texts[code]) for code in new], new)
            else:
                self._order = texts.order()
            self._ranks = np.empty(len(texts), np.int64)
            self._ranks[self._order] = np.arange(len(texts))
        return self._ranks

    def _place_of(self, text: bytes) -> int:
        """Where a text belongs in the order."""
        order, texts = self._order, self.texts
        return bisect_left(range(len(order)), text, key=lambda place: texts[int(order[place])])

    def renumber(self, new_ids: Docs) -> None:
        """Move to new ids."""
        self.codes.renumber(new_ids)

    def compacted(self, documents: Callable[[], Docs]) -> Iterator[None]:
        """Forget in steps the texts that no document has, if they are most.

        `documents()` are those that are there; they may change between two steps.
        """
        if np.count_nonzero(self._used(documents)) * 2 > len(self.texts) - STEP:
            return
        made = TextColumn()
        # For each text here its number there.
        numbers = np.empty(0, np.int64)
        # Those whose order is known come first, in that order.
        wanted = self._order[self._used(documents)[self._order]]
        made._order = made._ranks = np.arange(len(wanted))
        while True:
            numbers = np.append(numbers, np.full(len(self.texts) - len(numbers), -1))
            for begin in range(0, len(wanted), STEP):
                for code in wanted[begin : begin + STEP].tolist():
                    numbers[code] = made.texts.number_of(self.texts[code])
                if len(wanted) > STEP:
                    yield
            used = self._used(documents)
            used[: len(numbers)] &= numbers < 0
            wanted = np.flatnonzero(used)
            if not len(wanted):
                break
        # An aggregation whose rows somebody still fetches may hold the texts that were here.
        self.codes.recode(numbers)
        self.texts, self._order, self._ranks = made.texts, made._order, made._ranks

    def _used(self, documents: Callable[[], Docs]) -> NDArray[np.bool_]:
        """For each text whether one of the documents has it."""
        codes = self.codes.whole_at(documents())
        used = np.zeros(len(self.texts), bool)
        used[codes[codes >= 0]] = True
        return used

    def memory(self) -> int:
        """Bytes it takes."""
        ordered = self._order.nbytes + self._ranks.nbytes
        return self.codes.memory() + self.texts.memory() + ordered


class ReadColumn:
    """Texts that were read from documents, kept by document id to be used again.

    A document that changes gets a new id, so what was read of an id stays true.
    """

    def __init__(self) -> None:
        self.texts = TextTable()
        self.used_ms = 0
        self._codes = np.empty(0, np.int32)

    def codes_at(self, docs: Docs) -> NDArray[np.int64]:
        """For each of the documents the place of its text, -1 if it has none, UNREAD if unknown."""
        if len(docs) and int(docs.max()) >= len(self._codes):
            grown = np.full(int(docs.max()) + 1, UNREAD, np.int32)
            grown[: len(self._codes)] = self._codes
            self._codes = grown
        return self._codes[docs].astype(np.int64)

    def put(self, docs: Docs, codes: NDArray[np.int64], texts: list[bytes]) -> None:
        """Keep what was read of some documents, coded by texts of their own."""
        own = np.full(len(texts) + 1, -1, np.int32)
        for place, text in enumerate(texts):
            own[place] = self.texts.number_of(text)
        self._codes[docs] = own[codes]

    def renumber(self, new_ids: Docs) -> None:
        """Move to new ids."""
        codes = self._codes[: len(new_ids)]
        kept = new_ids[: len(codes)]
        there = kept != GONE
        self._codes = np.full(int(kept[there].max(initial=0)) + 1, UNREAD, np.int32)
        self._codes[kept[there]] = codes[there]

    def memory(self) -> int:
        """Bytes it takes."""
        return self._codes.nbytes + self.texts.memory()


class NumericColumn(NumberColumn):
    """A number for each document id."""

    def sort_keys(self, docs: Docs) -> NDArray[np.float64]:
        """The numbers of these documents; NaN if there is none."""
        return self.at(docs)

    def compacted(self, documents: Callable[[], Docs]) -> Iterator[None]:
        """Nothing is held that no document has."""
        return iter(())


Column = TextColumn | NumericColumn


def ranks_of(texts: list[bytes]) -> NDArray[np.int64]:
    """For each of some distinct texts its place in their order."""
    ranks = np.empty(len(texts), np.int64)
    ranks[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(len(texts))
    return ranks


def loaded_column(values: Iterable[Any], as_numbers: bool) -> list[Any]:
    """Values read from documents, as numbers where they are meant to be."""
    if not as_numbers:
        return list(values)
    found: list[Any] = []
    for value in values:
        try:
            found.append(float(value))
        except (TypeError, ValueError):
            found.append(None)
    return found
