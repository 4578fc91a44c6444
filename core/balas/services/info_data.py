"""What INFO shows of the data and what is done with it: sections Memory, Commandstats, Errorstats,
Latencystats, Keyspace.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from balas.engine.dispatch import Engine
from balas.services.config import Config
from balas.services.cycles import Cycles
from balas.services.info import Info
from balas.services.log import Log
from balas.services.memory import Memory, ratio, system_memory_bytes
from balas.services.scripting.functions import Functions
from balas.services.scripting.scripts import Scripting

UNITS = "BKMGTP"
# What the sizes of each kind of value are sizes of.
SIZE_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "string": "strings_sizes",
        "list": "lists_items",
        "set": "sets_items",
        "zset": "zsets_items",
        "hash": "hashes_items",
    }
)


class DataInfo:
    """The providers of these sections for one server."""

    def __init__(self, engine: Engine, config: Config, log: Log, info: Info) -> None:
        self._engine = engine
        self._config = config
        self._log = log
        engine.stats.on_too_many_errors = self._too_many_errors
        info.add("memory", self.used)
        info.add("memory", self.scripts_and_limit)
        info.add("memory", self.ratios)
        info.add("memory", self.parts)
        info.add("commandstats", self.commands)
        info.add("errorstats", self.errors)
        info.add("latencystats", self.latencies)
        info.add("keyspace", self.keyspace)
        info.add("keysizes", self.sizes)

    @property
    def _memory(self) -> Memory:
        memory: Memory = self._engine.services[Memory]
        return memory

    # Section Memory, in parts that stand one after the other.

    def used(self) -> dict[str, Any]:
        """What the account says, and the system."""
        self._memory.note_peak()
        account, figures = self._engine.account, self._memory.figures()
        return {
            **human("used_memory", figures.used),
            **human("used_memory_rss", figures.resident),
            **human("used_memory_peak", account.peak),
            "used_memory_peak_time": self._memory.peak_at_s,
            "used_memory_peak_perc": f"{ratio(100 * figures.used, account.peak):.2f}%",
            "used_memory_overhead": figures.overhead,
            "used_memory_startup": figures.startup,
            "used_memory_dataset": figures.dataset,
            "used_memory_dataset_perc": f"{figures.dataset_percent:.2f}%",
            "allocator_allocated": figures.used,
            "allocator_active": figures.heap,
            "allocator_resident": figures.heap,
            "allocator_muzzy": 0,
            **human("total_system_memory", system_memory_bytes()),
        }

    def scripts_and_limit(self) -> dict[str, Any]:
        """Scripts and functions, and the limit."""
        scripting, functions = self._engine.services[Scripting], self._engine.services[Functions]
        machines = scripting.memory_bytes + functions.memory_bytes
        texts = scripting.text_bytes + functions.text_bytes
        return {
            "used_memory_lua": scripting.memory_bytes,
            "used_memory_vm_eval": scripting.memory_bytes,
            "used_memory_lua_human": human("lua", scripting.memory_bytes)["lua_human"],
            "used_memory_scripts_eval": scripting.text_bytes,
            "number_of_cached_scripts": len(scripting.scripts),
            "number_of_functions": len(functions.functions),
            "number_of_libraries": len(functions.libraries),
            "used_memory_vm_functions": functions.memory_bytes,
            **human("used_memory_vm_total", machines),
            "used_memory_functions": functions.text_bytes,
            **human("used_memory_scripts", texts),
            **human("maxmemory", self._engine.maxmemory),
            "maxmemory_policy": self._config.text("maxmemory-policy"),
        }

    def ratios(self) -> dict[str, Any]:
        """What the process takes, compared with what is counted.

        "Allocator" is the process without the interpreter, which is the "overhead" and is not
        counted; so the last ratio of a small server is large.
        """
        figures = self._memory.figures()
        return {
            "allocator_frag_ratio": f"{ratio(figures.heap, figures.used):.2f}",
            "allocator_frag_bytes": figures.heap - figures.used,
            "allocator_rss_ratio": "1.00",
            "allocator_rss_bytes": 0,
            "rss_overhead_ratio": f"{ratio(figures.resident, figures.heap):.2f}",
            "rss_overhead_bytes": figures.resident - figures.heap,
            "mem_fragmentation_ratio": f"{ratio(figures.resident, figures.used):.2f}",
            "mem_fragmentation_bytes": figures.resident - figures.used,
        }

    def parts(self) -> dict[str, Any]:
        """Buffers, and what goes on."""
        engine = self._engine
        cycles: Cycles = engine.services[Cycles]
        moving = sum(sum(db.table_memory) for db in engine.databases if db.rehashing)
        return {
            "mem_not_counted_for_evict": 0,
            "mem_replication_backlog": 0,
            "mem_total_replication_buffers": 0,
            "mem_replica_full_sync_buffer": 0,
            "mem_clients_slaves": 0,
            "mem_clients_normal": self._memory.clients_bytes,
            "mem_cluster_links": 0,
            "mem_aof_buffer": 0,
            "mem_allocator": "slabs,libc",
            "mem_overhead_db_hashtable_rehashing": moving,
            "active_defrag_running": 0,
            "lazyfree_pending_objects": cycles.pending_objects,
            "lazyfreed_objects": engine.stats.lazyfreed_objects,
        }

    # The statistics of commands.

    def commands(self) -> dict[str, str]:
        """Section Commandstats: every command that was called or refused."""
        found = {}
        for spec in self._engine.commands.every():
            if spec.calls or spec.rejected_calls or spec.failed_calls:
                duration_us = spec.duration_ns // 1000
                per_call_us = duration_us / spec.calls if spec.calls else 0
                found[f"cmdstat_{spec.name}"] = (
                    f"calls={spec.calls},usec={duration_us},usec_per_call={per_call_us:.2f},"
                    f"rejected_calls={spec.rejected_calls},failed_calls={spec.failed_calls}"
                )
        return found

    def errors(self) -> dict[str, str]:
        """Section Errorstats: error replies by their codes."""
        errors = self._engine.stats.errors
        return {f"errorstat_{code}": f"count={errors[code]}" for code in sorted(errors)}

    def _too_many_errors(self, codes: list[str]) -> None:
        self._log.warning(
            "Errorstats stopped adding new errors because the number of errors reached the limit, "
            "may be misuse of lua error_reply, please check INFO ERRORSTATS, this can be "
            "re-enabled via CONFIG RESETSTAT."
        )
        self._log.warning(f"Current errors code list: {', '.join(codes)}")

    def latencies(self) -> dict[str, str]:
        """Section Latencystats: percentiles in microseconds."""
        percentiles = self._config.get("latency-tracking-info-percentiles")
        if not self._config.get("latency-tracking"):
            return {}
        return {
            f"latency_percentiles_usec_{spec.name}": ",".join(
                f"p{share:.15g}={spec.latency_percentile_ns(share) / 1000:.3f}"
                for share in percentiles
            )
            for spec in self._engine.commands.every()
            if spec.calls
        }

    # The keyspace.

    def keyspace(self) -> dict[str, str]:
        """Section Keyspace: the databases that hold keys."""
        return {
            f"db{db.index}": f"keys={len(db)},expires={db.expires_count},"
            f"avg_ttl={db.expired_average_ttl_ms},subexpiry={len(db.deadlines)}"
            for db in self._engine.databases
            if len(db)
        }

    def sizes(self) -> dict[str, str]:
        """Section Keysizes: how many values there are of each size, in powers of two."""
        found = {}
        for db in self._engine.databases:
            for kind, field in SIZE_FIELDS.items():
                counts = db.size_counts(kind) if len(db) else {}
                if counts:
                    parts = [f"{in_short(size)}={count}" for size, count in counts.items()]
                    found[f"db{db.index}_distrib_{field}"] = ",".join(parts)
        return found


def in_short(size: int) -> str:
    """A power of two: ``512``, ``1K``, ``8M``."""
    power = max(size.bit_length() - 1, 0) // 10
    return f"{size >> 10 * power}{' KMGTPE'[power].strip()}"


def human(name: str, size_bytes: int) -> dict[str, Any]:
    """A field in bytes, and beside it in a form for people."""
    return {name: size_bytes, f"{name}_human": in_words(size_bytes)}


def in_words(size_bytes: int) -> str:
    """``1.50M``, as Redis writes sizes."""
    if size_bytes < 1024:
        return f"{size_bytes}B"
    power = min((size_bytes.bit_length() - 1) // 10, len(UNITS) - 1)
    return f"{size_bytes / (1 << 10 * power):.2f}{UNITS[power]}"
