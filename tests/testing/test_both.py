"""Two servers asked the same."""

import pytest

from balas.testing import Both, RealRedis, show


def test_equal_answers_are_returned(both: Both) -> None:
    both("SET", "k", 5)
    assert show(both("INCR", "k")) == "6"
    assert both.raw(b"GET k\r\n") == b"$1\r\n6\r\n"


def test_a_difference_is_an_error(real_redis: RealRedis) -> None:
    with Both(real_redis, real_redis) as pair:
        with pytest.raises(AssertionError, match=r'"INCR" "k"\n    real   \d\n    balas  \d'):
            pair("INCR", "k")
        pair("INCR", "k", ways="shape")
        pair("INCR", "k", delta=1)
        with pytest.raises(AssertionError, match="balas"):
            pair.raw(b"INCR k\r\n")


def test_replies_can_be_read_later(real_redis: RealRedis) -> None:
    with Both(real_redis, real_redis) as pair:
        pair.send("BLPOP", "queue", "0")
        with real_redis.client() as client:
            client("RPUSH", "queue", "one", "one")
        assert show(pair.read("BLPOP")) == '["queue", "one"]'
