"""string.*, JSON, and names by chance."""

from __future__ import annotations

import json
import re
from uuid import UUID

from balas_graph.errors import QueryError, type_mismatch
from balas_graph.evaluation.guards import in_time
from balas_graph.evaluation.operators import TEXT_MAX, refuse_longer
from balas_graph.evaluation.registry import function
from balas_graph.evaluation.run import Run
from balas_graph.evaluation.values import type_name
from balas_graph.functions.entities import alive
from balas_graph.storage.entities import Edge, Node, Path, Point


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression; QueryError if it is none."""
    try:
        return re.compile(text)
    except re.error as error:
        raise QueryError(f"Invalid regex: {error}") from error


@function("string.matchRegEx", "string", "string", nulls=True)
def match_all(run: Run, value: str | None, regex: str | None) -> object:
    """For every match a list of the match and its groups."""
    if value is None or regex is None:
        return []
    found = in_time(lambda: list(pattern(regex).finditer(value)), value)
    return [[match.group(), *(part or "" for part in match.groups())] for match in found]


@function("string.replaceRegEx", "string", "string", "string")
def replace_all(run: Run, value: str, regex: str, new: str = "") -> object:
    """With every match replaced by a text as it stands."""
    made = len(value)

    def one(match: re.Match[str]) -> str:
        nonlocal made
        made += len(new)
        refuse_longer(made, TEXT_MAX)
        return new

    return in_time(lambda: pattern(regex).sub(one, value), value)


@function("randomUUID")
def random_uuid(run: Run) -> object:
    """A name of 36 characters by chance."""
    return str(UUID(int=run.rng.getrandbits(128), version=4))


@function("toJSON")
def to_json(run: Run, value: object) -> object:
    """A value as JSON."""
    return written(value, run)


def written(value: object, run: Run) -> str:
    """A value, and all in it, as JSON."""
    if value is None or isinstance(value, (bool, str, int)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return f"{value:.15g}"
    if isinstance(value, list):
        return "[" + ", ".join(written(item, run) for item in value) + "]"
    if isinstance(value, dict):
        pairs = (
            f"{json.dumps(k, ensure_ascii=False)}: {written(v, run)}" for k, v in value.items()
        )
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, Path):
        steps: list[object] = [value.nodes[0]]
        for edge, node in zip(value.edges, value.nodes[1:], strict=True):
            steps += [edge, node]
        return written(steps, run)
    if isinstance(value, Point):
        return written({"latitude": value.latitude, "longitude": value.longitude}, run)
    if isinstance(value, (Node, Edge)):
        return written(described(value, run), run)
    own = getattr(value, "written", None)
    if own is None:
        raise type_mismatch("a value that JSON can hold", type_name(value))
    return json.dumps(own())


def described(value: Node | Edge, run: Run) -> dict[str, object]:
    """A node or a relationship as a map; the ends of a relationship within it."""
    names = run.graph.attributes.names
    properties = {names[key]: kept for key, kept in alive(value).properties.items()}
    if isinstance(value, Node):
        labels = [run.graph.labels.names[label] for label in value.labels]
        return {"type": "node", "id": value.id, "labels": labels, "properties": properties}
    ends = [described(end, run) for end in (value.source, value.target)]
    for end in ends:
        del end["type"]
    return {
        "type": "relationship",
        "id": value.id,
        "relationship": run.graph.types.names[value.type],
        "properties": properties,
        "start": ends[0],
        "end": ends[1],
    }
