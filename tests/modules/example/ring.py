"""Rings: lists that keep their latest items only. A module for Balas in one file.

RING.CREATE makes one, RING.PUSH adds items, RING.ITEMS returns them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from balas.api import (
    ACCESS,
    DENYOOM,
    FAST,
    INSERT,
    OK,
    READONLY,
    RO,
    RW,
    WRITE,
    BadData,
    Context,
    Digest,
    LoadStream,
    Module,
    Reply,
    ReplyError,
    SaveStream,
    Value,
    command,
    integer,
    key,
)

# What an empty ring takes, and an item beside its bytes.
RING_BYTES = 800
ITEM_BYTES = 48


class Ring(Value):
    """At most `capacity` items: one more, and the oldest goes."""

    type_name = "demo-ring"
    rdb_version = 1

    def __init__(self, capacity: int, items: Iterable[bytes] = ()) -> None:
        self.capacity = capacity
        self.items: deque[bytes] = deque()
        self.size = RING_BYTES
        for item in items:
            self.push(item)

    def push(self, item: bytes) -> None:
        """Add an item behind the others."""
        self.items.append(item)
        self.size += ITEM_BYTES + len(item)
        if len(self.items) > self.capacity:
            self.size -= ITEM_BYTES + len(self.items.popleft())

    def memory_usage(self) -> int:
        return self.size

    def copy(self) -> Ring:
        return Ring(self.capacity, self.items)

    def digest(self, digest: Digest) -> None:
        digest.add(b"%d" % self.capacity)
        for item in self.items:
            digest.add(item)

    def rdb_save(self, out: SaveStream) -> None:
        out.save_unsigned(self.capacity)
        out.save_unsigned(len(self.items))
        for item in self.items:
            out.save_string(item)

    @classmethod
    def rdb_load(cls, source: LoadStream, version: int) -> Ring:
        ring = cls(source.load_unsigned())
        if not ring.capacity:
            raise BadData("a ring without room")
        for _ in range(source.load_unsigned()):
            ring.push(source.load_string())
        return ring

    def aof_rewrite(self, key: bytes) -> Iterator[Sequence[bytes]]:
        yield b"RING.CREATE", key, b"%d" % self.capacity
        for item in self.items:
            yield b"RING.PUSH", key, item


@command("RING.CREATE", arity=3, flags=WRITE | DENYOOM | FAST, keys=key(1, RW | INSERT))
def create(ctx: Context, key: bytes, capacity: bytes) -> Reply:
    """RING.CREATE key capacity

    Make an empty ring for at most this many items.
    """
    room = integer(capacity, 1, 1_000_000, "ERR the capacity must be from 1 to 1000000")
    if ctx.there(key):
        raise ReplyError("ERR this key exists already")
    ctx.store(key, Ring(room))
    ctx.changed(key, "ring.create")
    return OK


@command("RING.PUSH", arity=-3, flags=WRITE | DENYOOM | FAST, keys=key(1, RW | INSERT))
def push(ctx: Context, key: bytes, *items: bytes) -> Reply:
    """RING.PUSH key item [item ...]

    Add items, and return how many the ring holds now.
    """
    ring = ctx.write(key, Ring)
    if ring is None:
        raise ReplyError("ERR there is no such ring")
    for item in items:
        ring.push(item)
    ctx.changed(key, "ring.push")
    return len(ring.items)


@command("RING.ITEMS", arity=2, flags=READONLY, keys=key(1, RO | ACCESS))
def items(ctx: Context, key: bytes) -> Reply:
    """RING.ITEMS key

    Return the items, the oldest first; none if there is no such ring.
    """
    ring = ctx.read(key, Ring)
    return list(ring.items) if ring is not None else []


class Rings(Module):
    """Lists that keep their latest items only."""

    name = "ring"
    version = 100
    types = (Ring,)
