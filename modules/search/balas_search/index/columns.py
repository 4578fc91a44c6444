"""Columns of SORTABLE fields: what documents are sorted and grouped by, found by their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balas_search.index.emptying import emptied, shortened
from balas_search.index.tables import NumberColumn

Docs = NDArray[np.uint32]
# The code of a document that was not read yet.
UNREAD = -3


class TextColumn:
    """A text for each document id. Every text is kept once; a document has its number."""

    def __init__(self) -> None:
        self.codes = NumberColumn()
        self.texts: list[bytes] = []
        self._code_of: dict[bytes, int] = {}
        self._texts_size = 0
        self._ranks: NDArray[np.int64] | None = None

    def set(self, doc: int, value: bytes) -> None:
        """Set the text of a document."""
        code = self._code_of.get(value)
        if code is None:
            code = self._code_of[value] = len(self.texts)
            self.texts.append(value)
            self._texts_size += len(value)
            self._ranks = None
        self.codes.set(doc, code)

    def codes_at(self, docs: Docs) -> NDArray[np.int64]:
        """For each of the documents the place of its text in `texts`, -1 if it has none."""
        return self.codes.whole_at(docs)

    def at(self, docs: Docs) -> list[bytes | None]:
        """The texts of these documents."""
        texts = self.texts
        return [texts[code] if code >= 0 else None for code in self.codes_at(docs).tolist()]

    def sort_keys(self, docs: Docs) -> NDArray[np.float64]:
        """Numbers in the same order as the texts of these documents; NaN if there is none."""
        ranks = self.ranks()
        codes = self.codes_at(docs)
        found = np.full(len(codes), np.nan)
        there = codes >= 0
        found[there] = ranks[codes[there]]
        return found

    def ranks(self) -> NDArray[np.int64]:
        """For each text its place in the order of the texts."""
        if self._ranks is None or len(self._ranks) != len(self.texts):
            order = sorted(range(len(self.texts)), key=self.texts.__getitem__)
            self._ranks = np.empty(len(order), np.int64)
            self._ranks[order] = np.arange(len(order))
        return self._ranks

    def renumber(self, new_ids: Docs) -> None:
        """Move to new ids."""
        self.codes.renumber(new_ids)

    def emptied(self) -> Iterator[None]:
        """Free what is held, in steps; nothing else is to be asked."""
        yield from emptied(self._code_of)
        yield from shortened(self.texts)

    def memory(self) -> int:
        """Bytes it takes."""
        return self.codes.memory() + self._texts_size + 110 * len(self.texts)


class ReadColumn:
    """Texts that were read from documents, kept by document id to be used again.

    A document that changes gets a new id, so what was read of an id stays true.
    """

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.used_ms = 0
        self._code_of: dict[bytes, int] = {}
        self._codes = np.empty(0, np.int32)
        self._texts_size = 0

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
            code = self._code_of.get(text)
            if code is None:
                code = self._code_of[text] = len(self.texts)
                self.texts.append(text)
                self._texts_size += len(text)
            own[place] = code
        self._codes[docs] = own[codes]

    def emptied(self) -> Iterator[None]:
        """Free what is held, in steps; nothing else is to be asked."""
        yield from emptied(self._code_of)
        yield from shortened(self.texts)

    def memory(self) -> int:
        """Bytes it takes."""
        return self._codes.nbytes + self._texts_size + 130 * len(self.texts)


class NumericColumn(NumberColumn):
    """A number for each document id."""

    def sort_keys(self, docs: Docs) -> NDArray[np.float64]:
        """The numbers of these documents; NaN if there is none."""
        return self.at(docs)

    def emptied(self) -> Iterator[None]:
        """Nothing is held in pieces."""
        return iter(())


Column = TextColumn | NumericColumn


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
