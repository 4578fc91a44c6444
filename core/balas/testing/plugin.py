"""The pytest plugin: fixtures for tests of Balas and of modules for it.

It is registered through the entry point `pytest11`, so a module author who has Balas installed
has these fixtures without a line of configuration:

    balas_server     Balas inside the test: no socket, and a clock that moves when it is told to
    balas_bundled    whether it has the bundled modules: a test that needs none starts faster
    client           a connection to it
    balas_client     the same under a name that no other plugin has
    balas_clock      the clock of `balas_server`: balas_clock.advance(1000) lets a second pass
    propagates       propagates(("SADD", "k", "a")) returns what is told to the log and to replicas
    survives_reload  survives_reload("k") saves, drops and loads all data and compares the value
    balas_url        the address of a real server with a port of its own, for programs under test
    both             Balas and a real Redis: both("GET", "k") asks the two and compares
    real_redis       a real Redis 8.2.3, emptied; the test is skipped where its wheel is missing
    real_servers     real_servers("bloom", "json") gives one with real modules, started once a run
    balas_process    balas_process({"appendonly": "yes"}) starts Balas in a process of its own

With BALAS_REQUIRE_ORACLE=1 in the environment a missing wheel is an error, no skip.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    # Imported when a fixture is used: pytest loads this plugin in every run, of any project.
    from balas.testing.both import Both
    from balas.testing.checks import Clock
    from balas.testing.clients import Client
    from balas.testing.in_process import InProcessServer
    from balas.testing.real_server import RealRedis
    from balas.testing.server_process import BalasProcess

REAL_FIXTURES = {"real_redis", "real_servers", "both"}
# What a server decides the encodings of values by.
ENCODING_SETTINGS = (
    *("hash-max-listpack-*", "list-max-listpack-size", "list-compress-depth", "set-max-*"),
    *("zset-max-listpack-*", "stream-node-max-*", "hll-sparse-max-bytes", "rdbcompression"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that compares with the real server, so that `-m oracle` finds it."""
    for item in items:
        if REAL_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.oracle)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker for projects whose own configuration does not."""
    config.addinivalue_line("markers", "oracle: compares with the real Redis server")


@pytest.fixture(scope="session")
def real_servers() -> Iterator[Callable[..., "RealRedis"]]:
    """A function from names of real modules to a running real server that has them."""
    from balas.testing.real_server import NotInstalled, RealRedis

    running: dict[tuple[str, ...], RealRedis] = {}
    with ExitStack() as stack:

        def get(*modules: str) -> RealRedis:
            key = tuple(sorted(modules))
            if key not in running:
                try:
                    running[key] = stack.enter_context(RealRedis(modules=key))
                except NotInstalled as missing:
                    if os.environ.get("BALAS_REQUIRE_ORACLE") == "1":
                        raise
                    pytest.skip(str(missing))
            return running[key]

        yield get


@pytest.fixture(scope="session")
def real_encoding(real_servers: Callable[..., "RealRedis"]) -> list[bytes]:
    """What the real server decides encodings by, as CONFIG GET lists it before any test."""
    with real_servers().client() as client:
        settings: list[bytes] = client("CONFIG", "GET", *ENCODING_SETTINGS)
        return settings


@pytest.fixture
def real_redis(real_servers: Callable[..., "RealRedis"], real_encoding: list[bytes]) -> "RealRedis":
    """The real server without modules, emptied, with the encodings it began with."""
    server = real_servers()
    with server.client() as client:
        client("FLUSHALL")
        client("CONFIG", "SET", *real_encoding)
        client("DEBUG", "QUICKLIST-PACKED-THRESHOLD", "0")
        client("SCRIPT", "FLUSH")
        client("FUNCTION", "FLUSH")
        client("ACL", "LOG", "RESET")
        if users := [user for user in client("ACL", "USERS") if user != b"default"]:
            client("ACL", "DELUSER", *users)
    return server


@pytest.fixture
def balas_bundled() -> bool:
    """Whether `balas_server` has the bundled modules; define it anew to return False."""
    return True


@pytest.fixture
def balas_server(balas_bundled: bool) -> Iterator["InProcessServer"]:
    """Balas inside the test with default options, and all bundled modules if they are wanted."""
    from balas.testing.in_process import InProcessServer

    with InProcessServer(bundled=balas_bundled) as server:
        yield server


@pytest.fixture
def client(balas_server: "InProcessServer") -> "Client":
    """A connection to `balas_server` that speaks RESP2."""
    return balas_server.client()


@pytest.fixture
def balas_client(balas_server: "InProcessServer") -> "Client":
    """A connection to `balas_server` that speaks RESP2."""
    return balas_server.client()


@pytest.fixture
def balas_clock(balas_server: "InProcessServer") -> "Clock":
    """The clock of `balas_server`, which stands still until it is told to move."""
    from balas.testing.checks import Clock

    return Clock(balas_server)


@pytest.fixture
def propagates(balas_server: "InProcessServer") -> Callable[..., list[list[bytes]]]:
    """A function that sends a command and returns what the log and replicas are told of it."""
    from balas.testing.checks import propagated

    return lambda *argv: propagated(balas_server, argv)


@pytest.fixture
def survives_reload(balas_server: "InProcessServer") -> Callable[..., None]:
    """A function that fails unless the values of these keys outlive a snapshot and a log."""
    from balas.testing.checks import check_survival

    return lambda *keys: check_survival(balas_server, keys)


@pytest.fixture
def balas_url() -> Iterator[str]:
    """The address of an empty server in a thread, with a port of its own: redis://127.0.0.1:4711.

    For programs under test that want a real server. Its clock is the real one.
    """
    from balas.embedding import Server

    with Server() as server:
        yield server.url


@pytest.fixture
def both(balas_server: "InProcessServer", real_redis: "RealRedis") -> Iterator["Both"]:
    """`balas_server` and the real server, to be asked together."""
    from balas.testing.both import Both

    with Both(balas_server, real_redis) as pair:
        yield pair


@pytest.fixture
def balas_process() -> Iterator[Callable[..., "BalasProcess"]]:
    """A function that starts Balas as a process; all it started are ended after the test."""
    from balas.testing.server_process import BalasProcess

    with ExitStack() as stack:

        def start(options: dict[str, Any] | None = None, **settings: Any) -> BalasProcess:
            return stack.enter_context(BalasProcess(options, **settings))

        yield start
