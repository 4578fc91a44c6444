"""Hashes as values: laws, encodings, files of all ages, damage, expiry, and a dict as a twin."""

import random
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from balas.errors import BadData
from balas.services.rdb.dump import dump, restore
from balas.services.rdb.format import dump_open, dump_seal
from balas.structures.listpack import ListPack
from balas.testing import Both, InProcessServer, RealRedis, check_rdb
from balas.testing.laws import check_laws
from balas.types.hash import Hash
from balas.types.limits import Limits
from balas.types.registry import TypeRegistry
from structures.ziplists import ziplist, zipmap

TYPES = TypeRegistry()
TYPES.register(Hash)

Pairs = list[tuple[bytes, bytes]]

NAMES = st.sampled_from([b"a", b"b", b"c", b"7", b"-300", b"007", b"", b"x" * 40])
TEXTS = st.one_of(NAMES, st.binary(max_size=12), st.sampled_from([b"z" * 65, b"9" * 19]))
# Far enough from now that nothing is due in a real server.
LATER_MS = 33_177_117_420_000
SAMPLES: list[Pairs] = [
    [(b"one", b"1")],
    [(b"field:%d" % number, b"%d" % (number * 1000)) for number in range(100)],
    [(b"field:%d" % number, b"value" * (number % 9)) for number in range(2000)],
    [(b"long", b"v" * 5000), (b"w" * 300, b""), (b"", b"-12")],
]


def limits(entries: int = 512) -> Limits:
    made = Limits()
    made.hash_entries = entries
    return made


def load(body: bytes, entries: int = 512) -> Any:
    """The hash in the body of a payload: its kind and its items."""
    return restore(body, TYPES, limits(entries), now_ms=0)


def make(sample: Pairs, entries: int = 512, *, timed: bool = False) -> Hash:
    """A hash of which, if it is `timed`, every third field is to expire."""
    made = Hash.of(sample, limits(entries))
    for number, (field, _) in enumerate(sample[::3] if timed else []):
        made.set_expire(field, LATER_MS - number % 7)
    return made


def content(value: Hash) -> dict[bytes, tuple[bytes, int]]:
    flat = value.flat(0)
    return {
        field: (text, value.expire_at(field, 0))
        for field, text in zip(flat[::2], flat[1::2], strict=True)
    }


@pytest.mark.parametrize(
    ("sample", "timed"),
    [(SAMPLES[1], False), (SAMPLES[1], True), (SAMPLES[2], True)],
    ids=["pack", "triplets", "table"],
)
def test_a_hash_obeys_the_laws(sample: Pairs, timed: bool, balas_server: InProcessServer) -> None:
    count = iter(range(10**9))
    check_laws(
        balas_server,
        lambda: make(sample, timed=timed),
        lambda value: value.put(b"more", b"%d" % next(count), False, limits()),
    )


