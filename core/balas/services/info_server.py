"""What INFO shows of the server itself: sections Server, Clients, Threads, Stats, Replication, CPU.

Fields of what this server does not have at all (defragmentation, threads for sockets, a cluster)
are there with the value that Redis gives where it is switched off, because tools ask for them.
Where another service knows better, it adds a provider of its own (see `info`).
"""

from __future__ import annotations

import os
import platform
import resource
import sys
from typing import Any

from balas import REDIS_VERSION, __version__
from balas.engine.dispatch import Engine
from balas.services.children import Children
from balas.services.clients import Clients
from balas.services.config import Config
from balas.services.cycles import Cycles
from balas.services.identity import Identity
from balas.services.info import Info
from balas.services.memory import Memory
from balas.services.process import Process
from balas.services.pubsub import PubSub
from balas.services.rates import Rates
from balas.services.targets import Targets
from balas.services.tracking import Tracking

LRU_CLOCK_MAX = (1 << 24) - 1
# Counters of services that may not be there yet; `engine.stats.extra` has those that are.
SYNC_COUNTERS = ("sync_full", "sync_partial_ok", "sync_partial_err")
DENIALS = ("auth", "cmd", "key", "channel")


class ServerInfo:
    """The providers of these sections for one server."""

    def __init__(self, engine: Engine, config: Config, info: Info) -> None:
        self._engine = engine
        self._config = config
        self._started_ms = engine.clock.now_ms
        stats = engine.stats
        self._rates = Rates(
            engine,
            {
                "commands": lambda: stats.commands,
                "input": lambda: stats.input_bytes,
                "output": lambda: stats.output_bytes,
            },
        )
        info.add("server", self.server)
        info.add("clients", self.clients)
        info.add("threads", self.threads)
        info.add("stats", self.traffic)
        info.add("stats", self.keys)
        info.add("stats", self.features)
        info.add("stats", self.errors_and_buffers)
        info.add("cpu", cpu)
        info.add("cluster", lambda: {"cluster_enabled": 0})

    def _service(self, kind: type) -> Any:
        return self._engine.services[kind]

    def server(self) -> dict[str, Any]:
        """Section Server."""
        process = self._engine.services.get(Process)
        system = os.uname()
        now_us = self._engine.clock.now_us()
        uptime_s = (now_us // 1000 - self._started_ms) // 1000
        cycles = self._service(Cycles)
        return {
            "redis_version": REDIS_VERSION,
            "balas_version": __version__,
            "redis_git_sha1": "00000000",
            "redis_git_dirty": 0,
            "redis_build_id": "0" * 16,
            "redis_mode": "standalone",
            "os": f"{system.sysname} {system.release} {system.machine}",
            "arch_bits": 64 if sys.maxsize > 2**32 else 32,
            "monotonic_clock": "POSIX clock_gettime",
            "multiplexing_api": "epoll",
            "gcc_version": platform.python_compiler().removeprefix("GCC "),
            "process_id": os.getpid(),
            "process_supervised": process.supervisor if process is not None else "no",
            "run_id": self._service(Identity).run_id,
            "tcp_port": self._config.get("port") or self._config.get("tls-port"),
            "server_time_usec": now_us,
            "uptime_in_seconds": uptime_s,
            "uptime_in_days": uptime_s // 86400,
            "hz": cycles.hz,
            "configured_hz": self._config.get("hz"),
            "lru_clock": now_us // 1_000_000 & LRU_CLOCK_MAX,
            "executable": sys.executable,
            "config_file": self._config.file or "",
            "io_threads_active": 0,
            **self._listeners(),
        }

    def _listeners(self) -> dict[str, str]:
        """What is listened on; each kind has its own number."""
        found = {}
        places = "".join(f",bind={place}" for place in self._config.get("bind"))
        if port := self._config.get("port"):
            found["listener0"] = f"name=tcp{places},port={port}"
        if path := self._config.get("unixsocket"):
            found["listener1"] = f"name=unix,bind={path}"
        if port := self._config.get("tls-port"):
            found["listener2"] = f"name=tls{places},port={port}"
        return found

    def clients(self) -> dict[str, Any]:
        """Section Clients."""
        clients, memory = self._service(Clients), self._service(Memory)
        engine = self._engine
        return {
            "connected_clients": clients.connected,
            "cluster_connections": 0,
            "maxclients": self._config.get("maxclients"),
            "client_recent_max_input_buffer": memory.recent_input_bytes,
            "client_recent_max_output_buffer": memory.recent_output_bytes,
            "blocked_clients": len(engine.blocking.clients),
            "tracking_clients": len(self._service(Tracking)),
            "pubsub_clients": clients.subscribed,
            "watching_clients": clients.watching,
            "clients_in_timeout_table": clients.waiting_with_timeout,
            "total_watched_keys": len(engine.changes.watched),
            "total_blocking_keys": engine.blocking.keys,
            "total_blocking_keys_on_nokey": 0,
        }

    def threads(self) -> dict[str, Any]:
        """Section Threads: there is one."""
        stats = self._engine.stats
        line = f"clients={len(self._engine.clients)},reads={stats.reads},writes={stats.writes}"
        return {"io_thread_0": line}

    # Section Stats, in parts that stand one after the other.

    def traffic(self) -> dict[str, Any]:
        """Connections, commands, bytes."""
        stats, rates = self._engine.stats, self._rates
        return {
            "total_connections_received": stats.connections,
            "total_commands_processed": stats.commands,
            "instantaneous_ops_per_sec": round(rates.per_second("commands")),
            "total_net_input_bytes": stats.input_bytes,
            "total_net_output_bytes": stats.output_bytes,
            "total_net_repl_input_bytes": 0,
            "total_net_repl_output_bytes": 0,
            "instantaneous_input_kbps": f"{rates.per_second('input') / 1024:.2f}",
            "instantaneous_output_kbps": f"{rates.per_second('output') / 1024:.2f}",
            "instantaneous_input_repl_kbps": "0.00",
            "instantaneous_output_repl_kbps": "0.00",
            "rejected_connections": stats.rejected_connections,
            **{name: stats.extra.get(name, 0) for name in SYNC_COUNTERS},
        }

    def keys(self) -> dict[str, Any]:
        """Expiry, eviction, hits and misses."""
        stats, extra = self._engine.stats, self._engine.stats.extra
        expiry, memory = self._service(Cycles).expiry, self._service(Memory)
        now_exceeded_ns = memory.now_exceeded_ns
        return {
            "expired_subkeys": stats.expired_fields,
            "expired_keys": stats.expired_keys,
            "expired_stale_perc": f"{expiry.stale_share * 100:.2f}",
            "expired_time_cap_reached_count": expiry.time_cap_reached,
            "expire_cycle_cpu_milliseconds": expiry.spent_ns // 1_000_000,
            "evicted_keys": stats.evicted_keys,
            "evicted_clients": extra.get("evicted_clients", 0),
            "evicted_scripts": extra.get("evicted_scripts", 0),
            "total_eviction_exceeded_time": (memory.exceeded_ns + now_exceeded_ns) // 1_000_000,
            "current_eviction_exceeded_time": now_exceeded_ns // 1_000_000,
            "keyspace_hits": stats.hits,
            "keyspace_misses": stats.misses,
        }

    def features(self) -> dict[str, Any]:
        """Pub/sub, forks, and what is told of features that may be off."""
        pubsub, children = self._service(PubSub), self._service(Children)
        extra = self._engine.stats.extra
        return {
            "pubsub_channels": len(pubsub.channels),
            "pubsub_patterns": len(pubsub.patterns),
            "pubsubshard_channels": len(pubsub.shard_channels),
            "latest_fork_usec": children.last_fork_us,
            "total_forks": children.fork_count,
            "migrate_cached_sockets": len(self._service(Targets)),
            "slave_expires_tracked_keys": 0,
            "active_defrag_hits": 0,
            "active_defrag_misses": 0,
            "active_defrag_key_hits": 0,
            "active_defrag_key_misses": 0,
            "total_active_defrag_time": 0,
            "current_active_defrag_time": 0,
            **self._service(Tracking).info(),
            "unexpected_error_replies": self._engine.stats.unexpected_errors,
            "total_error_replies": self._engine.stats.error_replies,
            "dump_payload_sanitizations": extra.get("dump_payload_sanitizations", 0),
        }

    def errors_and_buffers(self) -> dict[str, Any]:
        """System calls, limits, denials."""
        stats = self._engine.stats
        return {
            "total_reads_processed": stats.reads,
            "total_writes_processed": stats.writes,
            "io_threaded_reads_processed": 0,
            "io_threaded_writes_processed": 0,
            "io_threaded_total_prefetch_batches": 0,
            "io_threaded_total_prefetch_entries": 0,
            "client_query_buffer_limit_disconnections": stats.query_limit_disconnections,
            "client_output_buffer_limit_disconnections": stats.output_limit_disconnections,
            "reply_buffer_shrinks": 0,
            "reply_buffer_expands": 0,
            "eventloop_duration_cmd_sum": stats.loop_command_ns // 1000,
            **{
                f"acl_access_denied_{what}": stats.extra.get(f"acl_access_denied_{what}", 0)
                for what in DENIALS
            },
        }


def cpu() -> dict[str, Any]:
    """Section CPU: seconds."""
    found = {}
    for who, suffix in (
        (resource.RUSAGE_SELF, ""),
        (resource.RUSAGE_CHILDREN, "_children"),
        (resource.RUSAGE_THREAD, "_main_thread"),
    ):
        usage = resource.getrusage(who)
        found[f"used_cpu_sys{suffix}"] = f"{usage.ru_stime:.6f}"
        found[f"used_cpu_user{suffix}"] = f"{usage.ru_utime:.6f}"
    return found
