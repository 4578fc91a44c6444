"""Things to do at a time: one heap for the whole server, driven by the event loop or by a test's
clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from balas.engine.clock import Clock

# Cancelled timers stay in the heap until they come up or are too many; fewer are not worth a look.
CANCELLED_MIN = 64


class Timer:
    """One thing to do at `due_ms`, Unix time."""

    __slots__ = ("_timers", "action", "due_ms", "number", "period_ms")

    def __init__(
        self,
        timers: Timers,
        due_ms: int,
        number: int,
        action: Callable[[], object],
        period_ms: int = 0,
    ) -> None:
        self._timers = timers
        self.due_ms = due_ms
        self.number = number
        self.action: Callable[[], object] | None = action
        self.period_ms = period_ms

    def __lt__(self, other: Timer) -> bool:
        return (self.due_ms, self.number) < (other.due_ms, other.number)

    def cancel(self) -> None:
        """Do not do it. Safe to call at any time."""
        if self.action is not None:
            self.action = None
            self._timers.cancelled()


class Timers:
    """The heap.

    `wake_at(due_ms)` is set by whoever drives it, and is called when a timer becomes the earliest.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[Timer] = []
        self._count = 0
        self._cancelled = 0
        self.wake_at: Callable[[int], None] = lambda due_ms: None
        self.on_error: Callable[[Exception], None] | None = None

    def __len__(self) -> int:
        return sum(1 for timer in self._heap if timer.action is not None)

    def at(self, due_ms: int, action: Callable[[], object]) -> Timer:
        """Do it once at this Unix time in ms."""
        return self._push(Timer(self, due_ms, self._next_number(), action))

    def every(self, period_ms: int, action: Callable[[], object]) -> Timer:
        """Do it again and again, for the first time after one period."""
        due_ms = self._clock.now_ms + period_ms
        return self._push(Timer(self, due_ms, self._next_number(), action, period_ms))

    @property
    def next_due_ms(self) -> int | None:
        """When the earliest is due; None if there is none."""
        while self._heap and self._heap[0].action is None:
            heapq.heappop(self._heap)
            self._cancelled -= 1
        return self._heap[0].due_ms if self._heap else None

    def run_due(self) -> None:
        """Do everything that is due now, the earliest first, each once."""
        now_ms = self._clock.refresh()
        due: list[Timer] = []
        while (next_ms := self.next_due_ms) is not None and next_ms <= now_ms:
            due.append(heapq.heappop(self._heap))
        for timer in due:
            action = timer.action
            if action is None:
                self._cancelled -= 1
                continue
            if timer.period_ms:
                timer.due_ms = now_ms + timer.period_ms
                self._push(timer)
            else:
                timer.action = None
            self._run(action)

    def _run(self, action: Callable[[], object]) -> None:
        """Do one thing; what it raises must not keep the others from being done."""
        try:
            action()
        except Exception as error:
            if self.on_error is None:
                raise
            self.on_error(error)

    def cancelled(self) -> None:
        """A timer was cancelled: when most are, throw them out, so that the heap stays small."""
        self._cancelled += 1
        if self._cancelled > CANCELLED_MIN and self._cancelled > len(self._heap) // 2:
            self._heap = [timer for timer in self._heap if timer.action is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def _next_number(self) -> int:
        self._count += 1
        return self._count

    def _push(self, timer: Timer) -> Timer:
        heapq.heappush(self._heap, timer)
        if self._heap[0] is timer:
            self.wake_at(timer.due_ms)
        return timer
