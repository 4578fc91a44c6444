"""Work done by a forked child: what the parent learns of it, and how it ends."""

import gc
import os
import signal
import time
from collections.abc import Iterator

import pytest

from balas.engine.clock import FakeClock
from balas.engine.dispatch import Engine
from balas.services.children import KILLED, Child, Children, Reporter, Work, WorkFailed
from balas.services.log import Log
from balas.testing import wait_until


class Parent:
    """An engine with the service that forks, and what it says."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.engine = Engine(clock=self.clock)
        self.log = bytearray()
        self.children = Children(self.engine, Log(self.log.extend))
        self.ended: list[Child] = []

    def start(self, work: Work) -> Child:
        return self.children.start("rdb", work, self.ended.append)

    def run(self, work: Work) -> Child:
        """Have a child do this, and wait for its end."""
        child = self.start(work)
        self.children.wait()
        assert self.ended == [child]
        assert self.children.current is None
        return child

    def poll(self) -> None:
        self.clock.advance(50)
        self.engine.timers.run_due()


@pytest.fixture
def parent() -> Iterator[Parent]:
    one = Parent()
    yield one
    one.children.kill()


def nothing(reporter: Reporter) -> None:
    pass


def sleep(reporter: Reporter) -> None:
    time.sleep(60)


def test_a_child_that_does_its_work_has_no_error(parent: Parent) -> None:
    assert parent.run(nothing).error == ""
    assert parent.children.fork_count == 1
    assert parent.children.last_fork_us > 0


def test_its_end_is_noticed_by_and_by(parent: Parent) -> None:
    child = parent.start(nothing)
    wait_until(lambda: parent.poll() or parent.ended == [child])
    assert not len(parent.engine.timers)


def test_what_it_changes_stays_its_own(parent: Parent) -> None:
    db = parent.engine.databases[0]
    db.set(b"k", b"old")

    def change(reporter: Reporter) -> None:
        db.set(b"k", b"new")
        raise WorkFailed(f"now it is {db.get(b'k')!r}")

    assert parent.run(change).error == "now it is b'new'"
    assert db.get(b"k") == b"old"


def test_an_error_nobody_expects_is_told_with_its_name(parent: Parent) -> None:
    def fail(reporter: Reporter) -> None:
        raise ZeroDivisionError("in two\nlines")

    assert parent.run(fail).error == "ZeroDivisionError: in two lines"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGUSR2])
def test_a_signal_that_ended_it_is_told(parent: Parent, number: signal.Signals) -> None:
    child = parent.start(sleep)
    os.kill(child.pid, number)
    parent.children.wait()
    assert child.error == f"terminated by signal {number}"


def test_an_exit_without_a_word_is_told(parent: Parent) -> None:
    assert parent.run(lambda reporter: os._exit(3)).error == "exit code 3"


def test_it_can_be_told_that_nobody_wants_it(parent: Parent) -> None:
    for _ in range(20):  # at any moment after the fork, also before it has done anything
        child = parent.start(sleep)
        parent.children.kill()
        assert child.error == KILLED


def test_one_that_somebody_else_has_waited_for_is_given_up(parent: Parent) -> None:
    for end in (parent.children.poll, parent.children.wait):
        child = parent.start(nothing)
        os.waitpid(child.pid, 0)
        end()
        assert child.error == "how the child process ended is not known"


def test_more_news_than_a_pipe_holds_block_nobody(parent: Parent) -> None:
    def tell(reporter: Reporter) -> None:
        for _ in range(100):
            reporter.failed("x" * 10_000)
        reporter.failed("last")

    assert parent.run(tell).error == "last"


def test_progress_is_told_now_and_then(parent: Parent) -> None:
    touched = []

    def work(reporter: Reporter) -> None:
        for count in range(1, 100_000):
            reporter.keys(count)
            if count % 10_000 == 0:
                touched.append(bytearray(os.urandom(1 << 20)))
        time.sleep(0.06)
        reporter.keys(100_000)

    parent.engine.databases[0].set(b"k", b"v")
    child = parent.run(work)
    assert child.keys == 100_000
    assert child.keys_total == 1
    assert child.copied_bytes >= 9 << 20
    assert child.copied_peak_bytes >= child.copied_bytes


def test_tables_rest_and_the_collector_looks_away_while_it_works(parent: Parent) -> None:
    db = parent.engine.databases[0]
    frozen_before = gc.get_freeze_count()
    parent.start(sleep)
    assert gc.get_freeze_count() > frozen_before
    for number in range(100):
        db.set(b"%d" % number, b"v")
    resting = db.table_memory
    parent.children.kill()
    assert gc.get_freeze_count() == 0
    for number in range(100, 200):
        db.set(b"%d" % number, b"v")
    assert db.table_memory > resting
    db.check_invariants()


def test_it_keeps_no_file_of_its_parent_open(parent: Parent) -> None:
    reading, writing = os.pipe()
    inherited = os.dup(writing)
    parent.start(sleep)
    os.close(writing)
    os.close(inherited)
    assert os.read(reading, 1) == b""  # the child was the only other one that could hold it open
    os.close(reading)


def test_signals_for_it_do_not_reach_its_parent(parent: Parent) -> None:
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        child = parent.start(sleep)
        os.kill(child.pid, signal.SIGTERM)
        parent.children.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == []
    assert child.error == "terminated by signal 15"
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
