"""The blocking client, tried on the real server."""

import pytest

from balas.errors import ReplyError
from balas.testing.real_server import RealRedis


def test_a_command_returns_its_reply(real_redis: RealRedis) -> None:
    with real_redis.client() as client:
        assert client("SET", "k", 1) == b"OK"
        assert client("INCR", b"k") == 2
        assert client("MGET", "k", "none") == [b"2", None]


def test_a_refusal_is_raised_or_asked_for(real_redis: RealRedis) -> None:
    with real_redis.client() as client:
        with pytest.raises(ReplyError, match="wrong number") as caught:
            client("GET")
        assert caught.value.code == "ERR"
        assert client.error("GET").startswith("ERR wrong number of arguments for 'get'")
        with pytest.raises(AssertionError, match="PONG"):
            client.error("PING")


def test_resp3_brings_typed_values(real_redis: RealRedis) -> None:
    with real_redis.client(resp=3) as client:
        client("HSET", "h", "f", "v")
        client("ZADD", "z", 1.5, "m")
        assert client("HGETALL", "h") == {b"f": b"v"}
        assert client("ZSCORE", "z", "m") == 1.5
        assert client("DEBUG", "PROTOCOL", "false") is False


def test_errors_of_a_pipeline_stand_in_its_list(real_redis: RealRedis) -> None:
    with real_redis.client() as client:
        replies = client.pipeline(["SET", "k", "text"], ["INCR", "k"], ["GET", "k"])
        assert replies[0] == b"OK"
        assert isinstance(replies[1], ReplyError)
        assert replies[2] == b"text"


def test_pushes_wait_while_a_reply_is_read(real_redis: RealRedis) -> None:
    with real_redis.client(resp=3) as listener, real_redis.client() as speaker:
        listener.send("SUBSCRIBE", "ch")
        assert listener.push() == [b"subscribe", b"ch", 1]
        speaker("PUBLISH", "ch", "hi")
        assert listener("PING") == b"PONG"
        assert listener.push() == [b"message", b"ch", b"hi"]


def test_raw_gives_the_very_bytes(real_redis: RealRedis) -> None:
    with real_redis.client() as client:
        assert client.raw(b"PING\r\nECHO hi\r\n", replies=2) == b"+PONG\r\n$2\r\nhi\r\n"
        with pytest.raises(AssertionError, match="more than 1"):
            client.raw(b"PING\r\nPING\r\n")


def test_a_silent_server_is_not_waited_for_forever(real_redis: RealRedis) -> None:
    with real_redis.client() as client:
        client.send("BLPOP", "none", "0")
        with pytest.raises(TimeoutError):
            client.read(timeout_s=0.05)


def test_the_end_of_a_connection_is_noticed(real_redis: RealRedis) -> None:
    with real_redis.client() as client:
        client.send("QUIT")
        assert client.read_to_end() == b"+OK\r\n"
    with real_redis.client() as client:
        client("QUIT")
        with pytest.raises(ConnectionError):
            client("PING")