class Machine(RuleBasedStateMachine):
    """A hash and a dict of values and expiry times take the same changes."""

    value: Hash
    twin: dict[bytes, tuple[bytes, int]]

    @initialize(entries=st.sampled_from([0, 2, 5, 512]))
    def start(self, entries: int) -> None:
        self.entries, self.limits = entries, limits(entries)
        self.value, self.twin = Hash(), {}

    @rule(pairs=st.lists(st.tuples(NAMES, TEXTS), min_size=1, max_size=6))
    def put_pairs(self, pairs: Pairs) -> None:
        flat = tuple(text for pair in pairs for text in pair)
        new = {field for field, _ in pairs} - self.twin.keys()
        assert self.value.put_pairs(flat, self.limits) == len(new)
        self.twin.update((field, (text, -1)) for field, text in pairs)

    @rule(field=NAMES, text=TEXTS, keep=st.booleans())
    def put(self, field: bytes, text: bytes, keep: bool) -> None:
        assert self.value.put(field, text, keep, self.limits) == (field not in self.twin)
        at_ms = self.twin[field][1] if keep and field in self.twin else -1
        self.twin[field] = (text, at_ms)

    @rule(field=NAMES)
    def remove(self, field: bytes) -> None:
        assert self.value.remove(field) == (self.twin.pop(field, None) is not None)

    @rule(field=NAMES, at_ms=st.sampled_from([-1, 5, 10, 15, 20]))
    def set_expire(self, field: bytes, at_ms: int) -> None:
        assert self.value.set_expire(field, at_ms) == (field in self.twin)
        if field in self.twin:
            self.twin[field] = (self.twin[field][0], at_ms)

    @rule(now_ms=st.integers(0, 25), limit=st.integers(1, 4))
    def take_due(self, now_ms: int, limit: int) -> None:
        due = {field: at for field, (_, at) in self.twin.items() if 0 <= at < now_ms}
        taken = self.value.take_due(now_ms, limit)
        assert [due[field] for field in taken] == sorted(due.values())[:limit]
        for field in taken:
            del self.twin[field]

    @rule(now_ms=st.integers(0, 25), chance=st.integers(0, 2**64 - 1), count=st.integers(1, 9))
    def read(self, now_ms: int, chance: int, count: int) -> None:
        seen = {field: text for field, (text, at) in self.twin.items() if not 0 <= at < now_ms}
        flat = self.value.flat(now_ms)
        assert dict(zip(flat[::2], flat[1::2], strict=True)) == seen
        assert self.value.fields(now_ms) == flat[::2]
        assert self.value.values(now_ms) == flat[1::2]
        for field in (*self.twin, b"none"):
            assert self.value.get(field, now_ms) == seen.get(field)
            assert self.value.has(field, now_ms) == (field in seen)
            assert self.value.due(field, now_ms) == (field in self.twin.keys() - seen.keys())
        drawn = self.value.sample(count, chance, now_ms, True)
        assert len(set(drawn[::2])) == len(drawn) // 2 == min(count, len(seen))
        drawn += self.value.randoms(count, chance, now_ms, True)
        assert all(seen[a] == b for a, b in zip(drawn[::2], drawn[1::2], strict=True))
        cursor, walked = self.value.scan(0, 1000, now_ms, False)
        assert cursor or set(walked) == seen.keys()

    @rule()
    def reload(self) -> None:
        if self.twin:
            self.value = load(dump_open(dump(self.value)), self.entries)

    @rule()
    def copy(self) -> None:
        self.value = self.value.copy()

    @invariant()
    def agree(self) -> None:
        assert content(self.value) == self.twin
        assert self.value.length() == len(self.twin)
        self.value.check_invariants()


TestMachine = Machine.TestCase


# --- files ----------------------------------------------------------------------------------------


def length(number: int) -> bytes:
    if number < 64:
        return bytes([number])
    if number < 1 << 14:
        return struct.pack(">H", 0x4000 | number)
    return b"\x81" + struct.pack(">Q", number)


def string(data: bytes) -> bytes:
    return length(len(data)) + data


def old_forms(pairs: Pairs) -> Iterator[bytes]:
    """The bodies that servers of all ages have written for a hash, those with times last."""
    flat = [text for pair in pairs for text in pair]
    numbers = [int(text) if text.lstrip(b"-").isdigit() else text for text in flat]
    yield b"\x04" + length(len(pairs)) + b"".join(map(string, flat))
    yield b"\x09" + string(zipmap(pairs, 1))
    yield b"\x0d" + string(ziplist(numbers))
    yield b"\x10" + string(ListPack(flat).to_bytes())
    timed = [(LATER_MS + number if number < 3 else 0) for number in range(len(pairs))]
    triplets = [item for pair, at_ms in zip(pairs, timed, strict=True) for item in (*pair, at_ms)]
    fields = [
        (at_ms, string(field) + string(text))
        for at_ms, (field, text) in zip(timed, pairs, strict=True)
    ]
    count = length(len(pairs))
    yield b"\x16" + count + b"".join(length(at_ms) + rest for at_ms, rest in fields)
    yield b"\x17" + string(ListPack(triplets).to_bytes())
    deltas = [(at_ms - LATER_MS + 1 if at_ms else 0, rest) for at_ms, rest in fields]
    earliest = struct.pack("<Q", LATER_MS)
    yield b"\x18" + earliest + count + b"".join(length(d) + rest for d, rest in deltas)
    yield b"\x19" + earliest + string(ListPack(triplets).to_bytes())


