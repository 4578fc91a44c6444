"""The type stream by itself: the map of ids, blocks, files, damaged payloads, the laws."""

import random
from pathlib import Path

import pytest

from balas.errors import BadData, ReplyError
from balas.services.rdb.dump import dump
from balas.services.rdb.format import dump_open, dump_seal
from balas.testing import InProcessServer, RealRedis
from balas.testing.laws import check_laws, loaded_as
from balas.types.limits import Limits
from balas.types.stream import Stream
from balas.types.stream_ids import ID_MAX, IdMap, format_id, parse_given_id, parse_id

ANYTHING = (0, ID_MAX, -1, False)


def a_stream(entries: int = 300) -> Stream:
    """Entries of several shapes in several blocks, some deleted, and two groups of readers."""
    limits, made = Limits(), Stream()
    for i in range(entries):
        words: tuple[bytes, ...] = (b"name", b"n%d" % i, b"size", b"%d" % (i * 1000))
        if i % 7 == 3:
            words += (b"extra", b"x" * (i % 90))
        made.add((i << 64) + i % 3 + 1, words, 0, limits)
    for i in range(0, entries, 11):
        made.remove((i << 64) + i % 3 + 1)
    group = made.add_group(b"readers", 0, 0)
    for name in (b"alice", b"bob", b"idle"):
        group.add_consumer(name, 1000)
    for turn in range(6):
        consumer = group.consumers[(b"alice", b"bob")[turn % 2]]
        made.deliver(group, consumer, group.last_id + 1, 20, False, 2000 + turn)
    made.add_group(b"others", 5 << 64, -1)
    return made


def change(stream: Stream) -> None:
    stream.add(stream.last_id + 1, (b"field", b"value"), 0, Limits())


def test_a_stream_obeys_the_laws(balas_server: InProcessServer) -> None:
    check_laws(balas_server, a_stream, change)


def test_a_copy_has_the_same_groups() -> None:
    stream = a_stream()
    copied = stream.copy()
    assert dump(copied) == dump(stream)
    copied.groups[b"readers"].drop_consumer(copied.groups[b"readers"].consumers[b"alice"])
    assert stream.groups[b"readers"].consumers[b"alice"].pending_count == 60
    copied.check_invariants()


def test_freeing_in_steps_ends() -> None:
    stream = a_stream()
    steps = 1
    while stream.free_step(3):
        steps += 1
    assert steps > 10
    assert stream.memory_usage() < Stream().memory_usage() + 2000


@pytest.mark.parametrize("seed", range(2))
def test_the_map_of_ids_agrees_with_a_sorted_set(seed: int) -> None:
    rng = random.Random(seed)
    ids, twin = IdMap(), set()
    for turn in range(6000):
        id = rng.choice((rng.getrandbits(128), rng.getrandbits(8) << 64 | rng.getrandbits(3)))
        if rng.random() < (0.7 if turn < 3000 else 0.2):
            assert ids.add(id) == (id not in twin)
            twin.add(id)
        else:
            id = rng.choice(sorted(twin)) if twin and turn % 5 == 0 else id
            assert ids.remove(id) == (id in twin)
            twin.discard(id)
    ids.check_invariants()
    start = rng.getrandbits(128)
    assert ids.ids(start) == [id for id in sorted(twin) if id >= start]
    assert ids.ids(start, True) == [id for id in sorted(twin, reverse=True) if id <= start]
    for id in twin:
        ids.remove(id)
    assert len(ids) == 0
    ids.check_invariants()


def test_ids_that_grow_fill_the_map() -> None:
    ids = IdMap()
    for id in range(100_000):
        ids.add(id)
    assert ids.memory < 100_000 * 25


@pytest.mark.parametrize(
    ("text", "id"),
    [
        (b"5", (5 << 64) + 9),
        (b"5-0", 5 << 64),
        (b"0-0", 0),
        (b"-", 0),
        (b"+", ID_MAX),
        (b"18446744073709551615-18446744073709551615", ID_MAX),
        (b"18446744073709551616-0", None),
        (b"5-*", None),
        (b"*", None),
        (b"", None),
        (b"5-", None),
        (b"-5", None),
        (b"5-6-7", None),
        (b"x", None),
    ],
)
def test_ids_are_read(text: bytes, id: int | None) -> None:
    assert parse_id(text, 9) == id


def test_an_id_is_written_as_it_is_read() -> None:
    for id in (0, 1, 1 << 64, ID_MAX, (7 << 64) + 3):
        assert parse_given_id(format_id(id)) == (id, True)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_payloads_are_refused_or_sound(seed: int) -> None:
    rng = random.Random(seed)
    body = dump_open(dump(a_stream(40), compress=False))
    for _ in range(1000):
        damaged = bytearray(body)
        for _ in range(rng.choice((1, 1, 2, 5))):
            damaged[rng.randrange(1, len(damaged))] = rng.getrandbits(8)
        try:
            loaded = loaded_as(dump_seal(bytes(damaged)), Stream)
        except BadData:
            continue
        assert isinstance(loaded, Stream)
        loaded.check_invariants()
        loaded.range(*ANYTHING)
        dump(loaded)


