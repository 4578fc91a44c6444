"""Work that goes on beside the requests: expired keys, tables that move, values that are freed.

`hz` times a second a cycle begins. What there is to do is done in slices of a millisecond, one kind
of work after the other, with pauses between them that leave the requests their share of the CPU: so
a client never waits for more than one slice, however much there is to do. Where Redis takes a
quarter of a cycle in one piece for expiry, the same quarter is cut up here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from balas.engine.dispatch import Engine
from balas.engine.timers import Timer
from balas.keyspace.database import Database, RetiredTable
from balas.keyspace.expiry import ExpiryCycle
from balas.services.config import Config
from balas.services.latency import Latency
from balas.types.fields import Fields

SLICE_NS = 1_000_000
# Of the time while there is work, at the least effort; each further step adds two.
SHARE_PERCENT = 25
HZ_MAX = 500
# With dynamic-hz, cycles begin twice as often for each doubling of the clients beyond this.
CLIENTS_PER_CYCLE = 200
REHASH_BUCKETS = 64
SETTLE_BUCKETS = 64
# A step of freeing is made smaller when it takes long, for some allocations take the allocator a
# thousand times longer than others: those that leave a whole region empty, which is unmapped then.
# They come in a bunch, when nearly all of a big table is gone.
FREE_EFFORT_MAX = 500
FREE_STEP_NS = 150_000
# Fields of one hash that are removed before the next hash has its turn.
FIELDS_AT_ONCE = 100
SLABS_AT_ONCE = 4

# Does a part of its work, taking about so many ns; True if there is more to do.
Work = Callable[[int], bool]


class Cycles:
    """The periodic work of one server.

    Attributes:
        expires_actively: False while only keys that are asked for expire (DEBUG SET-ACTIVE-EXPIRE).
        hz: how many cycles begin in a second now.
    """

    def __init__(self, engine: Engine, config: Config, latency: Latency) -> None:
        self._engine = engine
        self._latency = latency
        self._monotonic_ns = engine.clock.monotonic_ns
        changes = engine.changes
        self.expiry = ExpiryCycle(engine.databases, changes.delete_expired, self._monotonic_ns)
        self.expires_actively = True
        self._works: list[Work] = [
            self._expire,
            self._expire_fields,
            self._rehash,
            self._free,
            self._give_back,
            self._settle,
        ]
        self._waiting: deque[Work] = deque()
        self._free_effort = FREE_EFFORT_MAX
        self._slice: Timer | None = None
        self._pause_ms = 0
        self._hz_configured = 0
        self._dynamic = False
        engine.stats.on_reset.append(self._reset_stats)
        config.on_change(("hz", "dynamic-hz", "active-expire-effort"), self._follow)
        self._follow(config)
        engine.timers.at(engine.clock.now_ms + 1000 // self.hz, self._begin)

    def _follow(self, config: Config) -> None:
        effort = config.get("active-expire-effort")
        self.expiry.set_effort(effort)
        share = SHARE_PERCENT + 2 * (effort - 1)
        self._pause_ms = round(SLICE_NS / 1_000_000 * (100 - share) / share)
        self._hz_configured = config.get("hz")
        self._dynamic = config.get("dynamic-hz")

    @property
    def hz(self) -> int:
        """Cycles per second, as configured or more with many clients."""
        hz = self._hz_configured
        if self._dynamic:
            while len(self._engine.clients) > hz * CLIENTS_PER_CYCLE and hz < HZ_MAX:
                hz *= 2
        return min(hz, HZ_MAX)

    def add(self, work: Work) -> None:
        """Have `work(limit_ns)` called in each cycle, and again soon while it returns True."""
        self._works.append(work)

    def remove(self, work: Work) -> None:
        """Undo `add`."""
        self._works.remove(work)
        if work in self._waiting:
            self._waiting.remove(work)

    def _begin(self) -> None:
        """A new cycle: everything is asked whether it has work."""
        engine = self._engine
        engine.timers.at(engine.clock.now_ms + 1000 // self.hz, self._begin)
        self._waiting.extend(work for work in self._works if work not in self._waiting)
        if self._slice is None:
            self._run_slice()

    def _run_slice(self) -> None:
        """Work for a millisecond, and go on after a pause if there is more."""
        self._slice = None
        end_ns = self._monotonic_ns() + SLICE_NS
        more: list[Work] = []
        while self._waiting and (left_ns := end_ns - self._monotonic_ns()) > 0:
            work = self._waiting.popleft()
            if work(left_ns):
                more.append(work)
        self._waiting.extend(more)
        if self._waiting:
            due_ms = self._engine.clock.now_ms + self._pause_ms
            self._slice = self._engine.timers.at(due_ms, self._run_slice)
        self._engine.finish_unit()

    # --- the kinds of work -------------------------------------------------------------------

    def _expire(self, limit_ns: int) -> bool:
        if not self.expires_actively or not self._engine.changes.expires_keys:
            return False
        began_ns = self._monotonic_ns()
        more = self.expiry.run(self._engine.clock.now_ms, limit_ns)
        self._latency.add("expire-cycle", self._monotonic_ns() - began_ns)
        return more

    def _expire_fields(self, limit_ns: int) -> bool:
        """Remove fields of hashes whose time has come."""
        engine = self._engine
        changes = engine.changes
        if not self.expires_actively or not changes.expires_keys:
            return False
        end_ns = self._monotonic_ns() + limit_ns
        now_ms = engine.clock.now_ms
        for db in engine.databases:
            while (key := db.deadlines.due(now_ms)) is not None:
                value = db.get(key)
                assert isinstance(value, Fields)
                gone = value.take_due(now_ms, FIELDS_AT_ONCE)
                changes.expire_fields(db, key, value, gone, False)
                engine.finish_unit()
                if self._monotonic_ns() > end_ns:
                    return True
        return False

    def _rehash(self, limit_ns: int) -> bool:
        """Go on moving tables that change their size, for nobody may ask for their keys."""
        end_ns = self._monotonic_ns() + limit_ns
        for db in self._engine.databases:
            while db.rehashing and db.rehash(REHASH_BUCKETS):
                if self._monotonic_ns() > end_ns:
                    return True
        return False

    def _settle(self, limit_ns: int) -> bool:
        """Have small values dormant that were woken several at a time: a little in each cycle."""
        for db in self._engine.databases:
            db.settle_some(SETTLE_BUCKETS)
        return False

    def _free(self, limit_ns: int) -> bool:
        """Free what was deleted lazily."""
        now_ns = self._monotonic_ns()
        end_ns = now_ns + limit_ns
        for db in self._engine.databases:
            while db.retired:
                self._free_some(db)
                began_ns, now_ns = now_ns, self._monotonic_ns()
                if now_ns - began_ns > FREE_STEP_NS:
                    self._free_effort = self._free_effort // 4 + 1
                else:
                    self._free_effort = min(2 * self._free_effort, FREE_EFFORT_MAX)
                if now_ns > end_ns:
                    return True
        return False

    def _free_some(self, db: Database) -> None:
        waiting = len(db.retired)
        objects = objects_in(db.retired[-1])
        db.free_retired(self._free_effort)
        if len(db.retired) < waiting:
            self._engine.stats.lazyfreed_objects += objects

    def _give_back(self, limit_ns: int) -> bool:
        """Return memory to the system that no entry stands in any more."""
        end_ns = self._monotonic_ns() + limit_ns
        slabs = self._engine.account.slabs
        while slabs.give_back(SLABS_AT_ONCE):
            if self._monotonic_ns() > end_ns:
                return True
        return False

    # --- INFO --------------------------------------------------------------------------------

    @property
    def pending_objects(self) -> int:
        """Keys and values that were deleted lazily and wait to be freed."""
        return sum(objects_in(item) for db in self._engine.databases for item in db.retired)

    def _reset_stats(self) -> None:
        self.expiry.stale_share = 0.0
        self.expiry.time_cap_reached = 0
        self.expiry.spent_ns = 0


def objects_in(item: object) -> int:
    """How many objects something that was retired counts for: a flushed table, one for each key."""
    return item.entries if isinstance(item, RetiredTable) else 1
