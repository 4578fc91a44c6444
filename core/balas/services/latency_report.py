"""The spikes of the latency monitor for people: as a drawing, and as advice."""

from __future__ import annotations

from balas.services.latency import Event, Latency

GRAPH_ROWS = 4
GRAPH_WIDTH = 80
# From the least to the greatest part of a row.
SHADES = "_.-o#"

# What to look at, by the beginning of an event's name.
ADVICE = {
    "command": (
        "See which commands are slow: SLOWLOG GET. A command that works on many elements can "
        "often be replaced by several that work on some."
    ),
    "fast-command": (
        "Commands that should be fast were not: the machine may be swapping, or share its CPUs "
        "with others that are busy."
    ),
    "fork": (
        "A snapshot begins with a fork, which takes longer the more memory there is. Switch off "
        "transparent huge pages, and prefer machines whose hypervisor forks fast."
    ),
    "aof": (
        "The disk is slow to take the append-only file. Consider appendfsync everysec, or "
        "no-appendfsync-on-rewrite, or a disk of its own for the log."
    ),
    "eviction": (
        "Much memory is freed at once. Raise maxmemory, or let lazyfree-lazy-eviction free large "
        "values in slices."
    ),
    "expire": (
        "Many keys, or large ones, expire at one moment. Spread their times, or let "
        "lazyfree-lazy-expire free large values in slices."
    ),
}
DISABLED = (
    "The latency monitor is off. Switch it on with CONFIG SET latency-monitor-threshold "
    "<milliseconds>, and ask again when there was a spike.\n"
)
QUIET = "No spikes: nothing took longer than the threshold of {} ms.\n"


def draw(name: str, event: Event, now_s: int) -> str:
    """The spikes as columns, the latest at the right, with their age below."""
    spikes = list(event.history)[-GRAPH_WIDTH:]
    durations = [duration_ms for _, duration_ms in spikes]
    high, low = max(durations), min(durations)
    lines = [
        f"{name} - high {high} ms, low {low} ms (all time high {event.longest_ms} ms)",
        "-" * GRAPH_WIDTH,
    ]
    steps = GRAPH_ROWS * len(SHADES) - 1
    heights = [(one - low) * steps // (high - low) if high > low else 0 for one in durations]
    for row in reversed(range(GRAPH_ROWS)):
        base = row * len(SHADES)
        lines.append(
            "".join(
                SHADES[min(height - base, len(SHADES) - 1)] if height >= base else " "
                for height in heights
            )
        )
    ages = [age(now_s - at_s) for at_s, _ in spikes]
    deepest = max(map(len, ages))
    lines.append("")
    lines += ["".join(text[i : i + 1] or " " for text in ages) for i in range(deepest)]
    return "\n".join(lines) + "\n"


def age(seconds: int) -> str:
    """``90s``, ``5m``, ``3h``, ``2d``: how long ago, in few characters."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{max(seconds, 0)}s"


def advise(latency: Latency) -> str:
    """What was slow, how often and how much, and what can be done."""
    if not latency.threshold_ms:
        return DISABLED
    if not latency.events:
        return QUIET.format(latency.threshold_ms)
    lines = ["Something took long:", ""]
    for name, event in latency.events.items():
        average_ms = event.total_ms // event.count
        lines.append(
            f"{name}: {event.count} latency spikes, average {average_ms} ms, "
            f"worst {event.longest_ms} ms"
        )
    advice = [text for start, text in ADVICE.items() if any_starts(latency, start)]
    if advice:
        lines += ["", "Advice:", "", *(f"- {text}" for text in advice)]
    return "\n".join(lines) + "\n"


def any_starts(latency: Latency, start: str) -> bool:
    """Whether an event with this beginning has spikes."""
    return any(name.startswith(start) for name in latency.events)
