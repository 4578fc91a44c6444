"""Loads that redis-benchmark cannot make: a mix with favourite keys, transactions, many readers.

All bytes are made beforehand; the loop only writes a batch to each connection and counts the bytes
of its replies.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import numpy

from balas.testing import Client, ServerProcess
from balas.testing.wire import encode
from bench import report
from bench.contenders import Contender, Cores, fill, value_32
from bench.pauses import receive
from bench.throughput import Sample, Workload, rows

CONNECTIONS = 50
SEED = 20251123
# The exponent of YCSB's favourite keys.
ZIPF = 0.99
READS = 0.8
QUEUED = 10
READERS = 100
MESSAGES_AT_ONCE = 10

Batch = tuple[bytes, int]


@dataclass(frozen=True)
class Loop:
    """A load: `make(pipeline, requests, keys)` yields batches with the length of their replies.

    A unit is what is counted as one request.
    """

    what: str
    make: Callable[[int, int, int], Iterator[Batch]]
    pipelines: tuple[int, ...] = (1, 16)
    weight: float = 1.0


def mixed(pipeline: int, requests: int, keys: int) -> Iterator[Batch]:
    """Reads and writes of keys of which few are asked for often."""
    chance = numpy.random.default_rng(SEED)
    weights = numpy.arange(1, keys + 1, dtype=numpy.float64) ** -ZIPF
    ranks = numpy.searchsorted(numpy.cumsum(weights / weights.sum()), chance.random(requests))
    # Favourites lie anywhere among the keys.
    places = chance.permutation(keys)[numpy.minimum(ranks, keys - 1)]
    reads = chance.random(requests) < READS
    value = value_32(1)
    got = len(encode(value)) - len(b"*1\r\n")
    for start in range(0, requests, pipeline):
        data, length = [], 0
        for place, is_read in zip(
            places[start : start + pipeline], reads[start : start + pipeline], strict=True
        ):
            key = b"key:%012d" % place
            data.append(encode("GET", key) if is_read else encode("SET", key, value))
            length += got if is_read else len(b"+OK\r\n")
        yield b"".join(data), length


def transactions(pipeline: int, requests: int, keys: int) -> Iterator[Batch]:
    """MULTI, ten SETs and EXEC; a transaction is one request."""
    chance = numpy.random.default_rng(SEED)
    length = len(b"+OK\r\n" + b"+QUEUED\r\n" * QUEUED + b"*10\r\n" + b"+OK\r\n" * QUEUED)
    for places in chance.integers(0, keys, (requests // pipeline, pipeline, QUEUED)):
        data = [
            encode("MULTI")
            + b"".join(encode("SET", b"key:%012d" % place, value_32(1)) for place in row)
            + encode("EXEC")
            for row in places
        ]
        yield b"".join(data), length * pipeline


MIXED = (Loop("80 % GET, 20 % SET, favourite keys", mixed, (1, 16, 100)),)
TRANSACTIONS = (Loop("MULTI of 10 SETs", transactions, weight=8.0),)


def measure(
    title: str,
    loops: Sequence[Loop],
    contenders: Sequence[Contender],
    cores: Cores,
    size: tuple[int, int, int],
) -> str:
    """A section of the report; `size` is how many keys, requests and rounds."""
    keys, requests, rounds = size
    samples = []
    with ExitStack() as stack:
        servers = {one.name: stack.enter_context(one.running(cores)) for one in contenders}
        for server in servers.values():
            with server.client(timeout_s=60) as client:
                fill(client, keys)
        for loop in loops:
            for pipeline in loop.pipelines:
                print(f"  {loop.what}, {pipeline} at a time", flush=True)
                # Without pipelining a request costs the loop itself much more.
                count = int(requests / loop.weight) // (4 if pipeline == 1 else 1)
                batches = list(loop.make(pipeline, count, keys))
                for _ in range(rounds):
                    for name, server in servers.items():
                        cpu_us, per_second = run(server, batches, len(batches) * pipeline)
                        samples.append(Sample(name, loop.what, pipeline, per_second, cpu_us))
    workloads = [Workload(loop.what, (), pipelines=loop.pipelines) for loop in loops]
    return f"""
## {title}

{CONNECTIONS} connections, {keys:,} keys, {rounds} rounds. The load comes from Python, which limits
the requests per second; CPU is the server's.

{report.requests(list(rows(samples, workloads)))}"""


def run(server: ServerProcess, batches: Sequence[Batch], requests: int) -> tuple[float, float]:
    """CPU of the server in microseconds per request, and requests per second."""
    with ExitStack() as stack:
        clients = [stack.enter_context(server.client()) for _ in range(CONNECTIONS)]
        return timed(server, partial(send_all, clients, batches), requests)


def send_all(clients: Sequence[Client], batches: Sequence[Batch]) -> None:
    """Write a batch to each connection, then take the replies of each, and so on."""
    for start in range(0, len(batches), len(clients)):
        pairs = list(zip(clients, batches[start : start + len(clients)], strict=False))
        for client, (data, _) in pairs:
            client.send_raw(data)
        for client, (_, length) in pairs:
            receive(client, length)


def timed(server: ServerProcess, work: Callable[[], None], units: int) -> tuple[float, float]:
    """CPU of the server in microseconds per unit of some work, and units per second."""
    began_s, cpu_s = time.monotonic(), server.cpu_s()
    work()
    return (server.cpu_s() - cpu_s) * 1e6 / units, units / (time.monotonic() - began_s)


def readers(contenders: Sequence[Contender], cores: Cores, messages: int, rounds: int) -> str:
    """The section of the report on messages that a hundred clients get."""
    what = f"message to {READERS} readers"
    samples = []
    for one in contenders:
        print(f"  {one.name}: {what}", flush=True)
        with one.running(cores) as server, ExitStack() as stack:
            clients = [stack.enter_context(server.client()) for _ in range(READERS)]
            for client in clients:
                client("SUBSCRIBE", "channel")
            publisher = stack.enter_context(server.client())
            for _ in range(rounds):
                work = partial(publish, publisher, clients, messages)
                cpu_us, per_second = timed(server, work, messages)
                samples.append(Sample(one.name, what, 1, per_second, cpu_us))
    return f"""
## Messages to many

One client publishes {messages:,} messages of 32 bytes, {MESSAGES_AT_ONCE} at a time, to
{READERS} subscribers; a message counts as one request. {rounds} rounds.

{report.requests(list(rows(samples, [Workload(what, (), pipelines=(1,))])))}"""


def publish(publisher: Client, clients: Sequence[Client], messages: int) -> None:
    """Publish, and have all readers take what came."""
    data = encode("PUBLISH", "channel", value_32(1)) * MESSAGES_AT_ONCE
    length = len(encode("message", "channel", value_32(1))) * MESSAGES_AT_ONCE
    for _ in range(messages // MESSAGES_AT_ONCE):
        publisher.send_raw(data)
        receive(publisher, len(b":100\r\n") * MESSAGES_AT_ONCE)
        for client in clients:
            receive(client, length)