def payloads(server: InProcessServer | RealRedis) -> list[tuple[bytes, list[list[bytes]]]]:
    """Streams made by commands, as DUMP gives them."""
    made = []
    with server.client() as client:
        client("CONFIG", "SET", "rdbcompression", "no")  # what is compressed differs in its bytes
        for count in (0, 1, 5, 250):
            client("DEL", "s")
            client("XGROUP", "CREATE", "s", "g", "0", "MKSTREAM")
            for i in range(count):
                client("XADD", "s", f"{i + 1}-1", "name", f"n{i}", "number", i)
            if count:
                client("XREADGROUP", "GROUP", "g", "c", "COUNT", 3, "STREAMS", "s", ">")
                client("XDEL", "s", "1-1")
            made.append((client("DUMP", "s"), client("XRANGE", "s", "-", "+")))
    return made


def test_dumps_go_both_ways(balas_server: InProcessServer, real_redis: RealRedis) -> None:
    for source, target in ((balas_server, real_redis), (real_redis, balas_server)):
        for payload, entries in payloads(source):
            with target.client() as client:
                client("CONFIG", "SET", "rdbcompression", "no")
                client("RESTORE", "s", 0, payload, "REPLACE")
                assert client("XRANGE", "s", "-", "+") == entries
                assert client("DUMP", "s") == payload
        with source.client() as client:
            client("CONFIG", "SET", "rdbcompression", "yes")
            compressed = client("DUMP", "s")
        with target.client() as client:
            client("RESTORE", "s", 0, compressed, "REPLACE")
            assert client("XRANGE", "s", "-", "+") == entries


@pytest.mark.parametrize("kind", [15, 19])
def test_older_kinds_are_read(kind: int, balas_server: InProcessServer) -> None:
    with balas_server.client() as client:
        client("RESTORE", "s", 0, dump_seal(older_body(kind)))
        assert client("XRANGE", "s", "-", "+") == [[b"1-1", [b"f", b"v"]]]
        (group,) = client("XINFO", "GROUPS", "s")
        assert group[:6] == [b"name", b"g", b"consumers", 1, b"pending", 1]
        ((_, name, _, deliveries),) = client("XPENDING", "s", "g", "-", "+", 10)
        assert (name, deliveries) == (b"c", 4)


def older_body(kind: int) -> bytes:
    """A stream of one entry, pending to one consumer, as servers before 7.2 saved it."""
    id = (1).to_bytes(8, "big") * 2
    elements = b"\x01\x01\x00\x01\x01\x01\x81f\x02\x00\x01"
    elements += b"\x02\x01\x00\x01\x00\x01\x81v\x02\x04\x01"
    block = (6 + len(elements) + 1).to_bytes(4, "little") + b"\x0a\x00" + elements + b"\xff"
    time = (1_600_000_000_000).to_bytes(8, "little")
    body = bytes((kind, 1, 16)) + id + bytes((len(block),)) + block
    body += b"\x01\x01\x01"  # the length and the last id
    if kind == 19:
        body += b"\x01\x01\x00\x00\x01"  # first id, greatest deleted id, entries added
    body += b"\x01\x01g\x01\x01" + (b"\x01" if kind == 19 else b"")
    body += b"\x01" + id + time + b"\x04"  # what is pending
    return body + b"\x01\x01c" + time + b"\x01" + id


def test_a_cut_payload_is_refused(balas_server: InProcessServer) -> None:
    with balas_server.client() as client:
        for kind in (15, 19):
            body = older_body(kind)
            for cut in range(2, len(body)):
                with pytest.raises(ReplyError):
                    client("RESTORE", "s", 0, dump_seal(body[:cut]))


def test_a_limited_trim_is_read_from_the_log(tmp_path: Path) -> None:
    """Its record names the exact threshold and keeps LIMIT, which no client may send together."""
    with InProcessServer({"appendonly": "yes"}, directory=tmp_path) as server:
        client = server.client()
        client("CONFIG", "SET", "stream-node-max-entries", 4)
        for i in range(20):
            client("XADD", "s", "*", "n", i)
        assert client("XTRIM", "s", "MAXLEN", "~", 2, "LIMIT", 9) == 8
        client("XADD", "s", "MAXLEN", "~", 2, "LIMIT", 5, "*", "n", 20)
        client("XGROUP", "CREATE", "s", "g", 0)
        client("XREADGROUP", "GROUP", "g", "c", "COUNT", 3, "STREAMS", "s", ">")
        before = (
            client("XRANGE", "s", "-", "+"),
            client("XPENDING", "s", "g"),
            client("XINFO", "GROUPS", "s"),
        )
        server.restart()
        client = server.client()
        assert client("XPENDING", "s", "g") == before[1]
        assert client("XINFO", "GROUPS", "s") == before[2]
        assert client("XRANGE", "s", "-", "+") == before[0]
