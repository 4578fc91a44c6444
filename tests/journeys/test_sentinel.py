"""Redis Sentinel watches over servers of ours, and has a replica take over from a lost primary."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from balas.testing import BalasProcess, ServerProcess, wait_until
from balas.testing.real_server import redis_server_path

pytestmark = [pytest.mark.long, pytest.mark.oracle, pytest.mark.clients]


class Sentinel(ServerProcess):
    """A Sentinel that watches one primary, and needs no other to agree."""

    def __init__(self, primary_port: int, directory: Path) -> None:
        super().__init__([], directory=directory)
        self._file = directory / "sentinel.conf"
        self._file.write_text(
            f"port {self.port}\nbind 127.0.0.1\n"
            f"sentinel monitor main 127.0.0.1 {primary_port} 1\n"
            "sentinel down-after-milliseconds main 1000\n"
            "sentinel failover-timeout main 5000\n"
        )

    def argv(self) -> list[str]:
        return [str(redis_server_path()), str(self._file), "--sentinel"]


def ask(server: ServerProcess, *words: Any) -> Any:
    """A reply over a new connection: Sentinel hangs up those there are when a server changes."""
    with server.client() as client:
        return client(*words)


def test_a_replica_takes_over_and_the_lost_one_comes_back(tmp_path: Path) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(BalasProcess({"bare": ()}))
        for i in range(100):
            ask(first, "SET", f"key:{i}", i)
        follow = {"bare": (), "replicaof": f"127.0.0.1 {first.port}"}
        others = [stack.enter_context(BalasProcess(follow)) for _ in range(2)]
        wait_until(lambda: ask(first, "WAIT", 2, 100) == 2)
        sentinel = stack.enter_context(Sentinel(first.port, tmp_path))

        def watched() -> dict[bytes, bytes]:
            fields = ask(sentinel, "SENTINEL", "MASTER", "main")
            return dict(zip(fields[::2], fields[1::2], strict=True))

        wait_until(lambda: watched()[b"num-slaves"] == b"2", 30)
        first.kill()
        wait_until(lambda: watched()[b"port"] != b"%d" % first.port, 60)
        chosen = next(one for one in others if watched()[b"port"] == b"%d" % one.port)
        wait_until(lambda: ask(chosen, "ROLE")[0] == b"master", 30)
        assert ask(chosen, "SET", "after", "v") == b"OK"
        wait_until(lambda: ask(chosen, "WAIT", 1, 100) == 1, 30)
        for server in others:
            assert ask(server, "MGET", "after", "key:7") == [b"v", b"7"]
        first.start()
        wait_until(lambda: ask(first, "ROLE")[0] == b"slave", 60)
        wait_until(lambda: ask(first, "GET", "after") == b"v", 30)
