"""Command tips of the public command reference: what clients of a cluster, and those who compare
replies, should know of a command. COMMAND INFO shows them; nothing here acts on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_RANDOM = "nondeterministic_output"
_UNORDERED = "nondeterministic_output_order"
_NODES = "request_policy:all_nodes"
_SHARDS = "request_policy:all_shards"
_BY_KEY = "request_policy:multi_shard"
_SPECIAL = "response_policy:special"
_SUM = "response_policy:agg_sum"
_ALL_SUCCEED = "response_policy:all_succeeded"
_ONE_SUCCEEDS = "response_policy:one_succeeded"

# Tips in the order of the reference, and the commands that have them.
_TABLE = (
    (
        (_RANDOM,),
        "client|info client|list cluster|bumpepoch cluster|count-failure-reports "
        "cluster|getkeysinslot cluster|info cluster|links cluster|myshardid cluster|nodes "
        "cluster|replicas cluster|shards cluster|slaves cluster|slots dump hpttl hrandfield hscan "
        "httl lastsave migrate object|encoding object|freq object|idletime object|refcount pttl "
        "spop srandmember sscan time ttl xadd xautoclaim xclaim xinfo|consumers xpending xtrim "
        "zrandmember zscan",
    ),
    (
        (_RANDOM, _NODES, _SPECIAL),
        "latency|doctor latency|graph latency|histogram latency|history latency|latest",
    ),
    ((_RANDOM, _SHARDS), "cluster|slot-stats"),
    (
        (_RANDOM, _SHARDS, _SPECIAL),
        "function|stats info memory|doctor memory|malloc-stats memory|stats",
    ),
    ((_RANDOM, "request_policy:special", _SPECIAL), "scan"),
    (
        (_UNORDERED,),
        "command command|docs command|info command|list function|list hgetall hkeys hvals "
        "module|list sdiff sinter smembers sunion",
    ),
    ((_NODES, _RANDOM), "slowlog|get"),
    ((_NODES, _SUM), "latency|reset"),
    ((_NODES, _SUM, _RANDOM), "slowlog|len"),
    (
        (_NODES, _ALL_SUCCEED),
        "acl|deluser acl|save acl|setuser client|setinfo client|setname config|resetstat "
        "config|rewrite config|set script|flush script|load slowlog|reset",
    ),
    ((_SHARDS, _UNORDERED), "keys"),
    ((_SHARDS, "response_policy:agg_logical_and"), "script|exists"),
    ((_SHARDS, "response_policy:agg_min"), "wait waitaof"),
    ((_SHARDS, _SUM), "dbsize"),
    (
        (_SHARDS, _ALL_SUCCEED),
        "flushall flushdb function|delete function|flush function|load function|restore "
        "memory|purge ping",
    ),
    ((_SHARDS, _ONE_SUCCEEDS), "function|kill script|kill"),
    ((_SHARDS, _SPECIAL, _RANDOM), "randomkey"),
    ((_BY_KEY,), "mget"),
    ((_BY_KEY, _SUM), "del exists touch unlink"),
    ((_BY_KEY, _ALL_SUCCEED), "mset"),
)

TIPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: tips for tips, names in _TABLE for name in names.split()}
)
