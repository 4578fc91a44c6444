"""How commands come to series: by key, with the errors of RedisTimeSeries, and to the registry."""

from __future__ import annotations

from collections.abc import Iterable

import balas_timeseries
from balas.api import Acl, Context, ReplyError
from balas_timeseries.registry import Registry
from balas_timeseries.series import Series

MISSING = "ERR TSDB: the key does not exist"
NOT_A_SERIES = "ERR TSDB: the key is not a TSDB key"
# With a word of its own before it, as RedisTimeSeries sends it.
WRONG_TYPE = "ERR WRONGTYPE Operation against a key holding the wrong kind of value"


def registry_of(ctx: Context) -> Registry:
    """The registry of the server."""
    return ctx.service(balas_timeseries.TimeSeries).registry


def existing(ctx: Context, name: bytes) -> Series:
    """The series at a key, for reading; raises ReplyError."""
    value = ctx.read_any(name)
    if value is None:
        raise ReplyError(MISSING)
    return _seen(ctx, name, value)


def changeable(ctx: Context, name: bytes) -> Series:
    """The series at a key, for changing it; raises ReplyError."""
    if not ctx.there(name):
        raise ReplyError(MISSING)
    return _seen(ctx, name, ctx.peek_any(name))


def _seen(ctx: Context, name: bytes, value: object) -> Series:
    if not isinstance(value, Series):
        raise ReplyError(WRONG_TYPE)
    if value.place is None:
        registry_of(ctx).add(ctx.db.index, name, value)
    return value


def may_read(ctx: Context, names: Iterable[bytes]) -> bool:
    """Whether the client may read all these keys."""
    return ctx.service(Acl).may_read(ctx.client, names)
