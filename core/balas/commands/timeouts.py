"""How commands that wait for keys read how long."""

from __future__ import annotations

from math import ceil, inf

from balas.engine.context import Context
from balas.errors import TIMEOUT_NEGATIVE, TIMEOUT_NOT_A_FLOAT, TIMEOUT_OUT_OF_RANGE, ReplyError
from balas.structures.numbers import is_long_double, parse_float

INT64_MAX = 2**63 - 1


def timeout_ms(ctx: Context, text: bytes) -> int:
    """Milliseconds, rounded up, of a time in seconds, which need not be whole; 0 is for ever."""
    if not is_long_double(text):
        raise ReplyError(TIMEOUT_NOT_A_FLOAT)
    seconds = parse_float(text)
    if seconds is None:  # more than a double holds
        seconds = -inf if text.startswith(b"-") else inf
    duration_ms = seconds * 1000
    if duration_ms > INT64_MAX:
        raise ReplyError(TIMEOUT_OUT_OF_RANGE)
    if duration_ms <= -1:  # what is above is rounded up to 0
        raise ReplyError(TIMEOUT_NEGATIVE)
    whole_ms = ceil(duration_ms)
    if whole_ms > INT64_MAX - ctx.now_ms:
        raise ReplyError(TIMEOUT_OUT_OF_RANGE)
    return whole_ms
