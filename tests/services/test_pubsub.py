"""Subscriptions: what is shared, and what is left of them."""

from typing import Any

import pytest

from balas.protocol.writer import encode
from balas.services import pubsub as module
from balas.services.pubsub import PubSub
from balas.testing import InProcessServer


@pytest.fixture
def pubsub(balas_server: InProcessServer) -> PubSub:
    found: PubSub = balas_server.engine.services[PubSub]
    return found


def test_a_message_is_encoded_once_for_each_protocol(
    balas_server: InProcessServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []

    def counting(value: Any, resp: int) -> bytes:
        encoded.append(resp)
        return encode(value, resp)

    monkeypatch.setattr(module, "encode", counting)
    old = [balas_server.client() for _ in range(3)]
    new = [balas_server.client(resp=3) for _ in range(3)]
    for client in old:
        client("SUBSCRIBE", "c")
    for client in new:
        client.send("SUBSCRIBE", "c")
        client.push()
    assert balas_server.client()("PUBLISH", "c", "hello") == 6
    assert sorted(encoded) == [2, 3]
    assert [client.read() for client in old] == [[b"message", b"c", b"hello"]] * 3
    assert [client.push() for client in new] == [[b"message", b"c", b"hello"]] * 3


def test_a_long_message_is_not_copied(balas_server: InProcessServer) -> None:
    clients = [balas_server.client() for _ in range(3)]
    written: list[bytes] = []
    for client in clients:
        client("SUBSCRIBE", "c")
        client.transport.write = written.append  # type: ignore[attr-defined]
    balas_server.client()("PUBLISH", "c", "x" * 10_000)
    assert len(written) == 3
    assert written[0] is written[1] is written[2]


def test_long_and_short_messages_keep_their_order(balas_server: InProcessServer) -> None:
    listener, publisher = balas_server.client(), balas_server.client()
    listener("SUBSCRIBE", "c")
    sizes = [1, 10_000, 2, 3, 70_000, 4]
    publisher.pipeline(*[("PUBLISH", "c", "x" * size) for size in sizes])
    assert [len(listener.read()[2]) for _ in sizes] == sizes
    assert balas_server.engine.stats.output_bytes > 80_000


@pytest.mark.parametrize("how", ["it hangs up", "it is reset", "it unsubscribes"])
def test_nothing_is_left_of_one_that_goes(
    how: str, balas_server: InProcessServer, pubsub: PubSub
) -> None:
    client = balas_server.client(resp=3)
    client.send("SUBSCRIBE", "a", "b")
    client.send("PSUBSCRIBE", "a", "c*")
    client.send("SSUBSCRIBE", "a", "d")
    assert (len(pubsub.channels), len(pubsub.patterns), len(pubsub.shard_channels)) == (2, 2, 2)
    if how == "it hangs up":
        client.close()
    elif how == "it is reset":
        client("RESET")
    else:
        for command in ("UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"):
            client.send(command)
    assert pubsub.channels == pubsub.patterns == pubsub.shard_channels == {}
    assert pubsub.deaf


def test_a_message_reaches_a_client_in_the_middle_of_waiting(balas_server: InProcessServer) -> None:
    client, publisher = balas_server.client(resp=3), balas_server.client()
    client.send("SUBSCRIBE", "c")
    client.push()
    publisher("CLIENT", "PAUSE", "100", "WRITE")
    client.send("SET", "k", "1")
    balas_server.engine.services[PubSub].publish(b"c", b"from the server itself")
    assert client.push() == [b"message", b"c", b"from the server itself"]
    balas_server.advance(100)
    assert client.read() == b"OK"


def test_those_who_were_told_to_go_hear_nothing(balas_server: InProcessServer) -> None:
    client, publisher = balas_server.client(), balas_server.client()
    client("SUBSCRIBE", "c")
    (peer, _) = balas_server.engine.clients.values()
    peer.closing = True
    assert publisher("PUBLISH", "c", "hello") == 1
    with pytest.raises(TimeoutError):
        client.read(0)
