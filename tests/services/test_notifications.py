"""Keyspace notifications, compared with the real server's."""

from collections.abc import Iterable

import pytest

from balas.services.notifications import CLASS_OF
from balas.testing import Client, InProcessServer, RealRedis

Server = InProcessServer | RealRedis

#: Commands of this server, with events of many classes.
STORY = [
    *("SET a 1", "SET a 2", "GET a", "INCR a", "MSET a 1 b 2", "GET nothing", "DEL a", "DEL a"),
    *("SET c 1 EX 100", "SET c 2 KEEPTTL", "SET c 3 NX", "SET c 4 XX GET", "GETSET c 5"),
    *("APPEND d x", "APPEND d y", "SETRANGE d 0 z", "SETEX d 10 1", "PERSIST d", "EXPIRE d 100"),
    *("RENAME d e", "COPY e f", "SET e 1", "COPY f e REPLACE", "MOVE f 1", "GETDEL e", "EXISTS e"),
    *("GETEX c PX 100000", "GETEX c PERSIST", "INCRBYFLOAT g 1.5", "MSETNX h 1 i 2", "UNLINK h i"),
    *("EXPIRE c -1", "MGET a b x", "STRLEN x", "SETNX b 1", "SETNX j 1", "SWAPDB 0 1", "FLUSHALL"),
]

CLASSES = ["KEA", "KEAmnoc", "E$", "Kg", "Eg", "KEnm", "KEo", "KEc", "A", "K", "El", ""]


def play(server: Server, classes: str, story: Iterable[str]) -> list[bytes]:
    """Everything a subscriber is sent while the story is told."""
    with server.client() as teller, server.client() as listener:
        teller("FLUSHALL")
        teller("CONFIG", "SET", "notify-keyspace-events", classes)
        try:
            listener("PSUBSCRIBE", "__key*")
            for line in story:
                teller(*line.split())
        finally:
            teller("CONFIG", "SET", "notify-keyspace-events", "")
        teller("PUBLISH", "__key", "end")
        return list(messages(listener))


def messages(listener: Client) -> Iterable[bytes]:
    """What a listener is sent up to the end."""
    while (message := listener.read()) != [b"pmessage", b"__key*", b"__key", b"end"]:
        yield b" ".join(message[2:])


@pytest.mark.parametrize("classes", CLASSES)
def test_all_events_are_those_of_redis(
    classes: str, balas_server: InProcessServer, real_redis: RealRedis
) -> None:
    assert play(balas_server, classes, STORY) == play(real_redis, classes, STORY)


def test_in_a_transaction_they_come_after_its_reply(
    balas_server: InProcessServer, real_redis: RealRedis
) -> None:
    def told(server: Server) -> list[bytes]:
        with server.client(resp=3) as client:
            client("CONFIG", "SET", "notify-keyspace-events", "EA")
            client.send("PSUBSCRIBE", "__key*")
            client.push()
            client.pipeline(
                ("MULTI",), ("SET", "a", "1"), ("PUBLISH", "__key", "x"), ("INCR", "a"), ("EXEC",)
            )
            said = [client.push()[2:] for _ in range(3)]
            client("CONFIG", "SET", "notify-keyspace-events", "")
            return [b" ".join(words) for words in said]

    expected = [b"__keyevent@0__:set a", b"__key x", b"__keyevent@0__:incrby a"]
    assert told(balas_server) == told(real_redis) == expected


def test_expiry_is_told(balas_server: InProcessServer) -> None:
    teller, listener = balas_server.client(), balas_server.client()
    teller("CONFIG", "SET", "notify-keyspace-events", "Ex")
    listener("PSUBSCRIBE", "__key*")
    teller("SET", "a", "1", "PX", "10")
    teller("SET", "b", "1", "PX", "10")
    balas_server.advance(11)
    teller("GET", "a")
    assert listener.read()[2:] == [b"__keyevent@0__:expired", b"a"]
    teller("SET", "b", "2")
    assert listener.read()[2:] == [b"__keyevent@0__:expired", b"b"]


def test_nothing_is_done_for_nobody(balas_server: InProcessServer) -> None:
    changes = balas_server.engine.changes
    listeners = changes.listeners
    client = balas_server.client()
    for classes in ("KEAm", "Ag", "KEno", "", "K"):
        client("CONFIG", "SET", "notify-keyspace-events", classes)
        wanted = "K" in classes or "E" in classes
        assert (len(changes.listeners) > len(listeners)) == wanted
        assert changes.tells_misses == (wanted and "m" in classes)
        assert changes.tells_stores == (wanted and bool(set(classes) & set("nocA")))


def test_events_of_modules_have_a_class_of_their_own(balas_server: InProcessServer) -> None:
    assert "bf.add" not in CLASS_OF
    teller, listener = balas_server.client(), balas_server.client()
    listener("PSUBSCRIBE", "__key*")
    for classes, heard in (("Ed", True), ("KEg$lshzxetmnoc", False)):
        teller("CONFIG", "SET", "notify-keyspace-events", classes)
        balas_server.engine.changes.notify(0, b"key", "some.module.event")
        balas_server.engine.finish_unit()
        if heard:
            assert listener.read()[2:] == [b"__keyevent@0__:some.module.event", b"key"]
        else:
            with pytest.raises(TimeoutError):
                listener.read(0)
