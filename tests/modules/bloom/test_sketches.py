"""Cuckoo filters, sketches, top lists, t-digests: exchange with the real module, laws, damage."""

import random
import struct
from collections.abc import Callable, Iterator

import pytest

from balas.api import BadData, Value
from balas.services.rdb.format import dump_open
from balas.services.rdb.reader import RdbReader
from balas.testing import Both, Client, InProcessServer, RealRedis, check_laws
from balas_bloom.cuckoo import CuckooFilter
from balas_bloom.sketch import CountMinSketch
from balas_bloom.tdigest import TDigest
from balas_bloom.topk import TopK

WORDS = [b"%d" % i for i in range(60)]

# What makes a value of each kind at "k", what to ask it, and its class.
KINDS: dict[
    str, tuple[list[list[bytes | str | int]], list[list[bytes | str | int]], type[Value]]
] = {
    "cuckoo": (
        [
            ["CF.RESERVE", "k", 8, "EXPANSION", 2, "MAXITERATIONS", 4],
            ["CF.INSERT", "k", "ITEMS", *WORDS],
            ["CF.DEL", "k", "7"],
        ],
        [["CF.INFO", "k"], ["CF.MEXISTS", "k", *range(200)], ["CF.COUNT", "k", "3"]],
        CuckooFilter,
    ),
    "sketch": (
        [["CMS.INITBYDIM", "k", 20, 4], ["CMS.INCRBY", "k", *range(40)]],
        [["CMS.INFO", "k"], ["CMS.QUERY", "k", *range(100)]],
        CountMinSketch,
    ),
    "topk": (
        [["TOPK.RESERVE", "k", 5, 1000, 3, 1], ["TOPK.INCRBY", "k", *range(40)]],
        [
            ["TOPK.INFO", "k"],
            ["TOPK.LIST", "k", "WITHCOUNT"],
            ["TOPK.COUNT", "k", *range(100)],
            ["TOPK.QUERY", "k", *range(100)],
        ],
        TopK,
    ),
    "tdigest": (
        [
            ["TDIGEST.CREATE", "k", "COMPRESSION", 20],
            *[["TDIGEST.ADD", "k", *(i * 37 % 101 for i in range(j))] for j in (1, 130, 300)],
        ],
        [
            ["TDIGEST.INFO", "k"],
            ["TDIGEST.QUANTILE", "k", *(i / 50 for i in range(1, 51))],
            ["TDIGEST.CDF", "k", *range(-1, 103)],
            ["TDIGEST.TRIMMED_MEAN", "k", 0.1, 0.6],
        ],
        TDigest,
    ),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def both(
    balas_server: InProcessServer, real_servers: Callable[..., RealRedis]
) -> Iterator[tuple[Client, Client]]:
    with balas_server.client() as balas, real_servers("bloom").client() as real:
        for client in (balas, real):
            client("FLUSHALL")
        yield balas, real


@each_kind
@pytest.mark.parametrize("to_real", [True, False])
def test_a_dumped_value_goes_on_equally_at_the_other_side(
    kind: str, to_real: bool, both: tuple[Client, Client]
) -> None:
    makers, questions, _ = KINDS[kind]
    source, target = both if to_real else both[::-1]
    for words in makers:
        source(*words)
    target("RESTORE", "k", 0, source("DUMP", "k"))
    for words in questions + makers[1:] + questions:
        assert target(*words) == source(*words), words


@pytest.mark.parametrize("to_real", [True, False])
def test_a_scanned_cuckoo_filter_loads_at_the_other_side(
    to_real: bool, both: tuple[Client, Client]
) -> None:
    makers, questions, _ = KINDS["cuckoo"]
    source, target = both if to_real else both[::-1]
    for words in makers:
        source(*words)
    position = 0
    while True:
        position, data = source("CF.SCANDUMP", "k", position)
        if not position:
            break
        assert target("CF.LOADCHUNK", "k", position, data) == b"OK"
    for words in questions:
        assert target(*words) == source(*words)


def made(kind: str, server: InProcessServer) -> Value:
    """The value, from its dump."""
    makers, _, type_ = KINDS[kind]
    with server.client() as client:
        client("FLUSHALL")
        for words in makers:
            client(*words)
        payload = client("DUMP", "k")
    return load(type_, dump_open(payload)[10:])


def load(type_: type[Value], data: bytes) -> Value:
    items = RdbReader(data).begin_module_value()
    held = type_.rdb_load(items, type_.rdb_version)
    items.end()
    return held


@each_kind
def test_values_obey_the_laws(kind: str, balas_server: InProcessServer) -> None:
    count = iter(range(10**6))

    def change(value: Value) -> None:
        number = b"%d" % next(count)
        if isinstance(value, CuckooFilter):
            value.table.add(number, False)
        elif isinstance(value, CountMinSketch):
            value.sketch.increase_all((b"k", number, b"1"), None)
        elif isinstance(value, TopK):
            value.top.increase_all((b"k", number, b"3"), None)
        elif isinstance(value, TDigest):
            value.centroids.add_all((b"k", number), float)

    held = made(kind, balas_server)
    check_laws(balas_server, held.copy, change)


@each_kind
def test_damage_is_an_error_or_does_no_harm(kind: str, balas_server: InProcessServer) -> None:
    makers, _, type_ = KINDS[kind]
    with balas_server.client() as client:
        client("FLUSHALL")
        for words in makers:
            client(*words)
        data = dump_open(client("DUMP", "k"))[10:]
    for length in range(len(data)):
        with pytest.raises(BadData):
            load(type_, data[:length])
    rng = random.Random(5)
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(rng.choice([1, 1, 2, 8])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        try:
            held = load(type_, bytes(damaged))
        except BadData:
            continue
        if isinstance(held, CuckooFilter):
            held.table.add_all(tuple(WORDS), False, -1)
            held.table.compact(True)
        elif isinstance(held, CountMinSketch):
            held.sketch.query_all(tuple(WORDS))
        elif isinstance(held, TopK):
            held.top.add_all(tuple(WORDS))
            held.top.count_all(tuple(WORDS))
        elif isinstance(held, TDigest):
            held.centroids.add_all(tuple(WORDS), float)
            held.centroids.quantile(0.4)
            held.centroids.cdf(3.0)
        held.copy()


def test_damaged_headers_of_a_cuckoo_filter_are_refused(balas_server: InProcessServer) -> None:
    good = [1, 2, 0, 1, 2, 20, 1]
    with balas_server.client(typed=True) as client:
        for place, value in [(0, 9), (1, 0), (1, 3), (3, 0), (4, 0), (4, 256), (5, 0), (6, 3)]:
            numbers = [*good]
            numbers[place] = value
            reply = client("CF.LOADCHUNK", "k", 1, struct.pack("<QQQQHHH", *numbers))
            assert reply.value == b"Couldn't create filter!", (place, value)
        assert client("CF.LOADCHUNK", "k", 1, struct.pack("<QQQQHHH", *good)).value == b"OK"


@pytest.mark.parametrize("resp", [2, 3])
def test_random_commands_are_answered_as_by_the_real_module(
    resp: int, balas_server: InProcessServer, real_servers: Callable[..., RealRedis]
) -> None:
    rng = random.Random(resp)
    with Both(balas_server, real_servers("bloom"), resp) as both:
        both("FLUSHALL")
        both("CF.RESERVE", "f", 8, "EXPANSION", 2, "MAXITERATIONS", 5)
        both("CF.RESERVE", "g", 30, "BUCKETSIZE", 3, "EXPANSION", 0)
        both("CMS.INITBYDIM", "c", 13, 3)
        both("TDIGEST.CREATE", "d", "COMPRESSION", 15)
        for _ in range(400):
            item = rng.randrange(80)
            key = rng.choice("fg")
            both(rng.choice(["CF.ADD", "CF.ADDNX", "CF.DEL", "CF.COUNT"]), key, item)
            both("CMS.INCRBY", "c", item, rng.randrange(9), rng.randrange(80), 1)
            values = [rng.choice([rng.randrange(9), rng.gauss(0, 1)]) for _ in range(item)]
            both("TDIGEST.ADD", "d", 1, *values)
            if item % 20 == 0:
                both("CF.INFO", key)
                both("TDIGEST.INFO", "d")
                both("TDIGEST.QUANTILE", "d", rng.random(), rng.random() / 99)
                both("TDIGEST.RANK", "d", rng.randrange(9), rng.gauss(0, 1))
                both("TDIGEST.BYREVRANK", "d", rng.randrange(99))
                both("CF.COMPACT", "f")
                both("CF.SCANDUMP", "f", 1)


def test_quantiles_are_accurate(balas_server: InProcessServer) -> None:
    rng = random.Random(1)
    values = sorted(rng.gauss(0, 1) for _ in range(20_000))
    shuffled = rng.sample(values, len(values))
    held = TDigest.create(100).centroids
    held.add_all((b"k", *(repr(value).encode() for value in shuffled)), float)
    for q, error in ((0.001, 0.0005), (0.01, 0.002), (0.5, 0.02), (0.99, 0.002), (0.999, 0.0005)):
        found = held.quantile(q)
        rank = sum(value < found for value in values) / len(values)
        assert abs(rank - q) <= error


def test_settings_are_those_of_new_filters(balas_server: InProcessServer) -> None:
    with balas_server.client() as client:
        client("FLUSHALL")
        client("CONFIG", "SET", "cf-bucket-size", 4, "cf-expansion-factor", 2)
        client("CF.ADD", "k", "a")
        info = client("CF.INFO", "k")
        client("CONFIG", "SET", "cf-bucket-size", 2, "cf-expansion-factor", 1)
        fields = dict(zip(info[::2], info[1::2], strict=True))
        assert (fields[b"Bucket size"], fields[b"Expansion rate"]) == (4, 2)
        categories = client("ACL", "CAT")
        assert {b"bloom", b"cuckoo", b"cms", b"topk", b"tdigest"} <= set(categories)
