"""Turns measurements into Markdown."""

import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from bench.memory import Memory, Snapshot
from bench.pauses import LONG_MS, Pauses
from bench.throughput import Row

T = TypeVar("T")


def table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are aligned to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *lines)) + "\n"


def heading() -> str:
    """Title and machine."""
    return f"""# Benchmarks

Written by `make bench` and by `python -m bench.run --only PART`, which run both servers in turn in
one run; not edited by hand. Each section says when and of which commit it was measured.

- {cpu_model()}, {os.cpu_count()} cores
- Linux {platform.release()}, Python {platform.python_version()}

Both servers run with `save ""` and `appendonly no` and are otherwise at their defaults. The server
has one core and the load generator another. Figures are medians over the rounds.
"""


def measured(versions: dict[str, str]) -> str:
    """When, which commit and which servers: the last line of a part's section."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    who = ", ".join(f"{name} {version}" for name, version in versions.items())
    return f"\n*{who}; commit {commit()}; {now}*\n"


def throughput(rows: Sequence[Row], keys: int, rounds: int) -> str:
    """The section of redis-benchmark's list."""
    return f"""
## Requests

redis-benchmark, 50 clients, {keys:,} random keys that all exist, 32-byte values, {rounds} rounds.
CPU is user and system time of the server process per request (an MSET of 10 keys is one request);
the ratio is Balas's median over Redis's, and beside it the least and the greatest of the rounds.

{requests(rows)}"""


def requests(rows: Sequence[Row]) -> str:
    """The table of requests per second and CPU per request."""
    names = list(rows[0].cpu_us)
    header = ["test", "-P", *(f"{n}, requests/s" for n in names), *(f"{n}, CPU µs" for n in names)]
    lines = []
    for row in rows:
        cells = [row.workload, str(row.pipeline)]
        cells += [f"{row.per_second[name]:,.0f}" for name in names]
        cells += [f"{row.cpu_us[name]:.2f}" for name in names]
        if row.ratio is not None:
            cells += [f"**{row.ratio:.2f}**", f"{min(row.ratios):.2f}-{max(row.ratios):.2f}"]
        lines.append(cells)
    if rows[0].ratio is not None:
        header += ["ratio of CPU", "over the rounds"]
    return table(header, lines)


def memory(found: dict[str, Memory], keys: int) -> str:
    """The table of memory per key."""
    measures: dict[str, Callable[[Memory], float]] = {
        "resident memory": lambda one: one.rss,
        "`used_memory`": lambda one: one.used,
    }
    return f"""
## Memory per key

Bytes by which a server grows per key, over {keys:,} keys of 16 bytes with values of 32.

{comparison(found, measures)}"""


def snapshot(found: dict[str, Snapshot], keys: int) -> str:
    """The table of snapshots."""
    measures: dict[str, Callable[[Snapshot], float]] = {
        "fork, as `latest_fork_usec` (ms)": lambda one: one.fork_us / 1000,
        "wait for BGSAVE's reply (ms)": lambda one: one.reply_us / 1000,
        "CPU of the child (ms)": lambda one: one.child_cpu_s * 1000,
        "until the snapshot is done (ms)": lambda one: one.wall_s * 1000,
        "size of the file (MB)": lambda one: one.file_bytes / 1e6,
    }
    return f"""
## BGSAVE of {keys:,} keys

{comparison(found, measures)}"""


def datasets(found: dict[str, dict[str, float]]) -> str:
    """The table of memory per unit."""
    names = list(next(iter(found.values())))
    lines = []
    for what, by_name in found.items():
        cells = [what, *(f"{by_name[name]:,.0f}" for name in names)]
        if {"Balas", "Redis"} <= by_name.keys():
            cells.append(f"**{by_name['Balas'] / by_name['Redis']:.2f}**")
        lines.append(cells)
    header = ["", *names, *(["ratio"] if {"Balas", "Redis"} <= set(names) else [])]
    return f"""
## Memory by type

Bytes of resident memory that one more of these costs.

{table(header, lines)}"""


def pauses(found: dict[str, dict[str, Pauses]]) -> str:
    """The section of pauses."""
    return f"""
## Pauses

Round trips of one client in milliseconds, less the time the processes waited for a core: batches of
50 SETs while keys are inserted, PING otherwise.

{pauses_table(found)}"""


def freeing(found: dict[str, dict[str, Pauses]]) -> str:
    """The section of big values that go."""
    return f"""
## Big values that are freed

Round trips of PING while a value is freed, and of the command that lets it go.

{pauses_table(found)}"""


def pauses_table(found: dict[str, dict[str, Pauses]]) -> str:
    """Pauses by situation and contender."""
    lines = [
        [
            situation,
            name,
            f"{one.longest_ms:.2f}",
            f"{one.p999_ms:.2f}",
            str(one.long_count),
            f"{one.trips:,}",
        ]
        for situation, by_name in found.items()
        for name, one in by_name.items()
    ]
    header = ["while", "server", "longest", "99.9 %", f"above {LONG_MS:g} ms", "round trips"]
    return table(header, lines)


def startup(found: dict[str, float]) -> str:
    """The table of start-up times."""
    measures: dict[str, Callable[[float], float]] = {"to the first PONG (ms)": lambda value: value}
    return f"""
## Start-up

Balas loads its bundled modules; Redis has none.

{comparison(found, measures)}"""


def comparison(
    found: dict[str, T], measures: dict[str, Callable[[T], float]], digits: int = 1
) -> str:
    """A table of measures by contender, with Balas over Redis where both were measured."""
    both = {"Balas", "Redis"} <= found.keys()
    lines = []
    for what, measure in measures.items():
        values = {name: measure(one) for name, one in found.items()}
        cells = [what, *(f"{value:,.{digits}f}" for value in values.values())]
        if both:
            base = values["Redis"]
            cells.append(f"**{values['Balas'] / base:.2f}**" if base else "")
        lines.append(cells)
    return table(["", *found, *(["ratio"] if both else [])], lines)


def cpu_model() -> str:
    """The processor's name, as the kernel tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def commit() -> str:
    """The commit that was measured, marked if the tree had changes."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    return done.stdout.strip() or "unknown"
