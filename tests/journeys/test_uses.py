"""Things that are built on such a server everywhere: a rate limiter, sessions, a leaderboard."""

import random
import threading
import time

import pytest
import redis

from balas.testing import ServerProcess

pytestmark = pytest.mark.clients

# A sliding window: the times of what was let through are kept in a sorted set.
WINDOW = """
local now = redis.call('TIME')
local now_us = now[1] * 1000000 + now[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_us - ARGV[1] * 1000)
local used = redis.call('ZCARD', KEYS[1])
if used >= tonumber(ARGV[2]) then
    local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
    return {0, math.ceil((oldest[2] + ARGV[1] * 1000 - now_us) / 1000)}
end
redis.call('ZADD', KEYS[1], now_us, now_us .. ':' .. redis.call('INCR', KEYS[1] .. ':n'))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return {1, ARGV[2] - used - 1}
"""


def test_a_rate_limiter_lets_exactly_so_many_through(visited: ServerProcess) -> None:
    limit, window_ms, let_through = 50, 400, []

    def hammer() -> None:
        with redis.Redis(port=visited.port) as own:
            script = own.register_script(WINDOW)
            for _ in range(100):
                allowed, _ = script(keys=["limit:user"], args=[window_ms, limit])
                if allowed:
                    let_through.append(1)

    began = time.monotonic()
    threads = [threading.Thread(target=hammer) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    windows = 1 + int((time.monotonic() - began) * 1000 / window_ms)
    assert limit <= len(let_through) <= limit * windows
    with redis.Redis(port=visited.port) as client:
        script = client.register_script(WINDOW)
        answers = [script(keys=["limit:user"], args=[window_ms, limit]) for _ in range(limit + 1)]
        allowed, wait_ms = answers[-1]
        if not allowed:
            assert wait_ms <= window_ms
            time.sleep(max(wait_ms, 0) / 1000 + 0.02)
            allowed, _ = script(keys=["limit:user"], args=[window_ms, limit])
        assert allowed
        assert client.zcard("limit:user") <= limit
        time.sleep(window_ms / 1000 + 0.05)
        assert not client.exists("limit:user")


def test_sessions_end_when_nobody_uses_them(visited: ServerProcess) -> None:
    with redis.Redis(port=visited.port, decode_responses=True) as client:
        for number in range(100):
            with client.pipeline() as pipe:
                pipe.hset(f"session:{number}", mapping={"user": number, "cart": "[]"})
                pipe.pexpire(f"session:{number}", 300)
                pipe.execute()
        client.hsetex("session:0", "csrf", "token", px=50)
        end = time.monotonic() + 0.6
        while time.monotonic() < end:
            with client.pipeline() as pipe:
                for number in range(10):
                    pipe.hgetall(f"session:{number}").pexpire(f"session:{number}", 300)
                found = pipe.execute()
            assert all(found)
            time.sleep(0.02)
        assert "csrf" not in client.hgetall("session:0")
        assert sorted(client.scan_iter("session:*")) == [f"session:{n}" for n in range(10)]
        assert client.getex("session:none") is None


def test_a_leaderboard_ranks_as_sorting_does(visited: ServerProcess) -> None:
    chance, points = random.Random(5), {}
    with redis.Redis(port=visited.port, decode_responses=True) as client:
        for _ in range(20):
            with client.pipeline(transaction=False) as pipe:
                for _ in range(100):
                    player, gain = f"player:{chance.randrange(500):03}", chance.randrange(1, 100)
                    points[player] = points.get(player, 0) + gain
                    pipe.zincrby("board", gain, player)
                pipe.execute()
        ranked = sorted(points.items(), key=lambda item: (item[1], item[0]), reverse=True)
        for first in (0, 10, 100, len(ranked) - 5):
            shown = client.zrange("board", first, first + 9, desc=True, withscores=True)
            assert [tuple(pair) for pair in shown] == ranked[first : first + 10]
        for rank in (0, 7, 250):
            assert client.zrevrank("board", ranked[rank][0]) == rank
        middle = ranked[len(ranked) // 2][1]
        assert client.zcount("board", middle, "+inf") == sum(n >= middle for _, n in ranked)
        client.zremrangebyrank("board", 0, -101)
        assert client.zcard("board") == 100
        assert client.zrangestore("top", "board", 0, 2, desc=True) == 3
        top = client.zmscore("top", [name for name, _ in ranked[:3]])
        assert top == [float(score) for _, score in ranked[:3]]
