"""Tells in the log, and in MEMORY DOCTOR, what holds for memory and who takes it.

The limit and the policy are told at the start and whenever they change; when nothing can be evicted
any more, the largest consumers are named. The keyspace keeps one account for all types, so their
shares are estimated from some keys chosen by chance (from all of them if they are few).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from balas.engine.dispatch import Engine
from balas.services.config.store import Config
from balas.services.info import Info
from balas.services.info_data import in_words
from balas.services.log import Log
from balas.services.memory import Memory
from balas.services.replication.replicas import Replicas
from balas.services.scripting.functions import Functions
from balas.services.scripting.scripts import Scripting

SAMPLES: Final = 1000
# While memory stays full, one line in this time tells enough.
LOG_EVERY_MS: Final = 60_000
# Of consumers beside the keys, those below this are not worth a word.
WORTH_NAMING: Final = 64 * 1024
KEY_SHOWN_MAX: Final = 80


@dataclass
class Keys:
    """What the keys take, in bytes: `total` is exact, `by_type` an estimate.

    `largest` is a key of all those looked at, with its type and what it costs.
    """

    total: int = 0
    by_type: dict[str, int] = field(default_factory=dict)
    largest: tuple[bytes, str, int] | None = None


class MemoryWatch:
    """Watches the memory of one server for those who run it."""

    def __init__(self, engine: Engine, config: Config, log: Log, info: Info) -> None:
        self._engine = engine
        self._config = config
        self._log = log
        self._info = info
        self._memory: Memory = engine.services[Memory]
        self._told_ms = -LOG_EVERY_MS
        self._memory.on_exhausted = self._exhausted
        config.on_change(("maxmemory", "maxmemory-policy"), self._tell_limit)

    def announce(self) -> None:
        """Tell what limit and policy the server starts with."""
        self._tell_limit(self._config)

    def _tell_limit(self, config: Config) -> None:
        limit, policy = config.get("maxmemory"), config.text("maxmemory-policy")
        if not limit:
            self._log.notice(f"Memory: no limit (maxmemory 0); maxmemory-policy {policy}")
            return
        self._log.notice(f"Memory: maxmemory {in_words(limit)}, maxmemory-policy {policy}")
        if policy == "noeviction":
            self._log.warning(
                "WARNING: with maxmemory and the policy noeviction, every command that needs "
                "memory is refused once it is full. Who can do without old keys, as a cache can, "
                "wants another maxmemory-policy, such as allkeys-lru."
            )

    def _exhausted(self) -> None:
        """Nothing may be evicted, and memory is above the limit: say who takes it."""
        now_ms = self._engine.clock.now_ms
        if 0 <= now_ms - self._told_ms < LOG_EVERY_MS:
            return
        self._told_ms = now_ms
        used, limit = self._engine.account.total, self._engine.maxmemory
        self._log.warning(
            f"Out of memory: {in_words(used)} are used, maxmemory is {in_words(limit)}, and the "
            f"policy {self._config.text('maxmemory-policy')} finds nothing to evict, so commands "
            f"that need memory are refused. {self.consumers()}"
        )

    def consumers(self) -> str:
        """Who takes the memory, in a few sentences, the largest first."""
        keys = self._keys()
        takers = Counter({"keys": keys.total, **self._others()})
        found = []
        for name, size in takers.most_common():
            if name == "keys" and keys.by_type:
                types = Counter(keys.by_type).most_common()
                parts = ", ".join(f"{kind} {in_words(part)}" for kind, part in types)
                found.append(f"keys {in_words(size)} (about {parts})")
            elif name == "keys" or size >= WORTH_NAMING:
                found.append(f"{name} {in_words(size)}")
        text = f"It is taken by: {', '.join(found)}."
        if keys.largest is not None and not self._config.get("hide-user-data-from-log"):
            key, kind, size = keys.largest
            shown = key[:KEY_SHOWN_MAX].decode("utf-8", "backslashreplace")
            text += f" The largest key looked at is {shown!r}, a {kind} of {in_words(size)}."
        return text

    def _others(self) -> dict[str, int]:
        """Bytes of all that is no key. What modules tell in INFO as used_memory... is theirs."""
        scripting = self._engine.services[Scripting]
        functions = self._engine.services[Functions]
        backlog = self._engine.services[Replicas].backlog
        found = {
            "client buffers": self._memory.clients_bytes,
            "scripts": scripting.memory_bytes + scripting.text_bytes,
            "functions": functions.memory_bytes + functions.text_bytes,
            "replication backlog": backlog.length if backlog is not None else 0,
        }
        for title, fields in self._info.of_modules().items():
            for name, value in fields.items():
                if "used_memory" in name and isinstance(value, int):
                    module = title.partition("_")[0]
                    what = name.partition("used_memory_")[2] or "memory"
                    found[f"{module} {what}"] = value
        return found

    def _keys(self) -> Keys:
        """What the keys take, by type."""
        engine = self._engine
        found = Keys(total=engine.account.used)
        everything = sum(len(db) for db in engine.databases)
        sampled: Counter[str] = Counter()
        for db in engine.databases:
            if everything <= SAMPLES:
                chosen, weight = db.all_keys(), 1.0
            else:
                count = -(-SAMPLES * len(db) // everything)
                draws = (db.random_key(engine.rng.getrandbits(64)) for _ in range(count))
                chosen = [key for key in draws if key is not None]
                weight = len(db) / count if count else 0.0
            for key in chosen:
                size, kind = db.memory_of(key), type_name(db.get(key))
                sampled[kind] += int(size * weight)
                if found.largest is None or size > found.largest[2]:
                    found.largest = (key, kind, size)
        estimate = sum(sampled.values())
        if estimate:
            found.by_type = {kind: size * found.total // estimate for kind, size in sampled.items()}
        return found


def type_name(value: object) -> str:
    """The type of a stored value as TYPE names it."""
    return str(getattr(value, "type_name", "string"))
