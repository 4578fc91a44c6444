"""The report: docs/benchmarks.md, where every part of the benchmark has a section of its own.

A section says itself when, of which commit and of which servers it was measured, so that one part
can be measured anew, on its own, without the hours that all of them take.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

MARK = "<!-- part: {} -->\n"
SECTION = re.compile(
    r"^<!-- part: (?P<name>\S+) -->\n(?P<text>.*?)(?=^<!-- part: |\Z)", re.M | re.S
)


def update(path: Path, heading: str, measured: Mapping[str, str], order: Sequence[str]) -> None:
    """Put what was measured, a text by part, into the report; other parts stay as they are.

    Sections stand in the given order of parts; those of parts that are no more are dropped.
    """
    kept = sections(path.read_text()) if path.exists() else {}
    path.write_text(compose(heading, {**kept, **measured}, order))


def compose(heading: str, texts: Mapping[str, str], order: Sequence[str]) -> str:
    """The whole report."""
    found = [MARK.format(name) + texts[name].strip() + "\n" for name in order if name in texts]
    return "\n".join([heading, *found])


def sections(report: str) -> dict[str, str]:
    """The text of each part in a report."""
    return {match["name"]: match["text"].strip() for match in SECTION.finditer(report)}
