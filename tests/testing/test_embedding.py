"""`from balas import Server`: in a thread, in an event loop, with and without sockets."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from balas import Server
from balas.errors import ReplyError

START_MAX_S = 0.3


def test_a_server_in_a_thread_answers_with_and_without_a_socket() -> None:
    with Server(bundled=False) as server:
        client = server.client()
        assert client("SET", "k", "v") == b"OK"
        with redis.Redis.from_url(server.url) as other:
            assert other.get("k") == b"v"
        with pytest.raises(ReplyError, match="not an integer"):
            client("INCR", "k")
    assert not server.directory.exists()


def test_a_server_without_a_port() -> None:
    with Server(bundled=False, listen=False) as server:
        assert server.port == 0
        assert server.client()("PING") == b"PONG"


def test_a_server_in_the_running_loop() -> None:
    async def story() -> None:
        async with Server(bundled=False) as server:
            waiting, client = server.async_client(), server.async_client()
            popped = asyncio.create_task(waiting("BLPOP", "q", 0))
            await asyncio.sleep(0)
            assert await client("RPUSH", "q", "x") == 1
            assert await popped == [b"q", b"x"]

    asyncio.run(story())


def test_messages_out_of_band_are_kept() -> None:
    with Server(bundled=False, listen=False) as server:
        client = server.client()
        client("HELLO", 3)
        other = server.client()
        other("SET", "k", "1")
        client("CLIENT", "TRACKING", "ON")
        client("GET", "k")
        other("SET", "k", "2")
        client("PING")
        assert [message[0] for message in client.pushes] == [b"invalidate"]


def test_two_servers_never_meet() -> None:
    with Server(bundled=False) as one, Server(bundled=False) as two:
        assert one.port != two.port
        one.client()("SET", "k", "v")
        assert two.client()("EXISTS", "k") == 0


def test_shutdown_ends_the_thread_and_those_who_wait() -> None:
    with Server(bundled=False) as server:
        client = server.client()
        with pytest.raises(ConnectionError):
            client("SHUTDOWN", "NOSAVE")


def test_a_refusal_to_start_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import nothing_of_this_name\n")
    with pytest.raises(RuntimeError, match="nothing_of_this_name"):
        Server(modules=[str(tmp_path / "broken.py")], bundled=False).start()
    with pytest.raises(RuntimeError, match="maxmemory"):
        Server({"maxmemory": "a lot"}, bundled=False).start()


def test_data_outlive_the_server_in_a_folder_of_its_own(tmp_path: Path) -> None:
    for expected in (0, 1):
        with Server({"appendonly": "yes"}, directory=tmp_path, bundled=False) as server:
            assert server.client()("EXISTS", "k") == expected
            server.client()("SET", "k", "v")


def test_a_start_takes_little_time() -> None:
    """Of the second server on, and in CPU time: the machine may be busy with other things."""
    program = (
        "import time\nfrom balas import Server\n"
        "Server().start().stop()\n"
        "spent = time.process_time()\nserver = Server().start()\n"
        "print(time.process_time() - spent)\nserver.stop()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert float(done.stdout) < START_MAX_S
