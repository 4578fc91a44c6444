"""The data type: items with the moments they are due."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from balas.api import Digest, LoadStream, SaveStream, Value

# What an empty queue takes, and an item beside its bytes.
QUEUE_BYTES = 350
ITEM_BYTES = 270
# So many entries of the heap may be out of date, beside as many as there are items.
HEAP_SPARE = 16


class Queue(Value):
    """Items by their numbers, and a heap of the moments (ms) they are due at."""

    type_name = "delayed-q"
    rdb_version = 1

    def __init__(self) -> None:
        self.items: dict[int, tuple[int, bytes]] = {}
        self.size = QUEUE_BYTES
        self.last_number = 0
        self._heap: list[tuple[int, int]] = []

    def add(self, number: int, due_ms: int, item: bytes) -> None:
        """Add an item that is not there yet."""
        self.items[number] = due_ms, item
        self.size += ITEM_BYTES + len(item)
        self.last_number = max(self.last_number, number)
        heapq.heappush(self._heap, (due_ms, number))

    def first(self) -> tuple[int, int] | None:
        """When the first item is due, and its number; None if there is none."""
        while self._heap and self._is_out_of_date(*self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None

    def _is_out_of_date(self, due_ms: int, number: int) -> bool:
        return number not in self.items or self.items[number][0] != due_ms

    def move(self, number: int, due_ms: int) -> bool:
        """Have an item due at another moment; whether it is there."""
        if number not in self.items:
            return False
        self.items[number] = due_ms, self.items[number][1]
        heapq.heappush(self._heap, (due_ms, number))
        if len(self._heap) > 2 * len(self.items) + HEAP_SPARE:
            self._heap = [(due, one) for one, (due, _) in self.items.items()]
            heapq.heapify(self._heap)
        return True

    def remove(self, number: int) -> bytes | None:
        """Take an item out; None if it is not there."""
        found = self.items.pop(number, None)
        if found is None:
            return None
        self.size -= ITEM_BYTES + len(found[1])
        return found[1]

    def memory_usage(self) -> int:
        return self.size

    def copy(self) -> Queue:
        queue = Queue()
        for number, (due_ms, item) in self.items.items():
            queue.add(number, due_ms, item)
        return queue

    def digest(self, digest: Digest) -> None:
        for number in sorted(self.items):
            due_ms, item = self.items[number]
            digest.add(b"%d %d" % (number, due_ms))
            digest.add(item)

    def rdb_save(self, out: SaveStream) -> None:
        out.save_unsigned(len(self.items))
        for number, (due_ms, item) in self.items.items():
            out.save_unsigned(number)
            out.save_unsigned(due_ms)
            out.save_string(item)

    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Queue:
        queue = cls()
        for _ in range(source.load_unsigned()):
            number, due_ms = source.load_unsigned(), source.load_unsigned()
            queue.add(number, due_ms, source.load_string())
        return queue

    def aof_rewrite(self, key: bytes) -> Iterator[Sequence[bytes]]:
        for number, (due_ms, item) in self.items.items():
            yield b"DELAYED.RESTORE", key, b"%d" % number, b"%d" % due_ms, item

    @classmethod
    def example(cls) -> Queue:
        """A queue with some items, for `balas module check`."""
        queue = cls()
        for number in range(1, 30):
            queue.add(number, 1_000_000_000_000 + number, b"item %d" % number)
        return queue

    def vary(self) -> None:
        """Change a little."""
        self.add(self.last_number + 1, 1_000_000_000_000, b"another")
