"""All terms of a field or an index in order, for prefixes, patterns and near misses.

They stand in blocks of some hundred, so that one more or less never moves many others.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator

from balas_search.index.emptying import shortened

# A block of more terms is cut in two.
BLOCK_MAX = 1024


class Vocabulary:
    """A set of terms that can be walked in order. A term is added once."""

    def __init__(self, terms: Iterable[bytes] = ()) -> None:
        ordered = sorted(terms)
        self._count = len(ordered)
        self._blocks = [
            ordered[begin : begin + BLOCK_MAX] for begin in range(0, len(ordered), BLOCK_MAX)
        ] or [[]]
        # Of each block a term that is no greater than its first, and greater than all before it.
        self._lowest = [b"", *[block[0] for block in self._blocks[1:]]]

    def __len__(self) -> int:
        return self._count

    def add(self, term: bytes) -> None:
        """Add a term that is not there yet."""
        at = bisect_right(self._lowest, term) - 1
        block = self._blocks[at]
        insort(block, term)
        self._count += 1
        if len(block) > BLOCK_MAX:
            self._blocks.insert(at + 1, block[BLOCK_MAX // 2 :])
            self._lowest.insert(at + 1, block[BLOCK_MAX // 2])
            del block[BLOCK_MAX // 2 :]

    def forget(self, term: bytes) -> None:
        """Forget a term that is there."""
        at = bisect_right(self._lowest, term) - 1
        block = self._blocks[at]
        del block[bisect_left(block, term)]
        self._count -= 1
        if not block and at:
            del self._blocks[at], self._lowest[at]

    def in_order(self) -> list[bytes]:
        """All terms in order."""
        return [term for block in self._blocks for term in block]

    def emptied(self) -> Iterator[None]:
        """Forget all terms in steps, a few of them in each; nothing else is to be asked."""
        while self._blocks:
            block = self._blocks.pop()
            for _ in shortened(block):
                self._count = sum(map(len, self._blocks)) + len(block)
                yield

    def in_parts(self, prefix: bytes = b"") -> Iterator[list[bytes]]:
        """The terms that begin so, in order, at most BLOCK_MAX at a time. Not to be changed."""
        beyond = after(prefix)
        for at in range(bisect_right(self._lowest, prefix) - 1, len(self._blocks)):
            block = self._blocks[at]
            begin = bisect_left(block, prefix)
            end = bisect_left(block, beyond, begin) if beyond else len(block)
            if begin or end < len(block):
                block = block[begin:end]
            yield block
            if end < len(self._blocks[at]):
                break

    def with_prefix(self, prefix: bytes, at_most: int) -> list[bytes]:
        """The first terms that begin so."""
        found: list[bytes] = []
        for part in self.in_parts(prefix):
            found += part[: at_most - len(found)]
            if len(found) >= at_most:
                break
        return found

    def memory(self) -> int:
        """Bytes it takes; the terms themselves are counted where they belong."""
        return 8 * self._count


def after(prefix: bytes) -> bytes:
    """The least text that is greater than all that begin with `prefix`; empty if there is none."""
    prefix = prefix.rstrip(b"\xff")
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else b""
