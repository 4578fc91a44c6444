"""Options of the data: memory, eviction, expiry, encodings of the types, events, scripts."""

from typing import Final

from balas.services.config.kinds import INT_MAX, INT_MIN, Integer
from balas.services.config.options import Option
from balas.services.config.special import EventClasses, Percentiles

MB = 1 << 20

#: Counts that Redis keeps in an unsigned number; only the words of an error tell.
COUNT = Integer(0, unsigned=True)

DATA: Final = (
    Option(
        "databases", 16, low=1, high=INT_MAX, mutable=False, doc="How many databases there are."
    ),
    # Memory.
    Option(
        "maxmemory",
        0,
        "memory",
        doc="Bytes at which keys are evicted or writes refused; 0 for no limit.",
    ),
    Option(
        "maxmemory-policy",
        "noeviction",
        choices=(
            "volatile-lru",
            "volatile-lfu",
            "volatile-random",
            "volatile-ttl",
            "allkeys-lru",
            "allkeys-lfu",
            "allkeys-random",
            "noeviction",
        ),
        doc="Which keys are evicted when maxmemory is reached.",
    ),
    Option(
        "maxmemory-samples",
        5,
        low=1,
        high=64,
        doc="How many keys are looked at to choose one for eviction.",
    ),
    Option(
        "maxmemory-eviction-tenacity",
        10,
        low=0,
        high=100,
        doc="How long one command may evict: 10 is half a millisecond, 100 is without limit.",
    ),
    Option(
        "lfu-log-factor",
        10,
        low=0,
        high=INT_MAX,
        doc="How slowly the counter of the LFU policies grows.",
    ),
    Option(
        "lfu-decay-time",
        1,
        low=0,
        high=INT_MAX,
        doc="Minutes after which the counter of the LFU policies loses one.",
    ),
    Option(
        "activerehashing",
        True,
        meaning=False,
        doc="Use idle time to finish resizing the hash tables; Balas always does.",
    ),
    Option("activedefrag", False, meaning=False, doc="Move values together in memory."),
    Option(
        "active-defrag-ignore-bytes",
        100 * MB,
        "memory",
        low=1,
        meaning=False,
        doc="Bytes of waste from which memory is defragmented.",
    ),
    Option(
        "active-defrag-threshold-lower",
        10,
        low=0,
        high=1000,
        meaning=False,
        doc="Percentage of waste from which memory is defragmented.",
    ),
    Option(
        "active-defrag-threshold-upper",
        100,
        low=0,
        high=1000,
        meaning=False,
        doc="Percentage of waste from which it is defragmented at full effort.",
    ),
    Option(
        "active-defrag-cycle-min",
        1,
        low=1,
        high=99,
        meaning=False,
        doc="Least percentage of CPU for defragmentation.",
    ),
    Option(
        "active-defrag-cycle-max",
        25,
        low=1,
        high=99,
        meaning=False,
        doc="Greatest percentage of CPU for defragmentation.",
    ),
    Option(
        "active-defrag-max-scan-fields",
        1000,
        low=1,
        meaning=False,
        doc="Longest collection that is defragmented in one go.",
    ),
    # Expiry and freeing.
    Option(
        "active-expire-effort",
        1,
        low=1,
        high=10,
        doc="How much time goes into finding expired keys, from 1 to 10.",
    ),
    Option("lazyfree-lazy-eviction", False, doc="Free evicted values in slices."),
    Option("lazyfree-lazy-expire", False, doc="Free expired values in slices."),
    Option("lazyfree-lazy-server-del", False, doc="Free overwritten values in slices."),
    Option("lazyfree-lazy-user-del", False, doc="Let DEL free in slices, as UNLINK does."),
    Option("lazyfree-lazy-user-flush", False, doc="Let FLUSHALL and FLUSHDB be ASYNC."),
    Option(
        "lazyexpire-nested-arbitrary-keys",
        True,
        hidden=True,
        meaning=False,
        doc="Expire keys that a script touches without declaring them.",
    ),
    # Encodings.
    Option(
        "hash-max-listpack-entries",
        512,
        COUNT,
        aliases=("hash-max-ziplist-entries",),
        doc="How many fields a hash may have to be kept compact.",
    ),
    Option(
        "hash-max-listpack-value",
        64,
        "memory",
        aliases=("hash-max-ziplist-value",),
        doc="Bytes a field or value of a compact hash may have.",
    ),
    Option(
        "list-max-listpack-size",
        -2,
        low=INT_MIN,
        high=INT_MAX,
        aliases=("list-max-ziplist-size",),
        doc="Entries in a node of a list, or its bytes: -1 to -5 mean 4, 8, 16, 32, 64 kb.",
    ),
    Option(
        "list-compress-depth",
        0,
        low=0,
        high=INT_MAX,
        doc="How many nodes at each end of a list are not compressed; 0 compresses none.",
    ),
    Option(
        "set-max-intset-entries",
        512,
        COUNT,
        doc="How many members a set of integers may have to be kept compact.",
    ),
    Option(
        "set-max-listpack-entries",
        128,
        COUNT,
        doc="How many members a set may have to be kept compact.",
    ),
    Option("set-max-listpack-value", 64, COUNT, doc="Bytes a member of a compact set may have."),
    Option(
        "zset-max-listpack-entries",
        128,
        COUNT,
        aliases=("zset-max-ziplist-entries",),
        doc="How many members a sorted set may have to be kept compact.",
    ),
    Option(
        "zset-max-listpack-value",
        64,
        "memory",
        aliases=("zset-max-ziplist-value",),
        doc="Bytes a member of a compact sorted set may have.",
    ),
    Option(
        "hll-sparse-max-bytes", 3000, "memory", doc="Bytes up to which a HyperLogLog stays sparse."
    ),
    Option(
        "stream-node-max-bytes", 4096, "memory", doc="Bytes of a node of a stream; 0 for no limit."
    ),
    Option(
        "stream-node-max-entries", 100, low=0, doc="Entries of a node of a stream; 0 for no limit."
    ),
    # Events, statistics, scripts.
    Option(
        "notify-keyspace-events",
        "",
        EventClasses(),
        doc="Classes of keyspace events that are published, one letter each.",
    ),
    Option(
        "latency-tracking-info-percentiles",
        (50.0, 99.0, 99.9),
        Percentiles(),
        doc="Percentiles of latency that INFO latencystats shows.",
    ),
    Option(
        "busy-reply-threshold",
        5000,
        low=0,
        aliases=("lua-time-limit",),
        doc="Milliseconds after which a running script lets others hear BUSY.",
    ),
    Option(
        "lua-enable-deprecated-api",
        False,
        mutable=False,
        hidden=True,
        meaning=False,
        doc="Offer scripts what later versions of Lua removed.",
    ),
    Option(
        "sanitize-dump-payload",
        "no",
        choices=("no", "yes", "clients"),
        doc="Check serialized values in full: never, always, or when clients send them.",
    ),
    Option(
        "prefetch-batch-max-size",
        16,
        low=0,
        high=128,
        hidden=True,
        meaning=False,
        doc="How many commands are looked ahead to fetch their keys.",
    ),
)
