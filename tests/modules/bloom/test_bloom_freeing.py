"""Big values are given back in slices, and damaged chunks do no harm."""

import random

import pytest

from balas.api import Value
from balas.errors import ReplyError
from balas.testing import Client, InProcessServer
from balas_bloom.cuckoo import CuckooFilter
from balas_bloom.sketch import CountMinSketch
from balas_bloom.tdigest import TDigest
from balas_bloom.topk import TopK

SLICE = 64


def big_list() -> TopK:
    held = TopK.create(2000, 100_000, 5, 0.9)
    held.top.add_all(tuple(b"%d" % i for i in range(5000)))
    return held


def grown_filter() -> CuckooFilter:
    held = CuckooFilter.create(100_000, 2, 20, 2)
    held.table.add_all(tuple(b"%d" % i for i in range(600_000)), False, -1)
    assert held.table.count > 1
    return held


BIG = {
    "cuckoo": grown_filter,
    "sketch": lambda: CountMinSketch.create(200_000, 5),
    "topk": big_list,
    "tdigest": lambda: TDigest.create(50_000),
}


@pytest.mark.parametrize("make", BIG.values(), ids=BIG.keys())
def test_a_big_value_is_freed_in_slices(make: type[Value]) -> None:
    held = make()
    effort = held.free_effort()
    assert effort > 2 * SLICE
    steps = 1
    while held.free_step(SLICE):
        steps += 1
        assert steps < effort
    assert effort / SLICE / 2 < steps <= effort / SLICE + 8


def test_what_was_given_back_is_empty() -> None:
    sketch = CountMinSketch.create(100_000, 5)
    sketch.sketch.increase_all((b"", *[b"%d" % (i // 2) for i in range(200_000)]), OverflowError)
    assert any(sketch.sketch.read()[4096:-4096])
    while sketch.free_step(SLICE):
        pass
    assert not any(sketch.sketch.read()[4096:-4096])


def dumped(client: Client, family: str) -> list[tuple[int, bytes]]:
    """All that SCANDUMP gives of the key "source"."""
    found: list[tuple[int, bytes]] = []
    iterator = 0
    while True:
        iterator, data = client(f"{family}.SCANDUMP", "source", iterator)
        if not iterator:
            return found
        found.append((iterator, data))


def load(client: Client, family: str, iterator: int, data: bytes) -> bool:
    """Load a chunk; False if it is refused."""
    try:
        return bool(client(f"{family}.LOADCHUNK", "k", iterator, data) == b"OK")
    except ReplyError:
        return False


@pytest.mark.parametrize(
    ("family", "reserve"), [("BF", ("0.01", "100")), ("CF", ("100", "EXPANSION", "2"))]
)
def test_no_damaged_chunk_does_harm(
    family: str, reserve: tuple[str, ...], balas_server: InProcessServer
) -> None:
    rng = random.Random(9)
    with balas_server.client() as client:
        client(f"{family}.RESERVE", "source", *reserve)
        for item in range(400):
            client(f"{family}.ADD", "source", item)
        (first, header), *chunks = dumped(client, family)
        assert chunks
        place, body = chunks[0]
        for length in range(len(header)):
            assert not load(client, family, first, header[:length])
        assert load(client, family, first, header)
        # Of the slots, or bits, a piece that ends elsewhere is refused, or a part of its own.
        for length in range(len(body)):
            load(client, family, place, body[:length])
        for _ in range(300):
            damaged = bytearray(header)
            damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
            client("DEL", "k")
            if load(client, family, first, bytes(damaged)):
                load(client, family, place, body)
                load(client, family, rng.randrange(1 << rng.randrange(1, 62)), body)
                client(f"{family}.MEXISTS", "k", *range(50))
                client("DUMP", "k")
        client("DEL", "k")
        assert load(client, family, first, header)
        assert all(load(client, family, at, data) for at, data in chunks)
        assert client(f"{family}.MEXISTS", "k", *range(400)) == [1] * 400
