"""fakeredis's TCP server, the other one in Python, for scale."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from balas.testing import ServerProcess
from bench import report, throughput
from bench.contenders import Contender, Cores
from bench.throughput import WORKLOADS, Load

NAMES = ("PING", "SET", "GET", "INCR", "LPUSH", "LPOP", "SADD", "HSET")
SERVE = """
import sys
from fakeredis import TcpFakeServer
TcpFakeServer.request_queue_size = 512  # else connections that come at once are refused
TcpFakeServer(("127.0.0.1", int(sys.argv[1]))).serve_forever()
"""


class FakeRedis(ServerProcess):
    """fakeredis in a process of its own; it has no options."""

    def __init__(self, options: dict[str, Any] | None = None, **settings: Any) -> None:
        super().__init__([sys.executable, "-c", SERVE], **settings)

    def argv(self) -> list[str]:
        """The command with the port."""
        return [*self.command, str(self.port)]


def measure(contenders: Sequence[Contender], cores: Cores, requests: int, rounds: int) -> str:
    """The section of the report."""
    workloads = [replace(w, pipelines=(1,)) for w in WORKLOADS if w.name in NAMES]
    load = Load(keys=10_000, rounds=rounds, requests={1: requests})
    everybody = (*contenders, Contender("fakeredis", FakeRedis))
    measured = throughput.measure(everybody, cores, load, workloads)
    return f"""
## Beside fakeredis

fakeredis's TCP server is the other server of Redis's protocol in Python; it is meant for tests.
redis-benchmark, 50 clients, {load.keys:,} keys, {rounds} rounds; the ratio is that of Balas and
Redis.

{report.requests(measured)}"""
