"""Scripts and functions, case by case, against the real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from balas.testing import Both, InProcessServer, RealRedis

SCRIPTS = [
    line
    for line in (Path(__file__).parent / "scripts.txt").read_text().splitlines()
    if not line.startswith("#")
]
FLAGS = ("no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys", "")
SET, GET = "return redis.call('set',KEYS[1],'v')", "return redis.call('get',KEYS[1])"


@pytest.fixture(params=[2, 3])
def both(request: pytest.FixtureRequest, real_redis: RealRedis) -> Iterator[Both]:
    options = {"enable-debug-command": "yes"}
    with InProcessServer(options) as server, Both(server, real_redis, request.param) as pair:
        yield pair


def test_scripts_come_to_what_they_come_to_in_redis(both: Both) -> None:
    for argv in (("HSET", "h", "f", "v"), ("SADD", "s", "a"), ("ZADD", "z", "1.5", "m")):
        both(*argv)
    both("SET", "str", "1")
    for script in SCRIPTS:
        both("EVAL", script, "0")


def library(name: str, flag: str, body: str) -> str:
    flags = f"'{flag}'" if flag else ""
    return (
        f"#!lua name=l{name}\nredis.register_function{{function_name='{name}', "
        f"callback=function(KEYS) {body} end, flags={{{flags}}}}}"
    )


def run_all(both: Both, number: int, flag: str) -> None:
    """Run what writes and what reads, as script and as function."""
    for name in (f"w{number}", f"r{number}"):
        both("FCALL", name, "1", "x")
        both("FCALL_RO", name, "1", "x")
    for body in (SET, GET):
        both("EVAL", f"#!lua flags={flag}\n{body}", "1", "x")
        both("EVAL_RO", f"#!lua flags={flag}\n{body}", "1", "x")


def test_flags_mean_what_they_mean_in_redis(both: Both) -> None:
    for number, flag in enumerate(FLAGS):
        both("FUNCTION", "LOAD", library(f"w{number}", flag, SET))
        both("FUNCTION", "LOAD", library(f"r{number}", flag, GET))
        run_all(both, number, flag)
        both("EVAL", f"#!lua flags={flag}, no-writes\n{GET}", "1", "x")
        both("EVAL", f"#!lua flags={flag},no-writes\n{SET}", "1", "x")
    both("CONFIG", "SET", "maxmemory", "1")
    for number, flag in enumerate(FLAGS):
        run_all(both, number, flag)
        both("MULTI")
        both("FCALL", f"w{number}", "1", "x")
        both("EVAL", f"#!lua flags={flag}\n{SET}", "1", "x")
        both("EVALSHA", "f" * 40, "0")
        both("EXEC")
    both("EVAL", SET, "1", "x")
    both("EVAL", f"redis.call('del',KEYS[1]) {SET}", "1", "x")
    both("CONFIG", "SET", "maxmemory", "0")


def test_first_lines_are_read_as_by_redis(both: Both) -> None:
    for first in ("flags=nope", "name=x", "flags=no-writes flags=allow-oom", "flags", "=", ""):
        both("EVAL", f"#!lua {first}\nreturn redis.call('set','a','b')", "0")
    both("EVAL", "#!js\nreturn 1", "0")
    both("EVAL", "#!lua", "0")
    both("FUNCTION", "LOAD", library("f", "nope", "return 1"))


def test_errors_come_in_the_order_of_redis(both: Both) -> None:
    both("FUNCTION", "LOAD", library("f", "", "return 1"))
    for command, what in (
        ("EVAL", "return 1"),
        ("EVAL_RO", "return 1"),
        ("EVALSHA", "f" * 40),
        ("EVALSHA_RO", "f" * 40),
        ("EVALSHA", "f"),
        ("FCALL", "f"),
        ("FCALL", "missing"),
    ):
        for numkeys in ("x", "1", "-1", "0"):
            both(command, what, numkeys)
    both("FUNCTION", "FLUSH")
