"""Bytes of resident memory that a collection, or a member of a big one, costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from balas.testing import Client
from bench.contenders import Contender, Cores, commands_in_bulk, value_32

BATCH = 2000
# Of each of several small commands before the growth is measured, so that nothing is warmed up
# within it.
WARM_UP = 5000
LATER_MS = b"4000000000000"


def request(*words: bytes) -> bytes:
    """A command as it is sent."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(w), w) for w in words)


def name(number: int) -> bytes:
    """A key, member or field of 16 bytes."""
    return b"key:%012d" % number


def small_hash(number: int) -> bytes:
    pairs = [word for i in range(5) for word in (b"field:%d" % i, b"value:%d" % (number + i))]
    return request(b"HSET", name(number), *pairs)


def small_list(number: int) -> bytes:
    return request(b"RPUSH", name(number), *(b"item:%d" % (number + i) for i in range(10)))


def small_set(number: int) -> bytes:
    return request(b"SADD", name(number), *(b"%d" % (number + i) for i in range(10)))


@dataclass(frozen=True)
class Dataset:
    """What is stored: `one(number)` is the request that stores the next unit."""

    what: str
    one: Callable[[int], bytes]
    units: int


DATASETS = (
    Dataset("string, 16 B key, 32 B value", lambda n: request(b"SET", name(n), value_32(n)), 10**6),
    Dataset(
        "the same with an expiry time",
        lambda n: request(b"SET", name(n), value_32(n), b"PXAT", LATER_MS),
        10**6,
    ),
    Dataset("hash of 5 fields", small_hash, 300_000),
    Dataset("list of 10 elements", small_list, 300_000),
    Dataset("set of 10 integers", small_set, 300_000),
    Dataset(
        "member of a big sorted set",
        lambda n: request(b"ZADD", b"z", b"%d" % (n * 7919 % 10**6), name(n)),
        10**6,
    ),
    Dataset("field of a big hash", lambda n: request(b"HSET", b"h", name(n), value_32(n)), 10**6),
    Dataset("member of a big set", lambda n: request(b"SADD", b"s", name(n)), 10**6),
    Dataset(
        "entry of a stream, 2 fields",
        lambda n: request(b"XADD", b"x", b"*", b"a", b"%d" % n, b"b", b"%d" % n),
        10**6,
    ),
)


def store(client: Client, dataset: Dataset, start: int, count: int) -> None:
    """Store units; RuntimeError if one is refused."""
    for data, requests in commands_in_bulk(count, lambda n: dataset.one(start + n), BATCH):
        client.send_raw(data)
        for _ in range(requests):
            client.read()


def measure(
    contenders: Sequence[Contender], cores: Cores, scale: float, rounds: int
) -> dict[str, dict[str, float]]:
    """Bytes per unit by data set and contender: medians over the rounds."""
    found: dict[str, dict[str, float]] = {}
    for dataset in DATASETS:
        for one in contenders:
            print(f"  {one.name}: {dataset.what}", flush=True)
            grown = [growth(one, cores, dataset, scale) for _ in range(rounds)]
            found.setdefault(dataset.what, {})[one.name] = median(grown)
    return found


def growth(one: Contender, cores: Cores, dataset: Dataset, scale: float) -> float:
    """Growth per unit of a server that has seen such units before."""
    units = int(dataset.units * scale)
    with one.running(cores) as server, server.client(timeout_s=120) as client:
        store(client, dataset, 10**9, WARM_UP)
        before = server.rss_bytes()
        store(client, dataset, 0, units)
        return (server.rss_bytes() - before) / units
