"""Memory for people and tools: MEMORY STATS and MEMORY DOCTOR."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from balas.engine.dispatch import Engine
from balas.services.info_data import in_words
from balas.services.memory import Memory, ratio
from balas.services.scripting.functions import Functions
from balas.services.scripting.scripts import Scripting

MB = 1 << 20
# Below this the interpreter itself outweighs everything else.
WORTH_A_LOOK = 5 * MB
PEAK_FACTOR = 1.5
WASTE_FACTOR = 1.4
CLIENT_BYTES = 200 * 1024


def statistics(engine: Engine, memory: Memory) -> dict[str, Any]:
    """Where the memory goes, under the names of MEMORY STATS."""
    memory.note_peak()
    account, figures = engine.account, memory.figures()
    used, resident, heap = figures.used, figures.resident, figures.heap
    keys = sum(len(db) for db in engine.databases)
    scripting, functions = engine.services[Scripting], engine.services[Functions]
    moving = [db for db in engine.databases if db.rehashing]
    found: dict[str, Any] = {
        "peak.allocated": account.peak,
        "total.allocated": used,
        "startup.allocated": figures.startup,
        "replication.backlog": 0,
        "replica.fullsync.buffer": 0,
        "clients.slaves": 0,
        "clients.normal": memory.clients_bytes,
        "cluster.links": 0,
        "aof.buffer": 0,
        "lua.caches": scripting.text_bytes,
        "functions.caches": functions.text_bytes,
        "script.VMs": scripting.memory_bytes + functions.memory_bytes,
    }
    for db in engine.databases:
        if len(db):
            main, expires = db.table_memory
            found[f"db.{db.index}"] = {
                "overhead.hashtable.main": main,
                "overhead.hashtable.expires": expires,
            }
    return found | {
        "overhead.db.hashtable.lut": 0,
        "overhead.db.hashtable.rehashing": sum(sum(db.table_memory) for db in moving),
        "overhead.total": figures.overhead,
        "db.dict.rehashing.count": len(moving),
        "keys.count": keys,
        "keys.bytes-per-key": max(used - figures.startup, 0) // keys if keys else 0,
        "dataset.bytes": figures.dataset,
        "dataset.percentage": figures.dataset_percent,
        "peak.percentage": ratio(100 * used, account.peak),
        "allocator.allocated": used,
        "allocator.active": heap,
        "allocator.resident": heap,
        "allocator.muzzy": 0,
        "allocator-fragmentation.ratio": ratio(heap, used),
        "allocator-fragmentation.bytes": heap - used,
        "allocator-rss.ratio": 1.0,
        "allocator-rss.bytes": 0,
        "rss-overhead.ratio": ratio(resident, heap),
        "rss-overhead.bytes": resident - heap,
        "fragmentation": ratio(resident, used),
        "fragmentation.bytes": resident - used,
    }


def diagnose(engine: Engine, memory: Memory, consumers: Callable[[], str]) -> str:
    """What is remarkable about the memory, with advice, and who takes it; one paragraph each."""
    memory.note_peak()
    account, heap = engine.account, memory.figures().heap
    full = bool(engine.maxmemory) and account.total > engine.maxmemory
    if account.total < WORTH_A_LOOK and not full:
        return "There is too little data to say anything about its memory.\n"
    found = []
    if full:
        found.append(
            f"Full: {in_words(account.total)} are used, and maxmemory is "
            f"{in_words(engine.maxmemory)}. What cannot be made room for is refused."
        )
    if account.peak > account.total * PEAK_FACTOR:
        found.append(
            f"Peak: the data took {in_words(account.peak)} once, now {in_words(account.total)}. "
            "What is free is kept for new data; MEMORY PURGE returns it to the system."
        )
    if heap > account.total * WASTE_FACTOR and heap - account.total > 2 * WORTH_A_LOOK:
        found.append(
            f"Waste: {in_words(heap)} of RAM are taken for {in_words(account.total)} of data. The "
            "rest is free memory between keys, which MEMORY PURGE returns as far as it can."
        )
    clients = len(engine.clients)
    if clients and memory.clients_bytes // clients > CLIENT_BYTES:
        found.append(
            f"Clients: each of {clients} takes {in_words(memory.clients_bytes // clients)} on "
            "average. CLIENT LIST shows who does not read, or sends much at once."
        )
    if not found:
        found.append("Nothing about the memory is remarkable.")
    return "\n\n".join([*found, consumers()]) + "\n"
