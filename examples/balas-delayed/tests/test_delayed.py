from pathlib import Path

import pytest
from balas.testing import check_laws

from balas_delayed.queue import Queue

MODULE = str(Path(__file__).parent.parent / "balas_delayed")


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


def test_replicas_are_told_which_item(client, propagates):
    (pushed,) = propagates("DELAYED.PUSH", "q", 0, "item")
    assert pushed[:3] == [b"DELAYED.RESTORE", b"q", b"1"]
    assert propagates("DELAYED.POP", "q", 1) == [[b"DELAYED.REMOVE", b"q", b"1"]]


def test_items_survive(client, survives_reload):
    client("DELAYED.PUSH", "q", 1000, "item")
    survives_reload("q")


def test_the_laws_of_values(client, balas_server):
    check_laws(balas_server, Queue.example, Queue.vary)
