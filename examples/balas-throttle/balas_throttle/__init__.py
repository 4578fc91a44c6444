"""CL.THROTTLE: a rate limiter that keeps one moment for each key, and nothing else.

The moment is the theoretical arrival time (TAT): when the key would be as good as new. A request
moves it on by what a request costs. One that would move it further into the future than the burst
allows is limited, and moves nothing.
"""

from __future__ import annotations

from balas.api import (
    DENYOOM,
    FAST,
    RW,
    UPDATE,
    WRITE,
    Arguments,
    Context,
    Module,
    Reply,
    ReplyError,
    command,
    integer,
    key,
)

SECOND_US = 1_000_000
LARGEST = 1_000_000_000


def at_least(text: bytes, low: int, name: str) -> int:
    """An integer argument; the error names it."""
    return integer(text, low, LARGEST, f"ERR {name} must be an integer of at least {low}")


@command("CL.THROTTLE", arity=-5, flags=WRITE | DENYOOM | FAST, keys=key(1, RW | UPDATE))
def throttle(
    ctx: Context, key: bytes, max_burst: bytes, count: bytes, period: bytes, *rest: bytes
) -> Reply:
    """CL.THROTTLE key max_burst count period [quantity]

    Ask whether a request may pass: limited, limit, remaining, retry after, reset after.
    """
    burst = at_least(max_burst, 0, "max_burst")
    interval_us = at_least(period, 1, "period") * SECOND_US / at_least(count, 1, "count")
    options = Arguments(rest)
    quantity = at_least(options.take(), 0, "quantity") if options.more else 1
    options.end()
    now_us = ctx.now_ms * 1000
    tolerance_us, cost_us = interval_us * (burst + 1), interval_us * quantity
    arrival_us: float = max(now_us, stored(ctx, key))
    limited = arrival_us + cost_us - tolerance_us > now_us
    retry_s = -1
    if limited:
        wait_us = arrival_us + cost_us - tolerance_us - now_us
        retry_s = seconds(wait_us) if cost_us <= tolerance_us else -1
    elif quantity:
        arrival_us += cost_us
        keep(ctx, key, round(arrival_us))
    room_us = tolerance_us - (arrival_us - now_us)
    remaining = max(0, int(room_us / interval_us + 1e-9))
    return [int(limited), burst + 1, remaining, retry_s, seconds(arrival_us - now_us)]


def stored(ctx: Context, key: bytes) -> int:
    """The key's moment in microseconds; long ago if there is none."""
    text = ctx.write_string(key)
    if text is None:
        return 0
    try:
        return int(text)
    except ValueError:
        raise ReplyError("ERR this key was not made by CL.THROTTLE") from None


def keep(ctx: Context, key: bytes, arrival_us: int) -> None:
    """Store the moment until it has come. Replicas are told the outcome, not the question."""
    expire_ms = -(-arrival_us // 1000)
    text = b"%d" % arrival_us
    ctx.store(key, text, expire_at=expire_ms)
    ctx.changed(key, "cl.throttle")
    ctx.record(b"SET", key, text, b"PXAT", b"%d" % expire_ms)


def seconds(duration_us: float) -> int:
    """Whole seconds, rounded up."""
    return max(0, -int(-duration_us // SECOND_US))


class Throttle(Module):
    """A rate limiter."""

    name = "throttle"
    version = 100
    api_version = "1.0"
