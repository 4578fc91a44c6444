"""LATENCY: what took long and how long commands take, part of the group *server*."""

from __future__ import annotations

from collections.abc import Iterable

from balas.engine.context import Context
from balas.errors import ReplyError
from balas.protocol.replies import Pairs, Reply, Status, Verbatim
from balas.registry import CommandSpec, command, container
from balas.registry.flags import ADMIN, LOADING, NOSCRIPT, STALE
from balas.services.config.grammar import decode
from balas.services.latency import Latency
from balas.services.latency_report import advise, draw

CONTAINER = container(
    "LATENCY",
    group="server",
    since="2.8.13",
    doc="""LATENCY subcommand [arg ...]

    A container for commands about latency.
    """,
)

FLAGS = ADMIN | NOSCRIPT | LOADING | STALE
# The bounds of the histogram: each twice the one before, from about a microsecond to a second.
FIRST_BOUND_NS = 1024
BOUNDS = 24
# Redis's histogram keeps two digits: a bound stands for all durations up to a 128th above it.
BOUND_PARTS = 128

HELP = (
    "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "DOCTOR",
    "    Return a human readable latency analysis report.",
    "GRAPH <event>",
    "    Return an ASCII latency graph for the <event> class.",
    "HISTORY <event>",
    "    Return time-latency samples for the <event> class.",
    "LATEST",
    "    Return the latest latency samples for all events.",
    "RESET [<event> ...]",
    "    Reset latency data of one or more <event> classes.",
    "    (default: reset all data for all event classes)",
    "HISTOGRAM [COMMAND ...]",
    "    Return a cumulative distribution of latencies in the format of a histogram for the "
    "specified command names.",
    "    If no commands are specified then all histograms are replied.",
    "HELP",
    "    Print this help.",
)


@command("LATENCY LATEST", arity=2, flags=FLAGS, group="server", since="2.8.13")
def latency_latest(ctx: Context) -> Reply:
    """LATENCY LATEST

    Return, for each event that was too slow, its name, the time and the ms of the last spike, and
    the ms of the worst.
    """
    return [
        [name, *event.history[-1], event.longest_ms]
        for name, event in ctx.service(Latency).events.items()
    ]


@command("LATENCY HISTORY", arity=3, flags=FLAGS, group="server", since="2.8.13")
def latency_history(ctx: Context, event: bytes) -> Reply:
    """LATENCY HISTORY event

    Return times and ms of the last spikes of an event.
    """
    found = ctx.service(Latency).events.get(decode(event))
    return [list(spike) for spike in found.history] if found is not None else []


@command("LATENCY RESET", arity=-2, flags=FLAGS, group="server", since="2.8.13")
def latency_reset(ctx: Context, *events: bytes) -> Reply:
    """LATENCY RESET [event [event ...]]

    Forget the spikes of these events, or all; return how many events had some.
    """
    return ctx.service(Latency).reset(tuple(map(decode, events)))


@command("LATENCY GRAPH", arity=3, flags=FLAGS, group="server", since="2.8.13")
def latency_graph(ctx: Context, event: bytes) -> Reply:
    """LATENCY GRAPH event

    Return the spikes of an event as a drawing made of text.
    """
    found = ctx.service(Latency).events.get(decode(event))
    if found is None:
        raise ReplyError(f"ERR No samples available for event '{decode(event)}'")
    return Verbatim(draw(decode(event), found, ctx.now_ms // 1000))


@command("LATENCY DOCTOR", arity=2, flags=FLAGS, group="server", since="2.8.13")
def latency_doctor(ctx: Context) -> Reply:
    """LATENCY DOCTOR

    Return what the spikes tell, and advice against them.
    """
    return Verbatim(advise(ctx.service(Latency)))


@command("LATENCY HISTOGRAM", arity=-2, flags=FLAGS, group="server", since="7.0.0")
def latency_histogram(ctx: Context, *names: bytes) -> Reply:
    """LATENCY HISTOGRAM [command [command ...]]

    Return, for each command, how many of its calls took at most 1, 2, 4, 8, ... microseconds.
    """
    return Pairs((spec.name, histogram(spec)) for spec in wanted(ctx, names) if spec.calls)


def wanted(ctx: Context, names: tuple[bytes, ...]) -> Iterable[CommandSpec]:
    """The commands of these names (all if none), each container with its subcommands."""
    table = ctx.engine.commands
    if not names:
        yield from table.every()
    for name in names:
        spec = table.by_full_name(decode(name))
        if spec is not None:
            yield spec
            yield from (spec.subcommands or {}).values()


def histogram(spec: CommandSpec) -> dict[str, Reply]:
    """Calls, and by upper bounds in microseconds how many of them took at most that."""
    buckets = spec.latency_buckets()
    found: dict[int, int] = {}
    counted = 0
    for power in range(BOUNDS):
        bound_ns = FIRST_BOUND_NS << power
        bound_ns += bound_ns // BOUND_PARTS - 1
        calls = sum(count for upper_ns, count in buckets if upper_ns <= bound_ns)
        if calls > counted:
            counted = found[bound_ns // 1000] = calls
    if counted < spec.calls:
        found[bound_ns // 1000] = spec.calls
    return {"calls": spec.calls, "histogram_usec": found}


@command("LATENCY HELP", arity=2, flags=LOADING | STALE, group="server", since="2.8.13")
def latency_help(ctx: Context) -> Reply:
    """LATENCY HELP

    Return a short help about the subcommands.
    """
    return [Status(line) for line in HELP]
