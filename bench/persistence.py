"""Snapshots: how long saving and loading take, how large the file is, and what clients notice.

python -m bench.persistence --keys 10000000     the last part alone, with so many keys
"""

import argparse
import itertools
import random
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from balas.testing import Client, ServerProcess
from bench.contenders import CONTENDERS, OPTIONS, Contender, Cores, fill, info, value_32
from bench.datasets import Dataset, name, request, small_hash, store
from bench.pauses import Stopwatch
from bench.report import comparison

# Of each load while there is a snapshot and while there is none.
MEASURED_S = 3.0
PIPELINE = 50

DATASETS = (
    Dataset("strings of 32 bytes", lambda n: request(b"SET", name(n), value_32(n)), 10**6),
    Dataset("hashes of 5 fields", small_hash, 10**6),
    Dataset(
        "members of one sorted set",
        lambda n: request(b"ZADD", b"z", b"%d" % (n * 7919 % 10**6), name(n)),
        5 * 10**6,
    ),
)


@dataclass(frozen=True)
class File:
    """A snapshot of one data set: seconds to write it, seconds to load it at the start, bytes."""

    save_s: float
    load_s: float
    size_bytes: float


@dataclass(frozen=True)
class Load:
    """Clients that overwrite keys while a child writes a snapshot.

    `fork_ms` is what INFO says, `stop_ms` what BGSAVE's reply takes, `pause_ms` the longest round
    trip of a batch, both less what the processes waited for a core, `copied_bytes` memory that both
    processes had to have for themselves, and the rest requests per second.
    """

    fork_ms: float
    stop_ms: float
    pause_ms: float
    snapshot_s: float
    copied_bytes: float
    alone_per_s: float
    meanwhile_per_s: float


def measure(contenders: Sequence[Contender], cores: Cores, scale: float, rounds: int) -> str:
    """The sections of the report."""
    files: dict[str, dict[str, File]] = {}
    for dataset in DATASETS:
        units = int(dataset.units * scale)
        what = f"{units:,} {dataset.what}"
        for one in contenders:
            print(f"  {one.name}: {what}", flush=True)
            found = [save_and_load(one, cores, dataset, units) for _ in range(rounds)]
            files.setdefault(what, {})[one.name] = middle(File, found)
    keys = int(10**6 * scale)
    return files_report(files) + load_report(under_load(contenders, cores, keys), keys)


def middle(kind: Callable[..., File], found: Sequence[File]) -> File:
    """The medians of the fields."""
    return kind(
        *(median(values) for values in zip(*(vars(one).values() for one in found), strict=True))
    )


@contextmanager
def running(one: Contender, cores: Cores) -> Iterator[ServerProcess]:
    """A server that saves everything as it was filled: no compression apart from the default."""
    with one.make(OPTIONS, pin_to_core=cores.server, startup_timeout_s=300) as server:
        yield server


def save_and_load(one: Contender, cores: Cores, dataset: Dataset, units: int) -> File:
    """Fill a server, save, and start it again."""
    with running(one, cores) as server:
        with server.client(timeout_s=300) as client:
            store(client, dataset, 0, units)
            began_s = time.monotonic()
            client("SAVE")
            save_s = time.monotonic() - began_s
            keys = client("DBSIZE")
        size = (server.directory / "dump.rdb").stat().st_size
        server.kill()
        server.start()
        with server.client() as client:
            if client("DBSIZE") != keys:
                raise RuntimeError(f"{one.name} has not loaded what it has saved")
        load_s = float(re.findall(r"DB loaded from disk: ([\d.]+) seconds", server.log)[-1])
        return File(save_s, load_s, size)


def under_load(contenders: Sequence[Contender], cores: Cores, keys: int) -> dict[str, Load]:
    """One snapshot of so many keys while a client writes."""
    found = {}
    for one in contenders:
        print(f"  {one.name}: {keys:,} keys are overwritten during BGSAVE", flush=True)
        with running(one, cores) as server, server.client(timeout_s=120) as client:
            fill(client, keys)
            found[one.name] = overwriting(server, client, keys)
    return found


