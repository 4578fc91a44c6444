"""Series that settings make: rules of policies, and how a new series is recorded."""

from __future__ import annotations

from balas.api import Config, Context
from balas_timeseries.access import registry_of
from balas_timeseries.options import Settings
from balas_timeseries.rule import KIND_NAMES, Rule
from balas_timeseries.series import Series
from balas_timeseries.settings import OPTIONS, parsed_policies

# Settings that a new series takes on.
TAKEN_ON = [
    option
    for option in OPTIONS
    if option.name not in ("ts-num-threads", "ts-accept-nan", "ts-duplicate-policy")
]


def rules_of_policies(ctx: Context, name: bytes, series: Series) -> None:
    """Give a series that is made by adding to it the rules, and their destinations, that
    `ts-compaction-policy` names. A key that is there already is left alone, and has no rule.
    """
    text: str = ctx.service(Config).get("ts-compaction-policy")
    if not text:
        return
    for policy in parsed_policies(text.encode()):
        destination = policy.destination(name)
        if ctx.there(destination):
            continue
        kind = KIND_NAMES[policy.kind].upper().encode()
        labels = (
            *series.labels,
            (b"aggregation", kind),
            (b"time_bucket", b"%d" % policy.width_ms),
        )
        made = Settings(retention_ms=policy.retention_ms, labels=labels).create(ctx)
        ctx.store(destination, made)
        registry_of(ctx).add(ctx.db.index, destination, made)
        made.source = name
        series.rules.append(Rule(destination, policy.kind, policy.width_ms, policy.align))
        ctx.changed_too(destination, "")
    series.resize()


def record_creation(ctx: Context, name: bytes, settings: Settings) -> bool:
    """Record that a series was made, with its rules, if that depends on settings of the server."""
    config = ctx.service(Config)
    if all(config.get(option.name) == option.default for option in TAKEN_ON):
        return False
    series = ctx.peek_any(name)
    assert isinstance(series, Series)
    ctx.record(*creation(name, series))
    for rule in series.rules:
        destination = ctx.peek_any(rule.destination)
        assert isinstance(destination, Series)
        ctx.record(*creation(rule.destination, destination))
        ctx.record(
            b"TS.CREATERULE",
            name,
            rule.destination,
            b"AGGREGATION",
            KIND_NAMES[rule.kind].encode(),
            b"%d" % rule.width_ms,
            b"%d" % rule.align,
        )
    return True


def creation(name: bytes, series: Series) -> list[bytes]:
    """The TS.CREATE that makes such a series under any settings."""
    words = [b"TS.CREATE", name, b"RETENTION", b"%d" % series.retention_ms]
    words += [b"CHUNK_SIZE", b"%d" % series.samples.chunk_bytes]
    words += [b"ENCODING", b"UNCOMPRESSED" if series.samples.plain else b"COMPRESSED"]
    if series.policy is not None:
        words += [b"DUPLICATE_POLICY", series.policy.encode()]
    words += [b"IGNORE", b"%d" % series.ignore_time_ms, repr(series.ignore_value).encode()]
    if series.labels:
        words.append(b"LABELS")
    for label in series.labels:
        words += label
    return words
