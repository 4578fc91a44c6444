"""WAITAOF with an append-only file: what it promises is on disk."""

import errno
import os

import pytest

from balas.testing import Both, InProcessServer, RealRedis


@pytest.mark.parametrize("policy", ["no", "everysec", "always"])
def test_waitaof_answers_as_redis_does(policy: str) -> None:
    options = {"appendonly": "yes", "appendfsync": policy}
    with (
        RealRedis(options) as real,
        InProcessServer(options) as balas,
        Both(balas, real) as both,
    ):
        both("WAITAOF", "0", "0", "0")
        both("SET", "k", "v")
        if policy != "no":
            both("WAITAOF", "1", "0", "0")
            both("WAITAOF", "0", "0", "0")
        both("MULTI")
        both("WAITAOF", "0", "1", "0")
        both("EXEC")


def test_nothing_is_promised_that_the_disk_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with InProcessServer({"appendonly": "yes", "appendfsync": "everysec"}) as server:
        client = server.client()
        client("SET", "k", "v")
        with monkeypatch.context() as patched:
            patched.setattr(os, "fdatasync", refuse)
            client.send("WAITAOF", "1", "0", "100")
            server.advance(200)
            assert client.read() == [0, 0]
        assert client("WAITAOF", "1", "0", "0") == [1, 0]


def test_waitaof_without_a_log_is_a_mistake(both: Both) -> None:
    both("WAITAOF", "1", "0", "0")