def overwriting(server: ServerProcess, client: Client, keys: int) -> Load:
    """Overwrite keys at random, first alone, then during a snapshot."""
    batches = itertools.cycle(random_batches(keys))
    watch = Stopwatch(server.pid)
    alone_per_s = write_until(client, watch, batches, lambda spent_s: spent_s > MEASURED_S)
    watch.trips_ms.clear()
    began_s = time.monotonic()
    with watch.trip():
        client("BGSAVE")
    stop_ms = watch.trips_ms.pop()

    def is_over(spent_s: float) -> bool:
        return info(client, "persistence")["rdb_bgsave_in_progress"] == "0"

    meanwhile_per_s = write_until(client, watch, batches, is_over)
    snapshot_s = time.monotonic() - began_s
    pause_ms = watch.result().longest_ms
    watch.close()
    state = info(client, "persistence")
    if state["rdb_last_bgsave_status"] != "ok":
        raise RuntimeError("the snapshot has failed")
    fork_ms = int(info(client, "stats")["latest_fork_usec"]) / 1000
    copied = float(state["rdb_last_cow_size"])
    return Load(fork_ms, stop_ms, pause_ms, snapshot_s, copied, alone_per_s, meanwhile_per_s)


def random_batches(keys: int) -> list[bytes]:
    """Requests that overwrite keys, in batches as they are sent."""
    chance = random.Random(1)
    return [
        b"".join(
            request(b"SET", b"key:%012d" % chance.randrange(keys), value_32(number))
            for number in range(PIPELINE)
        )
        for _ in range(2000)
    ]


def write_until(
    client: Client,
    watch: Stopwatch,
    batches: Iterator[bytes],
    is_over: Callable[[float], bool],
) -> float:
    """Requests per second; each batch is a round trip for the watch."""
    began_s = time.monotonic()
    count = 0
    while True:
        for batch in itertools.islice(batches, 100):
            with watch.trip():
                client.send_raw(batch)
                for _ in range(PIPELINE):
                    client.read()
            count += PIPELINE
        spent_s = time.monotonic() - began_s
        if is_over(spent_s):
            return count / spent_s


# --- the report ----------------------------------------------------------------------------------


def files_report(files: dict[str, dict[str, File]]) -> str:
    """The tables of saving and loading."""
    measures: dict[str, Callable[[File], float]] = {
        "SAVE (s)": lambda one: one.save_s,
        "loading at the start (s)": lambda one: one.load_s,
        "size of the file (MB)": lambda one: one.size_bytes / 1e6,
    }
    text = "\n## Saving and loading\n"
    for what, found in files.items():
        text += f"\n{what}:\n\n{comparison(found, measures, digits=2)}"
    return text


def load_report(found: dict[str, Load], keys: int) -> str:
    """The table of a snapshot under load."""
    measures: dict[str, Callable[[Load], float]] = {
        "fork, as the server says (ms)": lambda one: one.fork_ms,
        "BGSAVE's reply, less waiting for a core (ms)": lambda one: one.stop_ms,
        "longest round trip meanwhile, likewise (ms)": lambda one: one.pause_ms,
        "until the snapshot is done (s)": lambda one: one.snapshot_s,
        "memory copied on write (MB)": lambda one: one.copied_bytes / 1e6,
        "SET/s without a snapshot": lambda one: one.alone_per_s,
        "SET/s meanwhile": lambda one: one.meanwhile_per_s,
    }
    return f"""
## A snapshot of {keys:,} keys while they are overwritten

One client in batches of {PIPELINE}; server and child share the cores with it.

{comparison(found, measures, digits=2)}"""


def main(argv: Sequence[str]) -> int:
    """Measure one snapshot under load, with as many keys as wanted."""
    parser = argparse.ArgumentParser(prog="python -m bench.persistence")
    parser.add_argument("--keys", type=int, default=10**6)
    parser.add_argument("--servers", default="redis,balas", help="default: %(default)s")
    options = parser.parse_args(argv)
    cores = Cores.choose()
    cores.pin_clients()
    contenders = [CONTENDERS[name] for name in options.servers.split(",")]
    print(load_report(under_load(contenders, cores, options.keys), options.keys))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
