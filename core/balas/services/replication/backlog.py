"""The latest part of the stream of records, kept for replicas whose connection broke.

Positions count the bytes of the stream from 1 on, as offsets in Redis's replication do: the offset
of a server is the position of the last byte.
"""

from __future__ import annotations

from collections import deque


class Backlog:
    """The last bytes of a stream: at least `size` of them, once there were as many.

    Attributes:
        size: how many are wanted.
        first: the position of the first byte that is here.
        length: how many are here.
    """

    def __init__(self, size: int, offset: int) -> None:
        self.size = size
        self.first = offset + 1
        self.length = 0
        self._chunks: deque[bytes] = deque()

    @property
    def offset(self) -> int:
        """The position of the last byte."""
        return self.first + self.length - 1

    def append(self, data: bytes) -> None:
        """Add the next bytes, and let the oldest go that are not needed any more."""
        self._chunks.append(data)
        self.length += len(data)
        while self.length - len(self._chunks[0]) >= self.size:
            gone = len(self._chunks.popleft())
            self.length -= gone
            self.first += gone

    def holds(self, position: int) -> bool:
        """Whether everything from `position` on is here, be it nothing yet."""
        return self.first <= position <= self.offset + 1

    def since(self, position: int) -> bytes:
        """Everything from `position` on; it must be here."""
        return b"".join(self._chunks)[position - self.first :]
