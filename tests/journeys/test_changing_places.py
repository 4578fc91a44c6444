"""Two servers change places again and again while clients count: no answered write is lost."""

import threading
import time
from contextlib import ExitStack

import pytest

from balas.errors import ReplyError
from balas.testing import BalasProcess, RealRedis, ServerProcess, wait_until

pytestmark = [pytest.mark.long, pytest.mark.oracle, pytest.mark.clients]

TIMES = 6
CLIENTS = 4


class Counters:
    """Clients that write to whoever leads, and count what was answered."""

    def __init__(self, servers: list[ServerProcess]) -> None:
        self.servers = servers
        self.leader = 0
        self.answered = [0] * CLIENTS
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._count, args=(i,)) for i in range(CLIENTS)]

    def __enter__(self) -> "Counters":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _count(self, number: int) -> None:
        with ExitStack() as stack:
            clients = [stack.enter_context(server.client()) for server in self.servers]
            while not self._over.is_set():
                try:
                    clients[self.leader]("INCR", f"count:{number}")
                    self.answered[number] += 1
                except ReplyError as error:
                    assert "READONLY" in str(error)  # noqa: PT017
                    time.sleep(0.001)


@pytest.mark.parametrize("other", [BalasProcess, RealRedis])
def test_no_answered_write_is_lost(other: type[BalasProcess] | type[RealRedis]) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(BalasProcess({"bare": ()}))
        follow = {"replicaof": f"127.0.0.1 {first.port}"}
        bare = {"bare": ()} if other is BalasProcess else {}
        second = stack.enter_context(other({**follow, **bare}))
        servers: list[ServerProcess] = [first, second]
        ask = [stack.enter_context(server.client()) for server in servers]
        wait_until(lambda: ask[1]("ROLE")[3] == b"connected", 30)
        with Counters(servers) as counters:
            for _ in range(TIMES):
                leader = counters.leader
                heir = 1 - leader
                before = sum(counters.answered)
                wait_until(lambda: sum(counters.answered) > before + 100)  # noqa: B023
                place = ("TO", "127.0.0.1", servers[heir].port, "TIMEOUT", 10_000)
                assert ask[leader]("FAILOVER", *place) == b"OK"
                wait_until(lambda: ask[heir]("ROLE")[0] == b"master", 30)  # noqa: B023
                counters.leader = heir
                wait_until(lambda: ask[leader]("ROLE")[0] == b"slave", 30)  # noqa: B023
                wait_until(lambda: ask[leader]("ROLE")[3] == b"connected", 30)  # noqa: B023
        names = [f"count:{number}" for number in range(CLIENTS)]
        for client in ask:
            wait_until(
                lambda: list(map(int, client("MGET", *names))) == counters.answered,  # noqa: B023
                30,
            )
        assert first.log.count("Full resync from master") == 0
        assert second.log.count("MASTER <-> REPLICA sync: Flushing old data") == 1
