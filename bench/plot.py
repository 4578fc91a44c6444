"""Small charts side by side in one SVG, with logarithmic scales in both directions."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

COLUMNS = 4
WIDTH, HEIGHT = 250, 190
# What is left around the curves of a chart, for titles and labels.
LEFT, RIGHT, TOP, BOTTOM = 42, 12, 30, 28
COLOURS = {"Balas": "#0b6e4f", "Redis": "#c1392b"}

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Scale:
    """Powers of ten from `low` to `high` laid out between two places."""

    low: int
    high: int
    begin: float
    end: float

    def place(self, value: float) -> float:
        """Where a value lies."""
        share = (math.log10(value) - self.low) / max(self.high - self.low, 1)
        return self.begin + share * (self.end - self.begin)


def charts(curves: Mapping[str, Mapping[str, Points]]) -> str:
    """The picture: a chart for each title, with a curve for each name; all values above zero."""
    points = [p for by_name in curves.values() for found in by_name.values() for p in found]
    across = Scale(*decades(p[0] for p in points), LEFT, WIDTH - RIGHT)
    up = Scale(*decades(p[1] for p in points), HEIGHT - BOTTOM, TOP)
    parts = []
    for at, (title, by_name) in enumerate(curves.items()):
        column, row = at % COLUMNS, at // COLUMNS
        parts.append(f'<g transform="translate({column * WIDTH},{row * HEIGHT})">')
        parts += frame(title, across, up)
        parts += [curve(name, found, across, up) for name, found in by_name.items()]
        parts.append("</g>")
    height = math.ceil(len(curves) / COLUMNS) * HEIGHT + 24
    parts += legend(height - 8)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {COLUMNS * WIDTH} {height}" '
            'font-family="sans-serif" font-size="10">',
            '<rect width="100%" height="100%" fill="white"/>',
            *parts,
            "</svg>\n",
        ]
    )


def decades(values: Iterable[float]) -> tuple[int, int]:
    """The powers of ten between which values lie."""
    found = [math.log10(value) for value in values]
    return math.floor(min(found)), math.ceil(max(found))


def frame(title: str, across: Scale, up: Scale) -> list[str]:
    """Title, grid and labels."""
    parts = [f'<text x="{LEFT}" y="16" font-weight="bold">{escape(title)}</text>']
    for power in range(across.low, across.high + 1):
        x = across.place(10.0**power)
        parts.append(line(x, TOP, x, HEIGHT - BOTTOM))
        label = f'10<tspan dy="-4" font-size="7">{power}</tspan>'
        parts.append(f'<text x="{x - 7:.1f}" y="{HEIGHT - BOTTOM + 14}">{label}</text>')
    for power in range(up.low, up.high + 1):
        y = up.place(10.0**power)
        parts.append(line(LEFT, y, WIDTH - RIGHT, y))
        text = f"{10.0**power:g}"
        parts.append(f'<text x="{LEFT - 4}" y="{y + 3:.1f}" text-anchor="end">{text}</text>')
    return parts


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    """A line of the grid."""
    return f'<path d="M{x1:.1f},{y1:.1f}L{x2:.1f},{y2:.1f}" stroke="#ddd"/>'


def curve(name: str, points: Points, across: Scale, up: Scale) -> str:
    """One curve."""
    way = "L".join(f"{across.place(x):.1f},{up.place(y):.1f}" for x, y in points)
    colour = COLOURS.get(name, "#555")
    return f'<path d="M{way}" fill="none" stroke="{colour}" stroke-width="2"/>'


def legend(y: float) -> list[str]:
    """Which colour is whose, and what the axes are."""
    parts = [
        f'<text x="{LEFT + at * 70}" y="{y}" fill="{colour}" font-weight="bold">{name}</text>'
        for at, (name, colour) in enumerate(COLOURS.items())
    ]
    text = "across: how many there are; up: microseconds of the server's CPU per request"
    return [*parts, f'<text x="{LEFT + 160}" y="{y}">{escape(text)}</text>']
