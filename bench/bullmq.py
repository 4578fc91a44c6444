"""BullMQ's throughput on Balas and on a real Redis, in turn, with the same workers.

python -m bench.bullmq [--jobs 5000] [--rounds 3]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence

from balas.testing import BalasProcess, RealRedis, ServerProcess
from bench.node import SCRIPTS, NodeMissing, node_modules

KINDS: dict[str, Callable[[], ServerProcess]] = {"redis": RealRedis, "balas": BalasProcess}
STEPS = ("added", "worked", "through")
RUN_MAX_S = 600


def measure(kind: str, jobs: int) -> dict[str, float]:
    """Jobs per second added, worked off, and all in all; and `cpu_us`, the server's per job."""
    environment = {**os.environ, "NODE_PATH": str(node_modules())}
    with KINDS[kind]() as server:
        before = server.cpu_s()
        done = subprocess.run(
            ["node", str(SCRIPTS / "bullmq_speed.js"), str(server.port), str(jobs)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_MAX_S,
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        found: dict[str, float] = json.loads(done.stdout)
        return found | {"cpu_us": (server.cpu_s() - before) / jobs * 1e6}


def main(argv: Sequence[str]) -> int:
    """Measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(argv)
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    try:
        for _ in range(options.rounds):
            for kind in KINDS:
                found[kind].append(measure(kind, options.jobs))
    except NodeMissing as missing:
        print(missing, file=sys.stderr)
        return 1
    for step in (*STEPS, "cpu_us"):
        medians = {kind: statistics.median(run[step] for run in found[kind]) for kind in KINDS}
        shown = "  ".join(f"{kind} {median:9,.0f}" for kind, median in medians.items())
        print(f"{step:8} {shown}  ratio {medians['balas'] / medians['redis']:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
