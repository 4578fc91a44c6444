"""How fast counters rise: the fields of INFO that are called instantaneous."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from balas.engine.dispatch import Engine

SAMPLE_EVERY_MS = 100
# The average is over so many samples.
SAMPLES = 16

Counter = Callable[[], int]


class Rates:
    """Samples some counters ten times a second."""

    def __init__(self, engine: Engine, counters: dict[str, Counter]) -> None:
        self._clock = engine.clock
        self._counters = counters
        self._samples: dict[str, deque[float]] = {}
        self._last: dict[str, int] = {}
        self._last_ms = 0
        self._begin()
        engine.stats.on_reset.append(self._begin)
        engine.timers.every(SAMPLE_EVERY_MS, self._sample)

    def _begin(self) -> None:
        self._samples = {name: deque(maxlen=SAMPLES) for name in self._counters}
        self._last = {name: counter() for name, counter in self._counters.items()}
        self._last_ms = self._clock.now_ms

    def _sample(self) -> None:
        now_ms = self._clock.now_ms
        elapsed_ms = now_ms - self._last_ms
        if elapsed_ms <= 0:
            return
        self._last_ms = now_ms
        for name, counter in self._counters.items():
            value = counter()
            self._samples[name].append((value - self._last[name]) * 1000 / elapsed_ms)
            self._last[name] = value

    def per_second(self, name: str) -> float:
        """The average of the last samples of a counter; 0 before the first."""
        samples = self._samples[name]
        return sum(samples) / SAMPLES if samples else 0.0
