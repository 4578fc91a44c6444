"""The time from starting the process to the first PONG.

Python keeps what it has compiled unless it is told not to; here it is not told, and a first start,
after which it has something to keep, does not count.
"""

import os
import time
from collections.abc import Sequence
from statistics import median

from bench.contenders import Contender, Cores


def measure(contenders: Sequence[Contender], cores: Cores, rounds: int) -> dict[str, float]:
    """Median milliseconds by contender; Balas loads its bundled modules, Redis has none."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    times_ms: dict[str, list[float]] = {one.name: [] for one in contenders}
    for one in contenders:
        with one.running(cores):
            pass
    for _ in range(rounds):
        for one in contenders:
            began_s = time.monotonic()
            with one.running(cores):
                times_ms[one.name].append((time.monotonic() - began_s) * 1000)
    return {name: median(found) for name, found in times_ms.items()}
