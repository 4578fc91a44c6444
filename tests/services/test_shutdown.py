"""The end of a server: what it saves, when it refuses to end, and what it leaves behind."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from balas.services.shutdown import Plan, Shutdown, ShutdownFailed
from balas.testing import BalasProcess, InProcessServer


@pytest.fixture
def saving() -> Iterator[InProcessServer]:
    with InProcessServer({"save": "3600 1"}) as server:
        yield server


def ended(server: InProcessServer) -> list[int]:
    """The exit codes with which the network was told to stop, from now on."""
    codes: list[int] = []
    server.server.shutdown.stop = codes.append
    return codes


def has_snapshot(server: InProcessServer) -> bool:
    return (server.directory / "dump.rdb").exists()


@pytest.mark.parametrize(
    ("words", "saved"), [("", True), ("NOSAVE", False), ("SAVE", True), ("NOW FORCE", True)]
)
def test_it_saves_where_there_are_save_points(
    saving: InProcessServer, words: str, saved: bool
) -> None:
    codes = ended(saving)
    client = saving.client()
    client("SET", "k", "v")
    client.send("SHUTDOWN", *words.split())
    assert codes == [0]
    assert has_snapshot(saving) == saved


@pytest.mark.parametrize(("words", "saved"), [("", False), ("SAVE", True)])
def test_without_save_points_it_saves_if_told_to(words: str, saved: bool) -> None:
    with InProcessServer() as server:
        codes = ended(server)
        server.client().send("SHUTDOWN", *words.split())
        assert codes == [0]
        assert has_snapshot(server) == saved


def test_it_goes_on_if_it_cannot_save(saving: InProcessServer) -> None:
    codes = ended(saving)
    client = saving.client()
    client("SET", "k", "v")
    (saving.directory / "dump.rdb").mkdir()
    assert client.error("SHUTDOWN") == "ERR Errors trying to SHUTDOWN. Check logs."
    assert codes == []
    assert "Error trying to save the DB, can't exit." in saving.log
    client.send("SHUTDOWN", "FORCE")
    assert codes == [0]


def test_steps_run_in_order_and_each_can_object(saving: InProcessServer) -> None:
    shutdown: Shutdown = saving.server.shutdown
    codes, done = ended(saving), []

    def first(plan: Plan) -> None:
        done.append(plan)

    def second(plan: Plan) -> None:
        raise ShutdownFailed

    shutdown.add(first)
    shutdown.add(second)
    with pytest.raises(ShutdownFailed):
        shutdown.run(frozenset(("nosave", "now")))
    assert done == [Plan(save=False, now=True, force=False)]
    assert codes == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_ends(
    balas_process: Callable[..., BalasProcess], number: signal.Signals
) -> None:
    server = balas_process({"save": "3600 1"})
    with server.client() as client:
        client("SET", "k", "v")
    server.signal(number)
    assert server.wait_for_exit() == 0
    assert "Saving the final RDB snapshot before exiting." in server.log
    server.start()
    with server.client() as client:
        assert client("GET", "k") == b"v"


def test_shutdown_ends_the_process_and_what_was_logged_is_there(
    balas_process: Callable[..., BalasProcess],
) -> None:
    server = balas_process({"appendonly": "yes", "appendfsync": "no"})
    with server.client() as client:
        client("SET", "k", "v")
        client.send("SHUTDOWN")
        assert client.read_to_end() == b""
    assert server.wait_for_exit() == 0
    server.start()
    with server.client() as client:
        assert client("GET", "k") == b"v"


def test_a_signal_that_cannot_save_leaves_the_server_running(
    balas_process: Callable[..., BalasProcess], tmp_path: Path
) -> None:
    server = balas_process({"save": "3600 1", "dir": str(tmp_path), "dbfilename": "folder.rdb"})
    (tmp_path / "folder.rdb").mkdir()
    with server.client() as client:
        client("SET", "k", "v")
        server.signal(signal.SIGTERM)
        while "can't exit" not in server.log:
            assert client("PING") == b"PONG"
        assert client("GET", "k") == b"v"
        client.send("SHUTDOWN", "NOSAVE")
    assert server.wait_for_exit() == 0
