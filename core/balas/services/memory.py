"""How much memory there is and may be: `maxmemory` and its policies, clients' buffers, the peak.

The account of the data is kept by the keyspace, entry by entry. Here the engine is told what limit
holds and how to get below it, and what clients cost is counted in: a second is taken to look at all
of them, some at a time.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from balas.engine import attention
from balas.engine.client import Client
from balas.engine.dispatch import Engine
from balas.keyspace.database import Database
from balas.keyspace.eviction import FREED, MORE_TO_FREE, NOTHING_TO_FREE, Eviction
from balas.services.config import Config
from balas.services.latency import Latency
from balas.services.log import Log

LOOK_EVERY_MS = 100
# All clients are looked at in so many steps.
CLIENTS_STEPS = 10
CLIENTS_AT_ONCE = 500
# maxmemory-eviction-tenacity: linear up to 10, then each step takes 15 % longer; 100 is no limit.
TENACITY_LINEAR = 10
TENACITY_NS = 50_000
TENACITY_GROWTH = 1.15
TENACITY_MAX = 100
NO_LIMIT_NS = 2**62
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Figures(NamedTuple):
    """Where the memory goes, in bytes.

    `startup` is counted before there are data, `overhead` beside the data, `dataset` is the data.
    `resident` is what the process has in RAM, `heap` that without the interpreter, `used` the
    account.
    """

    used: int
    startup: int
    overhead: int
    dataset: int
    resident: int
    heap: int

    @property
    def dataset_percent(self) -> float:
        """The share of the data in what came after the start."""
        return ratio(100 * self.dataset, self.used - self.startup)


class Memory:
    """The memory limit of one server.

    Attributes:
        clients_bytes: what ordinary clients cost, as counted in the last second.
        recent_input_bytes, recent_output_bytes: the largest buffers of a client, likewise.
        peak_at_s: when the account was at its highest, Unix time in seconds.
        may_evict: False while this server's data are somebody else's (a replica).
        on_exhausted: called when memory is above the limit and nothing may be evicted.
        startup_bytes: what the account held before there were any data.
        interpreter_bytes: what the process took before there were any data, which is not counted.
    """

    def __init__(self, engine: Engine, config: Config, log: Log, latency: Latency) -> None:
        self._engine = engine
        self._log = log
        self._latency = latency
        self._monotonic_ns = engine.clock.monotonic_ns
        self._eviction = Eviction(
            engine.databases,
            engine.account,
            engine.access,
            self._delete,
            self._monotonic_ns,
            engine.rng.getrandbits(64),
        )
        self.may_evict = True
        self.on_exhausted: Callable[[], None] = lambda: None
        self.clients_bytes = 0
        self.recent_input_bytes = 0
        self.recent_output_bytes = 0
        self.startup_bytes = 0
        self.interpreter_bytes = resident_bytes()
        self.peak_at_s = engine.clock.now_ms // 1000
        self._round: Iterator[Client] = iter(())
        self._step = 1
        self._round_bytes = 0
        self._round_input_bytes = 0
        self._round_output_bytes = 0
        self._lazily = False
        self._time_limit_ns = 0
        self._evicts_later = False
        self._time_was_up = False
        self._exceeded_since_ns = 0
        self.exceeded_ns = 0
        engine.free_memory = self.free
        engine.stats.on_reset.append(self._reset_stats)
        config.on_change("maxmemory", self._limit_changed)
        config.on_change(
            (
                "maxmemory-policy",
                "maxmemory-samples",
                "maxmemory-eviction-tenacity",
                "lfu-log-factor",
                "lfu-decay-time",
                "lazyfree-lazy-eviction",
                "lazyfree-lazy-expire",
                "lazyfree-lazy-server-del",
            ),
            self._follow,
        )
        self._follow(config)
        self._limit_changed(config)
        engine.timers.every(LOOK_EVERY_MS, self._look)

    def _look(self) -> None:
        self._count_clients()
        self.note_peak()

    def note_peak(self) -> None:
        """Remember the highest state of the account; called ten times a second and for INFO."""
        account = self._engine.account
        if account.total > account.peak:
            account.peak = account.total
            self.peak_at_s = self._engine.clock.now_ms // 1000

    # --- the limit ---------------------------------------------------------------------------

    def _follow(self, config: Config) -> None:
        policy = config.text("maxmemory-policy")
        if policy != self._eviction.policy:
            self._eviction.use_policy(policy)
        self._eviction.samples = config.get("maxmemory-samples")
        access = self._engine.access
        access.use_lfu(policy.endswith("-lfu"))
        access.log_factor = config.get("lfu-log-factor")
        access.decay_minutes = config.get("lfu-decay-time")
        self._lazily = config.get("lazyfree-lazy-eviction")
        self._engine.changes.lazy_expire = config.get("lazyfree-lazy-expire")
        for db in self._engine.databases:
            db.lazy_overwrite = config.get("lazyfree-lazy-server-del")
        self._time_limit_ns = time_limit_ns(config.get("maxmemory-eviction-tenacity"))

    def _limit_changed(self, config: Config) -> None:
        engine = self._engine
        engine.maxmemory = config.get("maxmemory")
        engine.set_attention(attention.MEMORY, engine.maxmemory > 0)
        if engine.maxmemory and engine.account.total > engine.maxmemory:
            self._log.warning(
                f"WARNING: the new maxmemory value set via CONFIG SET ({engine.maxmemory}) is "
                f"smaller than the current memory usage ({engine.account.total}). This will result "
                "in key eviction and/or the inability to accept new write commands depending on "
                "the maxmemory-policy."
            )
            self._evict_later()

    def free(self) -> bool:
        """Evict until memory is below the limit or the time is up; False if nothing may go.

        Once the time was up, the commands of this turn of the event loop go without: in Redis each
        of a pipeline takes it anew, and the last one waits for all of them.
        """
        if self._time_was_up or not self.may_evict or not self._engine.changes.expires_keys:
            return True
        began_ns = self._monotonic_ns()
        result = self._eviction.free(self._engine.maxmemory, self._time_limit_ns)
        self._latency.add("eviction-cycle", self._monotonic_ns() - began_ns)
        self._note_exceeded(result)
        if result == MORE_TO_FREE:
            self._time_was_up = True
            self._evict_later()
        if result != NOTHING_TO_FREE:
            return True
        self.on_exhausted()
        return False

    def _delete(self, db: Database, key: bytes) -> None:
        self._engine.changes.delete_evicted(db, key, self._lazily)

    def _evict_later(self) -> None:
        """Go on as soon as the clients that are waiting now have been served."""
        if not self._evicts_later:
            self._evicts_later = True
            self._engine.timers.at(self._engine.clock.now_ms, self._evict_more)

    def _evict_more(self) -> None:
        self._evicts_later = self._time_was_up = False
        engine = self._engine
        if engine.maxmemory and engine.account.total > engine.maxmemory:
            self.free()

    def _note_exceeded(self, result: int) -> None:
        """Keep account of the time during which memory is above the limit."""
        if result != FREED:
            self._exceeded_since_ns = self._exceeded_since_ns or self._monotonic_ns()
        elif self._exceeded_since_ns:
            self.exceeded_ns += self._monotonic_ns() - self._exceeded_since_ns
            self._exceeded_since_ns = 0

    @property
    def now_exceeded_ns(self) -> int:
        """For how long memory has been above the limit; 0 if it is not."""
        return self._monotonic_ns() - self._exceeded_since_ns if self._exceeded_since_ns else 0

    def _reset_stats(self) -> None:
        self.exceeded_ns = 0
        self._exceeded_since_ns = 0

    # --- clients -----------------------------------------------------------------------------

    def _count_clients(self) -> None:
        """Look at the next clients; when all were looked at, count what they cost."""
        looked_at = 0
        for client in itertools.islice(self._round, self._step):
            looked_at += 1
            if not client.closed:
                self._round_bytes += client.memory
                input_bytes = client.parser.buffered + client.backlog_size
                self._round_input_bytes = max(self._round_input_bytes, input_bytes)
                self._round_output_bytes = max(self._round_output_bytes, client.output_pending)
        if looked_at < self._step:
            self._end_round()
            clients = list(self._engine.clients.values())
            self._step = min(len(clients) // CLIENTS_STEPS + 1, CLIENTS_AT_ONCE)
            self._round = iter(clients)

    def _end_round(self) -> None:
        """All clients were looked at: what was found counts from now on."""
        self._engine.account.other += self._round_bytes - self.clients_bytes
        self.clients_bytes = self._round_bytes
        self.recent_input_bytes = self._round_input_bytes
        self.recent_output_bytes = self._round_output_bytes
        self._round_bytes = self._round_input_bytes = self._round_output_bytes = 0

    # --- INFO --------------------------------------------------------------------------------

    def figures(self) -> Figures:
        """Where the memory goes."""
        used = self._engine.account.total
        tables = sum(sum(db.table_memory) for db in self._engine.databases if len(db))
        overhead = self.startup_bytes + self.clients_bytes + tables
        resident = resident_bytes()
        heap = max(resident - self.interpreter_bytes, 0)
        return Figures(used, self.startup_bytes, overhead, max(used - overhead, 0), resident, heap)


def ratio(part: float, whole: float) -> float:
    """A quotient; 0 where there is nothing."""
    return part / whole if whole > 0 else 0.0


def time_limit_ns(tenacity: int) -> int:
    """How long one call may evict, by maxmemory-eviction-tenacity (0 to 100)."""
    if tenacity >= TENACITY_MAX:
        return NO_LIMIT_NS
    if tenacity <= TENACITY_LINEAR:
        return TENACITY_NS * tenacity
    steps = tenacity - TENACITY_LINEAR
    return int(TENACITY_NS * TENACITY_LINEAR * TENACITY_GROWTH**steps)


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * PAGE_BYTES


def system_memory_bytes() -> int:
    """RAM of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * PAGE_BYTES
