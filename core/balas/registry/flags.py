"""Flags of commands and of their keys, with the names COMMAND INFO gives them."""

from __future__ import annotations

from typing import Final

# Commands. Plain integers, so that dispatch tests them in C.
WRITE: Final = 1 << 0
READONLY: Final = 1 << 1
DENYOOM: Final = 1 << 2
MODULE: Final = 1 << 3
ADMIN: Final = 1 << 4
PUBSUB: Final = 1 << 5
NOSCRIPT: Final = 1 << 6
BLOCKING: Final = 1 << 8
LOADING: Final = 1 << 9
STALE: Final = 1 << 10
SKIP_MONITOR: Final = 1 << 11
SKIP_SLOWLOG: Final = 1 << 12
ASKING: Final = 1 << 13
FAST: Final = 1 << 14
NO_AUTH: Final = 1 << 15
MAY_REPLICATE: Final = 1 << 16
SENTINEL: Final = 1 << 17
ONLY_SENTINEL: Final = 1 << 18
NO_MANDATORY_KEYS: Final = 1 << 19
PROTECTED: Final = 1 << 20
NO_ASYNC_LOADING: Final = 1 << 23
NO_MULTI: Final = 1 << 24
ALLOW_BUSY: Final = 1 << 26
MOVABLEKEYS: Final = 1 << 27

# Name and flag, in the order in which COMMAND INFO lists them; it does not tell of MAY_REPLICATE.
COMMAND_FLAG_NAMES: Final = (
    ("write", WRITE),
    ("readonly", READONLY),
    ("denyoom", DENYOOM),
    ("module", MODULE),
    ("admin", ADMIN),
    ("pubsub", PUBSUB),
    ("noscript", NOSCRIPT),
    ("blocking", BLOCKING),
    ("loading", LOADING),
    ("stale", STALE),
    ("skip_monitor", SKIP_MONITOR),
    ("skip_slowlog", SKIP_SLOWLOG),
    ("asking", ASKING),
    ("fast", FAST),
    ("no_auth", NO_AUTH),
    ("no_mandatory_keys", NO_MANDATORY_KEYS),
    ("no_async_loading", NO_ASYNC_LOADING),
    ("no_multi", NO_MULTI),
    ("movablekeys", MOVABLEKEYS),
    ("allow_busy", ALLOW_BUSY),
)

# ACL categories of the core, in the order in which ACL CAT lists them.
CATEGORIES: Final = (
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
)

# Keys: what a command does to the key itself ...
RO: Final = 1 << 0
RW: Final = 1 << 1
OW: Final = 1 << 2
RM: Final = 1 << 3
# ... and to its content.
ACCESS: Final = 1 << 4
UPDATE: Final = 1 << 5
INSERT: Final = 1 << 6
DELETE: Final = 1 << 7
# Limits of what the key specification says.
NOT_KEY: Final = 1 << 8
INCOMPLETE: Final = 1 << 9
VARIABLE_FLAGS: Final = 1 << 10

KEY_FLAG_NAMES: Final = (
    ("RO", RO),
    ("RW", RW),
    ("OW", OW),
    ("RM", RM),
    ("access", ACCESS),
    ("update", UPDATE),
    ("insert", INSERT),
    ("delete", DELETE),
    ("not_key", NOT_KEY),
    ("incomplete", INCOMPLETE),
    ("variable_flags", VARIABLE_FLAGS),
)


def names_of(flags: int, table: tuple[tuple[str, int], ...]) -> list[str]:
    """The names of the flags that are set, in the table's order."""
    return [name for name, flag in table if flags & flag]
