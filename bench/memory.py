"""What a key costs in memory, and what a snapshot of all keys costs in time."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from balas.testing import Client, ServerProcess
from bench.contenders import Contender, Cores, fill, info

CLOCK_TICKS_PER_S = 100


@dataclass(frozen=True)
class Memory:
    """Growth per key in bytes (16-byte keys, 32-byte values): resident, and as INFO tells it."""

    rss: float
    used: float


@dataclass(frozen=True)
class Snapshot:
    """One BGSAVE: the pause as INFO tells it and as the caller feels it, and the child's work."""

    fork_us: float
    reply_us: float
    child_cpu_s: float
    wall_s: float
    file_bytes: float


def measure(
    contenders: Sequence[Contender], cores: Cores, keys: int, rounds: int
) -> tuple[dict[str, Memory], dict[str, Snapshot]]:
    """Medians over the rounds, by contender; each round starts fresh servers."""
    memories: dict[str, list[Memory]] = {one.name: [] for one in contenders}
    snapshots: dict[str, list[Snapshot]] = {one.name: [] for one in contenders}
    for number in range(rounds):
        for one in contenders if number % 2 == 0 else list(reversed(contenders)):
            print(f"  {one.name}: {keys:,} keys, then BGSAVE", flush=True)
            with one.running(cores) as server, server.client(timeout_s=120) as client:
                memories[one.name].append(growth(server, client, keys))
                snapshots[one.name].append(snapshot(server, client))
    return (
        {name: Memory(**_medians(found)) for name, found in memories.items()},
        {name: Snapshot(**_medians(found)) for name, found in snapshots.items()},
    )


def growth(server: ServerProcess, client: Client, keys: int) -> Memory:
    """Fill the server and see how much it grew."""
    fill(client, 1, b"warm:")
    rss_before, used_before = server.rss_bytes(), int(info(client, "memory")["used_memory"])
    fill(client, keys)
    used = int(info(client, "memory")["used_memory"]) - used_before
    return Memory((server.rss_bytes() - rss_before) / keys, used / keys)


def snapshot(server: ServerProcess, client: Client) -> Snapshot:
    """Run one BGSAVE; RuntimeError if it did not end well."""
    children_before_s = children_cpu_s(server.pid)
    began_s = time.monotonic()
    client("BGSAVE")
    reply_us = (time.monotonic() - began_s) * 1e6
    while (state := info(client, "persistence"))["rdb_bgsave_in_progress"] != "0":
        time.sleep(0.01)
    wall_s = time.monotonic() - began_s
    if state["rdb_last_bgsave_status"] != "ok":
        raise RuntimeError(f"BGSAVE failed:\n{server.log}")
    return Snapshot(
        float(info(client, "stats")["latest_fork_usec"]),
        reply_us,
        children_cpu_s(server.pid) - children_before_s,
        wall_s,
        (server.directory / "dump.rdb").stat().st_size,
    )


def children_cpu_s(pid: int) -> float:
    """CPU seconds of the children a process has waited for (in steps of 10 ms)."""
    # The second field, the program's name, may hold blanks; it ends at the last parenthesis.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / CLOCK_TICKS_PER_S


def _medians(found: Sequence[Memory | Snapshot]) -> dict[str, float]:
    names = vars(found[0])
    return {name: median(getattr(one, name) for one in found) for name in names}
