"""Writes core/balas/registry/documents-8.2.json: what COMMAND DOCS of the real server says of the
arguments of its own commands, beside names and numbers that the commands here declare themselves.

    python tests/reference/document_arguments.py

Of each command: `arguments`, `complexity` (the formula, without the words about it), `doc_flags`
and `deprecated_since`. An argument is a list of its name, its type, and a mapping of what else
there is to say; `display_text` only where it is not the name. Summaries and histories are not
taken: they are prose, and Balas has its own.
"""

import json
import re
from pathlib import Path
from typing import Any

from balas.testing import RealRedis

TARGET = Path(__file__).parents[2] / "core" / "balas" / "registry" / "documents-8.2.json"
FORMULA = re.compile(r"O\((?:[^()]|\([^()]*\))*\)")
MEMBERS = ("key_spec_index", "token", "since", "deprecated_since", "flags")


def pairs(flat: list[Any]) -> dict[str, Any]:
    """A flat array as the map that it is."""
    return dict(zip(map(text, flat[::2]), flat[1::2], strict=True))


def text(value: Any) -> Any:
    """Bytes as text, in lists, too."""
    if isinstance(value, list):
        return [text(one) for one in value]
    return value.decode() if isinstance(value, bytes) else value


def argument(flat: list[Any]) -> list[Any]:
    """One argument as the file has it."""
    given = pairs(flat)
    name = text(given["name"])
    more = {member: text(given[member]) for member in MEMBERS if member in given}
    shown = text(given.get("display_text", name))
    if shown != name:
        more["display_text"] = shown
    if "arguments" in given:
        more["arguments"] = [argument(inner) for inner in given["arguments"]]
    return [name, text(given["type"]), more] if more else [name, text(given["type"])]


def document(flat: list[Any], found: dict[str, Any], name: str) -> None:
    """Add a command and its subcommands to what was found."""
    given = pairs(flat)
    if "module" in given:
        return
    entry: dict[str, Any] = {}
    formula = FORMULA.match(text(given.get("complexity", "")))
    if formula:
        entry["complexity"] = formula.group()
    for member in ("doc_flags", "deprecated_since"):
        if member in given:
            entry[member] = text(given[member])
    if "arguments" in given:
        entry["arguments"] = [argument(one) for one in given["arguments"]]
    found[name] = entry
    for sub, inner in pairs(given.get("subcommands", [])).items():
        document(inner, found, sub)


def main() -> None:
    """Ask, and write one line for each command."""
    found: dict[str, Any] = {}
    with RealRedis() as server, server.client() as client:
        for name, docs in pairs(client("COMMAND", "DOCS")).items():
            document(docs, found, name)
    lines = [
        f"{json.dumps(name)}: {json.dumps(found[name], separators=(',', ':'))}"
        for name in sorted(found)
    ]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
