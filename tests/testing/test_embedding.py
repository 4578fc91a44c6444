"""`from balas import Server`: in a thread, in an event loop, with and without sockets."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import weakref
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


# --- clients without sockets ---------------------------------------------------------------------


def test_pipelines_are_answered_in_order_with_errors_among_the_replies() -> None:
    with Server(bundled=False, listen=False) as server:
        client = server.client()
        replies = client.pipeline(("SET", "k", "v"), ("INCR", "k"), ("GET", "k"), (object(), 1))
        assert replies[0] == b"OK"
        assert isinstance(replies[1], ReplyError)
        assert replies[2] == b"v"
        assert isinstance(replies[3], Exception)
        assert client("PING") == b"PONG"


@pytest.mark.parametrize("resp", [2, 3])
def test_subscriptions_in_both_protocols(resp: int) -> None:
    with Server(bundled=False, listen=False) as server:
        client, other = server.client(resp=resp), server.client(resp=resp)
        assert client("SUBSCRIBE", "a", "b") == [[b"subscribe", b"a", 1], [b"subscribe", b"b", 2]]
        assert client("PSUBSCRIBE", "x*") == [[b"psubscribe", b"x*", 3]]
        assert other.pipeline(("PUBLISH", "a", "1"), ("PUBLISH", "x1", "2")) == [1, 1]
        assert client.next_push() == [b"message", b"a", b"1"]
        assert client.next_push() == [b"pmessage", b"x*", b"x1", b"2"]
        with pytest.raises(TimeoutError):
            client.next_push(timeout_s=0.01)
        other("PUBLISH", "b", "3")
        assert client.next_push() == [b"message", b"b", b"3"]
        ended = client("UNSUBSCRIBE")
        assert sorted(one[1] for one in ended) == [b"a", b"b"]
        assert client("UNSUBSCRIBE") == [[b"unsubscribe", None, 1]]
        assert client("PUNSUBSCRIBE", "x*") == [[b"punsubscribe", b"x*", 0]]
        assert client("ECHO", "plain again") == b"plain again"
        assert not client.pushes


@pytest.mark.parametrize("resp", [2, 3])
def test_coroutines_subscribe_block_and_send_pipelines(resp: int) -> None:
    async def story() -> None:
        async with Server(bundled=False, listen=False) as server:
            client, other = server.async_client(resp=resp), server.async_client(resp=resp)
            assert await client("HSET", "h", "f", "v") == 1
            assert await client("HGETALL", "h") == ([b"f", b"v"] if resp == 2 else {b"f": b"v"})
            await client("SUBSCRIBE", "news")
            message = asyncio.create_task(client.next_push())
            assert await other.pipeline(("PUBLISH", "news", "hi"), ("GET", "h")) != []
            assert await message == [b"message", b"news", b"hi"]
            blocked = asyncio.create_task(other("BLPOP", "q", 0))
            await asyncio.sleep(0)
            blocked.cancel()
            third = server.async_client()
            assert await third("BLPOP", "nothing", 0.01) is None
            third.close()
            with pytest.raises(ConnectionError):
                await third("PING")

    asyncio.run(story())


def test_a_blocking_command_in_a_thread_waits_for_another() -> None:
    with Server(bundled=False, listen=False) as server:
        found: list[object] = []
        client = server.client()
        thread = threading.Thread(target=lambda: found.append(client("BLPOP", "q", 0)))
        thread.start()
        server.client()("RPUSH", "q", "x")
        thread.join(20)
        assert found == [[b"q", b"x"]]


def test_starting_and_stopping_many_times_leaks_nothing() -> None:
    def round_trip() -> weakref.ref[object]:
        with Server(bundled=False) as server:
            clients = [server.client(resp=3) for _ in range(3)]
            assert [client("PING") for client in clients] == [b"PONG"] * 3
            clients[0].close()
            assert server._parts is not None
            return weakref.ref(server._parts)

    def held() -> tuple[int, int]:
        gc.collect()
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    gone = [round_trip() for _ in range(3)]
    before = held()
    gone += [round_trip() for _ in range(8)]
    assert held() == before
    assert [parts() for parts in gone] == [None] * len(gone)