SMALL = [(b"a", b"12"), (b"-70000", b"c" * 60), (b"", b"99999999999"), (b"d", b"")]


@pytest.mark.parametrize("entries", [512, 2])
@pytest.mark.parametrize("pairs", [SMALL, [(b"5", b"x")], [(b"x", b"y" * 300)]], ids=len)
def test_hashes_of_every_age_are_read_as_redis_reads_them(
    pairs: Pairs, entries: int, both: Both
) -> None:
    both("CONFIG", "SET", "rdbcompression", "no")
    both("CONFIG", "SET", "hash-max-listpack-entries", entries)
    for body in old_forms(pairs):
        both("RESTORE", "k", 0, dump_seal(body), "REPLACE")
        both("OBJECT", "ENCODING", "k")
        fields = [field for field, _ in pairs]
        both("HMGET", "k", *fields)
        both("HPEXPIRETIME", "k", "FIELDS", len(fields), *fields)
        if len(pairs) <= entries:
            both("HKEYS", "k")
            both("DUMP", "k")
    both("CONFIG", "SET", "hash-max-listpack-entries", 512)
    both("CONFIG", "SET", "rdbcompression", "yes")


@pytest.mark.parametrize(
    "body",
    [
        b"\x04\x00",
        b"\x04\x02\x01a\x01b",
        b"\x09" + string(zipmap([])),
        b"\x0d" + string(ziplist([])),
        b"\x0d" + string(ziplist([1])),
        b"\x10" + string(ListPack([b"a"]).to_bytes()),
        b"\x10" + string(ListPack().to_bytes()),
        b"\x10\x03abc",
        b"\x19" + bytes(8) + string(ListPack([b"a", b"b"]).to_bytes()),
    ],
)
def test_empty_and_impossible_hashes_are_refused(body: bytes, both: Both) -> None:
    both("RESTORE", "k", 0, dump_seal(body))
    both("EXISTS", "k")


@pytest.mark.parametrize(
    "body",
    [
        # The same field twice; times that are out of order, no numbers, or impossible. Redis looks
        # for such things only with sanitize-dump-payload.
        b"\x04\x02\x01a\x01b\x01a\x01c",
        b"\x10" + string(ListPack([b"a", 1, b"a", 2]).to_bytes()),
        b"\x19" + bytes(8) + string(ListPack([b"a", b"b", 9, b"c", b"d", 8]).to_bytes()),
        b"\x19" + bytes(8) + string(ListPack([b"a", b"b", 0, b"c", b"d", 8]).to_bytes()),
        b"\x19" + bytes(8) + string(ListPack([b"a", b"b", b"x"]).to_bytes()),
        b"\x19" + bytes(8) + string(ListPack([b"a", b"b", -1]).to_bytes()),
        b"\x19" + bytes(8) + string(ListPack([b"a", b"b", 2**48]).to_bytes()),
        b"\x18" + b"\xff" * 8 + b"\x01\x01\x01a\x01b",
        b"\x18" + bytes(8) + b"\x01\x81" + b"\xff" * 8 + b"\x01a\x01b",
        b"\x16\x01\x81" + b"\xff" * 8 + b"\x01a\x01b",
    ],
)
def test_what_makes_no_sense_is_refused(body: bytes) -> None:
    with pytest.raises(BadData):
        load(body)


