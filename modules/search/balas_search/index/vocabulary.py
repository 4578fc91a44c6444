"""All terms of a field or an index in order, for prefixes, patterns and near misses.

New terms come while documents are indexed, one by one; sorting is left to the first query that
needs the order. The list is nearly sorted then, and that is quick.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator

from balas_search.index.emptying import shortened


class Vocabulary:
    """A set of terms that can be walked in order. A term is added once."""

    def __init__(self, terms: Iterable[bytes] = ()) -> None:
        self._sorted: list[bytes] = sorted(terms)
        self._new: list[bytes] = []

    def __len__(self) -> int:
        return len(self._sorted) + len(self._new)

    def add(self, term: bytes) -> None:
        """Add a term that is not there yet."""
        self._new.append(term)

    def forget(self, terms: Collection[bytes]) -> None:
        """Forget some terms."""
        if terms:
            gone = set(terms)
            self._sorted = [term for term in self._sorted if term not in gone]
            self._new = [term for term in self._new if term not in gone]

    def in_order(self) -> list[bytes]:
        """All terms in order; not to be changed."""
        if self._new:
            self._new.sort()
            self._sorted += self._new
            # Two sorted runs, which the sort finds out and merges.
            self._sorted.sort()
            self._new = []
        return self._sorted

    def emptied(self) -> Iterator[None]:
        """Forget all terms in steps, a few of them in each; nothing else is to be asked."""
        yield from shortened(self._new)
        yield from shortened(self._sorted)

    def with_prefix(self, prefix: bytes, at_most: int) -> list[bytes]:
        """The first terms that begin so."""
        terms = self.in_order()
        at = bisect_left(terms, prefix)
        end = bisect_left(terms, after(prefix), at) if prefix.strip(b"\xff") else len(terms)
        return terms[at : min(end, at + at_most)]

    def memory(self) -> int:
        """Bytes it takes; the terms themselves are counted where they belong."""
        return 8 * len(self)


def after(prefix: bytes) -> bytes:
    """The least text that is greater than all that begin with `prefix`."""
    prefix = prefix.rstrip(b"\xff")
    return prefix[:-1] + bytes([prefix[-1] + 1])
