"""redis-py in both protocols: what applications do with it, on Balas and on the real server."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from redis.cache import CacheConfig

from balas.testing import ServerProcess, wait_until

pytestmark = pytest.mark.clients


@pytest.fixture(params=[2, 3])
def connect(
    visited: ServerProcess, request: pytest.FixtureRequest
) -> Iterator[Callable[..., redis.Redis]]:
    """A function that makes a client."""
    made: list[redis.Redis] = []

    def make(**options: Any) -> redis.Redis:
        given = {"port": visited.port, "protocol": request.param, "decode_responses": True}
        made.append(redis.Redis(**{**given, **options}))
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_pipelines_and_optimistic_locks(connect: Callable[..., redis.Redis]) -> None:
    client = connect()
    client.set("balance", 100)

    def withdraw() -> None:
        own = connect()
        for _ in range(20):
            own.transaction(
                lambda pipe: take_one(pipe), "balance", watch_delay=0.0005, value_from_callable=True
            )

    def take_one(pipe: Any) -> None:
        left = int(pipe.get("balance"))
        pipe.multi()
        pipe.set("balance", left - 1)

    threads = [threading.Thread(target=withdraw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.get("balance") == "20"


def test_locks_exclude_each_other(connect: Callable[..., redis.Redis]) -> None:
    client, inside, overlaps = connect(), [], []

    def work() -> None:
        own = connect()
        for _ in range(10):
            with own.lock("lock", timeout=5, sleep=0.001):
                inside.append(1)
                overlaps.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == [1] * 40
    lock = client.lock("lock", timeout=0.05)
    assert lock.acquire(blocking=False)
    assert not connect().lock("lock").acquire(blocking=False)
    assert lock.extend(10)
    assert lock.reacquire()
    assert lock.owned()
    time.sleep(0.06)
    with pytest.raises(redis.exceptions.LockError):
        lock.release()


def test_messages_reach_their_listeners(connect: Callable[..., redis.Redis]) -> None:
    client, heard = connect(), []
    listener = connect().pubsub(ignore_subscribe_messages=True)
    listener.subscribe(news=lambda message: heard.append(message["data"]))
    listener.psubscribe(**{"w*": lambda message: heard.append(message["channel"])})
    thread = listener.run_in_thread(sleep_time=0.01)
    wait_until(lambda: client.pubsub_numpat() == 1, what="the subscription")
    client.publish("news", "one")
    client.publish("weather", "two")
    wait_until(lambda: len(heard) == 2, what="the messages")
    thread.stop()
    thread.join()
    assert heard == ["one", "weather"]


def test_replies_are_understood(connect: Callable[..., redis.Redis]) -> None:
    client = connect()
    client.hset("h", mapping={"a": 1})
    assert client.hexpire("h", 10, "a") == [1]
    client.zadd("z", {"a": 1.5, "b": 2})
    assert [list(pair) for pair in client.zrange("z", 0, -1, withscores=True)] == [
        ["a", 1.5],
        ["b", 2.0],
    ]
    client.geoadd("g", (13.361389, 38.115556, "Palermo"))
    (found,) = client.geosearch("g", longitude=13, latitude=38, radius=200, unit="km")
    assert found == "Palermo"
    assert client.info()["redis_version"] == "8.2.3"
    assert client.config_get("maxmemory") == {"maxmemory": "0"}
    assert client.acl_whoami() == "default"
    assert client.command_getkeys("MSET", "a", "1", "b", "2") == ["a", "b"]
    assert client.client_list()[0]["lib-name"].startswith("redis-py")
    assert client.memory_usage("z") > 0
    assert list(client.scan_iter(match="z*")) == ["z"]
    client.function_load(
        "#!lua name=mine\nredis.register_function('twice', function(_, a) return 2 * a[1] end)"
    )
    assert client.fcall("twice", 0, 21) == 42
    with pytest.raises(redis.ResponseError, match="cluster support disabled"):
        client.execute_command("CLUSTER INFO")


def test_streams_with_groups(connect: Callable[..., redis.Redis]) -> None:
    client = connect()
    client.xgroup_create("s", "g", id="$", mkstream=True)
    for n in range(5):
        client.xadd("s", {"n": n})
    read = client.xreadgroup("g", "c", {"s": ">"}, count=10)
    entries = dict(read)["s"]
    entries = entries[0] if len(entries) == 1 else entries
    assert [fields["n"] for _, fields in entries] == list("01234")
    assert client.xack("s", "g", *(name for name, _ in entries[:3])) == 3
    assert client.xpending("s", "g")["pending"] == 2
    assert client.xinfo_groups("s")[0]["lag"] == 0


def test_what_is_cached_is_never_stale(visited: ServerProcess) -> None:
    """Client-side caching, which redis-py has in RESP3."""
    with (
        redis.Redis(
            port=visited.port, protocol=3, cache_config=CacheConfig(), decode_responses=True
        ) as cached,
        redis.Redis(port=visited.port) as writer,
    ):
        for value in ("one", "two"):
            writer.set("k", value)
            wait_until(lambda wanted=value: cached.get("k") == wanted, what="the new value")
        before = writer.info("commandstats")["cmdstat_get"]["calls"]
        for _ in range(100):
            assert cached.get("k") == "two"
        assert writer.info("commandstats")["cmdstat_get"]["calls"] == before
        writer.pexpire("k", 30)
        wait_until(lambda: cached.get("k") is None, what="the expiry to be told")
        writer.set("k", "three")
        writer.flushall()
        wait_until(lambda: cached.get("k") is None, what="the flush to be told")


def test_a_lost_connection_is_made_again(visited: ServerProcess) -> None:
    with redis.Redis(port=visited.port, retry_on_error=[ConnectionError]) as client:
        number = client.client_id()
        with redis.Redis(port=visited.port) as admin:
            admin.client_kill_filter(_id=number)
        client.set("k", "v")
        assert client.get("k") == b"v"
        assert client.client_id() != number