@pytest.mark.parametrize("form", range(8))
def test_damage_is_an_error_and_never_more(form: int) -> None:
    body = list(old_forms(SMALL))[form]
    chance = random.Random(form)
    for cut in range(1, len(body)):
        with pytest.raises(BadData):
            load(body[:cut])
    for _ in range(1500):
        damaged = bytearray(body)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(1, len(body))] ^= 1 << chance.randrange(8)
        try:
            value = load(bytes(damaged))
        except BadData:
            continue
        value.check_invariants()
        assert content(load(dump_open(dump(value)))) == content(value)


@given(
    damage=st.binary(max_size=60),
    kind=st.sampled_from([b"\x04", b"\x09", b"\x0d", b"\x10", b"\x16", b"\x17", b"\x18", b"\x19"]),
)
def test_any_bytes_are_read_or_refused(damage: bytes, kind: bytes) -> None:
    try:
        value = load(kind + damage)
    except BadData:
        return
    value.check_invariants()


@pytest.mark.parametrize("compression", ["yes", "no"])
def test_files_go_both_ways(
    compression: str, real_redis: RealRedis, balas_server: InProcessServer
) -> None:
    ours = balas_server.client()
    with real_redis.client() as theirs:
        for client in (ours, theirs):
            client("FLUSHALL")
            client("CONFIG", "SET", "rdbcompression", compression)
            fill(client)
        names = [f"{form}{number}" for number in range(len(SAMPLES)) for form in "kt"]
        for name in names:
            ours("RESTORE", f"l{name}", 0, theirs("DUMP", name))
            theirs("RESTORE", f"l{name}", 0, ours("DUMP", name))
        ours("SAVE")
        check_rdb(balas_server.directory / "dump.rdb")
        for name in names:
            for key in (name, f"l{name}"):
                assert everything(ours, key) == everything(theirs, key), key
        theirs("CONFIG", "SET", "rdbcompression", "yes")


def fill(client: Any) -> None:
    """Keys k0, k1, ... and, with fields that expire, t0, t1, ..."""
    for number, sample in enumerate(SAMPLES):
        for form in "kt":
            client("HSET", f"{form}{number}", *[text for pair in sample for text in pair])
        for field, _ in sample[::3]:
            client("HPEXPIREAT", f"t{number}", LATER_MS, "FIELDS", 1, field)


def everything(client: Any, key: str) -> tuple[object, ...]:
    flat = client("HGETALL", key)
    fields = sorted(flat[::2])
    times = client("HPEXPIRETIME", key, "FIELDS", len(fields), *fields)
    return client("OBJECT", "ENCODING", key), dict(zip(flat[::2], flat[1::2], strict=True)), times


def test_digests_and_reloads() -> None:
    with (
        InProcessServer({"enable-debug-command": "yes"}) as server,
        RealRedis() as real,
        real.client() as theirs,
    ):
        ours = server.client()
        for client in (ours, theirs):
            fill(client)
        digest = theirs("DEBUG", "DIGEST")
        assert ours("DEBUG", "DIGEST") == digest
        ours("DEBUG", "RELOAD")
        assert ours("DEBUG", "DIGEST") == digest
        server.engine.databases[0].check_invariants()


def test_a_rewritten_log_sets_as_many_fields_at_a_time_as_redis() -> None:
    value = Hash.of([(b"%d" % number, b"v") for number in range(130)], limits())
    assert [len(argv) - 2 for argv in value.aof_rewrite(b"k")] == [128, 128, 4]
    assert {argv[0] for argv in value.aof_rewrite(b"k")} == {b"HMSET"}
    value = Hash.of([(b"a", b"1"), (b"b", b"2")], limits())
    value.set_expire(b"a", LATER_MS)
    assert list(value.aof_rewrite(b"k")) == [
        (b"HMSET", b"k", b"a", b"1"),
        (b"HPEXPIREAT", b"k", b"%d" % LATER_MS, b"FIELDS", b"1", b"a"),
        (b"HMSET", b"k", b"b", b"2"),
    ]


def test_a_big_hash_is_freed_in_slices() -> None:
    value = make(SAMPLES[2], timed=True)
    assert value.free_effort() == 2000
    slices = 1
    while value.free_step(100):
        slices += 1
    assert slices >= 15
