from pathlib import Path

import pytest
from balas.testing import check_laws

from balas_delayed.queue import Queue

MODULE = str(Path(__file__).parent.parent / "balas_delayed")


@pytest.fixture
def balas_bundled():
    """Without the modules that come with Balas: these tests need none, and start faster."""
    return False


@pytest.fixture
def client(balas_server):
    client = balas_server.client()
    client("MODULE", "LOAD", MODULE)
    return client


def test_items_come_when_they_are_due(client, balas_clock):
    client("DELAYED.PUSH", "q", 2000, "later")
    client("DELAYED.PUSH", "q", 1000, "sooner")
    balas_clock.advance(1000)
    assert client("DELAYED.LEN", "q") == [2, 1]
    assert client("DELAYED.POP", "q", 1) == b"sooner"
    balas_clock.advance(1000)
    assert client("DELAYED.POP", "q", 1) == b"later"
    assert client("EXISTS", "q") == 0


def test_who_waits_gets_the_item_at_its_moment(client, balas_server, balas_clock):
    client("DELAYED.PUSH", "q", 1000, "item")
    waiting = balas_server.client()
    waiting.send("DELAYED.POP", "q", 0)
    balas_clock.advance(999)
    assert not waiting.transport.has_output
    balas_clock.advance(1)
    assert waiting.read() == b"item"


def test_who_waits_at_an_empty_queue_is_served_later(client, balas_server, balas_clock):
    waiting = balas_server.client()
    waiting.send("DELAYED.POP", "q", 0)
    client("DELAYED.PUSH", "q", 500, "item")
    balas_clock.advance(500)
    assert waiting.read() == b"item"


def test_waiting_ends(client, balas_server, balas_clock):
    client("DELAYED.PUSH", "q", 60_000, "item")
    waiting = balas_server.client()
    waiting.send("DELAYED.POP", "q", 0.5)
    balas_clock.advance(600)
    assert waiting.read() is None
    assert client("DELAYED.LEN", "q") == [1, 0]


def test_replicas_are_told_which_item(client, balas_clock, propagates):
    (pushed,) = propagates("DELAYED.PUSH", "q", 0, "item")
    number = pushed[2]
    assert pushed == [b"DELAYED.RESTORE", b"q", number, b"%d" % balas_clock.now_ms, b"item"]
    (hidden,) = propagates("DELAYED.POP", "q", 1, "HIDE", 500)
    assert hidden == [b"DELAYED.MOVE", b"q", number, b"%d" % (balas_clock.now_ms + 500)]
    balas_clock.advance(500)
    assert propagates("DELAYED.POP", "q", 1) == [[b"DELAYED.REMOVE", b"q", number]]


def test_a_worker_that_dies_leaves_its_item_to_another(client, balas_server, balas_clock):
    client("DELAYED.PUSH", "q", 0, "item")
    number, item = client("DELAYED.POP", "q", 1, "HIDE", 1000)
    assert item == b"item"
    assert client("DELAYED.LEN", "q") == [1, 0]
    other = balas_server.client()
    other.send("DELAYED.POP", "q", 0, "HIDE", 1000)
    balas_clock.advance(999)
    assert not other.transport.has_output
    balas_clock.advance(1)
    assert other.read() == [number, b"item"]
    assert client("DELAYED.REMOVE", "q", number) == b"item"
    assert client("EXISTS", "q") == 0


def test_a_worker_that_takes_longer_says_so(client, balas_clock):
    client("DELAYED.PUSH", "q", 0, "item")
    number, _ = client("DELAYED.POP", "q", 1, "HIDE", 1000)
    balas_clock.advance(900)
    assert client("DELAYED.HIDE", "q", number, 1000) == 1
    balas_clock.advance(900)
    assert client("DELAYED.LEN", "q") == [1, 0]
    assert client("DELAYED.HIDE", "q", number + 1, 1000) == 0
    assert client("DELAYED.HIDE", "q", number, 0) == 1
    assert client("DELAYED.POP", "q", 1) == b"item"


def test_a_worker_that_is_late_removes_nobody_elses_item(client, balas_clock):
    client("DELAYED.PUSH", "q", 0, "first")
    number, _ = client("DELAYED.POP", "q", 1, "HIDE", 10)
    balas_clock.advance(10)
    client("DELAYED.POP", "q", 1)
    client("DELAYED.PUSH", "q", 0, "second")
    assert client("DELAYED.REMOVE", "q", number) is None
    assert client("DELAYED.POP", "q", 1) == b"second"


def test_who_waits_goes_on_waiting_through_a_reload(client, balas_server, balas_clock):
    client("DELAYED.PUSH", "q", 1000, "item")
    waiting = balas_server.client()
    waiting.send("DELAYED.POP", "q", 0)
    client("MODULE", "RELOAD", "delayed")
    balas_clock.advance(1000)
    assert waiting.read() == b"item"


def test_hidden_items_are_there_after_a_restart(client, balas_server, balas_clock):
    client("DELAYED.PUSH", "q", 0, "item")
    number, _ = client("DELAYED.POP", "q", 1, "HIDE", 1000)
    client("SAVE")
    balas_server.restart()
    client = balas_server.client()
    client("MODULE", "LOAD", MODULE)
    assert client("DELAYED.LEN", "q") == [1, 0]
    balas_clock.advance(1000)
    assert client("DELAYED.POP", "q", 1, "HIDE", 1000) == [number, b"item"]


def test_mistakes_are_told(client):
    assert client.error("DELAYED.PUSH", "q", -1, "item").startswith("ERR the delay must be")
    assert client.error("DELAYED.POP", "q", -1) == "ERR timeout is out of range"
    assert client.error("DELAYED.POP", "q", 1, "HIDE") == "ERR syntax error"
    assert client.error("DELAYED.POP", "q", 1, "HIDE", 0).startswith("ERR an item is hidden for")
    assert client.error("DELAYED.POP", "q", 1, "KEEP", 5) == "ERR syntax error"
    client("SET", "text", "hello")
    assert client.error("DELAYED.PUSH", "text", 1, "item").startswith("WRONGTYPE")


def test_items_survive(client, survives_reload):
    client("DELAYED.PUSH", "q", 1000, "item")
    survives_reload("q")


def test_the_laws_of_values(client, balas_server):
    check_laws(balas_server, Queue.example, Queue.vary)
