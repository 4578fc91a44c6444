"""The value of a module that is not loaded: kept as it was written, until the module comes.

An orphan is its own DUMP payload, so whoever saves, copies, logs or ships it needs to understand
nothing of it. It answers TYPE with the name it always had, and every typed command on it is refused
with WRONGTYPE, for no command asks for this class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from balas.types.digest import Digest
from balas.types.value import Value

# Of a DUMP payload: the kind of value in front; the version and the checksum behind.
KIND_BYTES = 1
SEAL_BYTES = 10

# The object itself and the head of its bytes.
OBJECT_BYTES = 120


class Orphan(Value):
    """A module's value in the form in which it travels; nothing about it ever changes.

    Attributes:
        type_name: what TYPE replies: the name of the module's type.
        rdb_version: the version of the encoding.
        payload: as DUMP gives it.
        counts: how many orphans of each type a server has; this one counts while it lives.
    """

    __slots__ = ("counts", "payload", "rdb_version", "type_name")

    def __init__(
        self, type_name: str, rdb_version: int, payload: bytes, counts: Counter[str]
    ) -> None:
        self.type_name = type_name
        self.rdb_version = rdb_version
        self.payload = payload
        self.counts = counts
        counts[type_name] += 1

    def __del__(self) -> None:
        self.counts[self.type_name] -= 1

    @property
    def body(self) -> memoryview:
        """What an RDB file holds of it behind the key: the id of the type, the items, their end."""
        return memoryview(self.payload)[KIND_BYTES:-SEAL_BYTES]

    def aof_rewrite(self, key: bytes) -> Iterator[Sequence[bytes]]:
        """RESTORE, which is never asked to understand the payload either."""
        yield b"RESTORE", key, b"0", self.payload

    def copy(self) -> Orphan:
        """Another one that shares the bytes, which cannot change."""
        return Orphan(self.type_name, self.rdb_version, self.payload, self.counts)

    def digest(self, digest: Digest) -> None:
        """Mix in the bytes.

        Equal orphans have equal digests; an orphan and the value it stands for do not.
        """
        digest.add(bytes(self.body))

    def memory_usage(self) -> int:
        """The bytes and the object around them."""
        return OBJECT_BYTES + len(self.payload)
