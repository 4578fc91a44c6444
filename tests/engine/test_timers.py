"""Timers, with a clock that the test moves."""

import pytest

from balas.engine.clock import FakeClock
from balas.engine.timers import Timers


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1000)


@pytest.fixture
def timers(clock: FakeClock) -> Timers:
    return Timers(clock)


def test_each_is_run_once_and_in_order(clock: FakeClock, timers: Timers) -> None:
    done: list[str] = []
    timers.at(1030, lambda: done.append("third"))
    timers.at(1010, lambda: done.append("first"))
    timers.at(1010, lambda: done.append("second"))
    timers.run_due()
    assert done == []
    clock.advance(9)
    timers.run_due()
    assert done == []
    clock.advance(1)
    timers.run_due()
    timers.run_due()
    assert done == ["first", "second"]
    assert timers.next_due_ms == 1030
    clock.advance(1000)
    timers.run_due()
    assert done == ["first", "second", "third"]
    assert timers.next_due_ms is None


def test_one_that_repeats_is_not_run_twice_to_catch_up(clock: FakeClock, timers: Timers) -> None:
    done: list[int] = []
    timers.every(100, lambda: done.append(clock.now_ms))
    for _ in range(5):
        clock.advance(50)
        timers.run_due()
    clock.advance(1000)
    timers.run_due()
    assert done == [1100, 1200, 2250]
    assert timers.next_due_ms == 2350


def test_a_cancelled_one_is_not_run(clock: FakeClock, timers: Timers) -> None:
    done: list[str] = []
    first = timers.at(1010, lambda: done.append("first"))
    timers.at(1020, lambda: done.append("second"))
    first.cancel()
    first.cancel()
    assert timers.next_due_ms == 1020
    clock.advance(100)
    timers.run_due()
    assert done == ["second"]


def test_one_that_is_due_may_cancel_another(clock: FakeClock, timers: Timers) -> None:
    done: list[str] = []
    timers.at(1010, lambda: second.cancel())
    second = timers.at(1010, lambda: done.append("second"))

    def tick() -> None:
        done.append("tick")
        repeating.cancel()

    repeating = timers.every(10, tick)
    clock.advance(50)
    timers.run_due()
    assert done == ["tick"]
    assert len(timers) == 0
    assert timers.next_due_ms is None


def test_one_that_is_added_while_others_run_has_to_wait(clock: FakeClock, timers: Timers) -> None:
    done: list[str] = []
    timers.at(1000, lambda: timers.at(1000, lambda: done.append("added")))
    timers.run_due()
    assert done == []
    timers.run_due()
    assert done == ["added"]


def test_the_driver_is_told_of_an_earlier_one_only(timers: Timers) -> None:
    told: list[int] = []
    timers.wake_at = told.append
    timers.at(1500, lambda: None)
    timers.at(1600, lambda: None)
    timers.at(1400, lambda: None)
    assert told == [1500, 1400]


def test_cancelled_ones_do_not_pile_up(clock: FakeClock, timers: Timers) -> None:
    timers.at(5000, lambda: None)
    for i in range(10_000):
        timers.at(1_000_000 + i, lambda: None).cancel()
        assert len(timers._heap) < 200
    assert len(timers) == 1
    clock.advance(4000)
    assert timers.next_due_ms == 5000
