"""What the commands of all five families share: how they are declared, and who counts arguments.

As in RedisBloom all commands have arity -1 and count their arguments themselves, so that a wrong
number inside MULTI is found out at EXEC. Readers too ask for the right to change the key.
"""

from __future__ import annotations

from balas.api import ACCESS, DENYOOM, FAST, READONLY, RW, UPDATE, WRITE, ReplyError, key

KEY = key(1, RW | ACCESS | UPDATE)
READING = READONLY | FAST
WRITING = WRITE | DENYOOM


def wrong_number(name: str) -> ReplyError:
    """The error for too few or too many arguments."""
    return ReplyError(f"ERR wrong number of arguments for '{name}' command")
