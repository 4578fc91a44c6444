"""Strings that bitmap and HyperLogLog commands change in place.

A short string is changed in a copy, which is stored anew; a longer one is a bytearray in the
keyspace, and changed there. Either way it is "raw" from then on, even if nothing changes.
"""

from __future__ import annotations

from balas.engine.context import Context

# Up to this length a string is stored anew.
SHORT = 256


def editable(ctx: Context, key: bytes) -> bytearray | None:
    """The string at key, to be changed and given to `put_back`; None if the key is missing."""
    old = ctx.write_buffer(key)
    if old is None or isinstance(old, bytearray):
        return old
    return bytearray(old) if len(old) <= SHORT else ctx.mutable_string(key)


def put_back(ctx: Context, key: bytes, text: bytearray) -> None:
    """Store what `editable` gave, or a new string; the expiry time stays."""
    if len(text) <= SHORT or ctx.write_buffer(key) is not text:
        ctx.store(key, stored_form(text), -1, True, True)


def stored_form(text: bytearray) -> bytes | bytearray:
    """What a string is to be stored as: nobody else may change it afterwards."""
    return bytes(text) if len(text) <= SHORT else text
