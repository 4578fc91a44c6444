"""Who may import whom: imports point left along the chain of docs/architecture.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sources import CORE, module_name, sources, tree

# Each part may import itself and what is named for it. `balas` is the package's own __init__.
LOWEST = {"balas", "errors"}
BASE = LOWEST | {"structures", "protocol"}
MAY_IMPORT: dict[str, set[str]] = {
    "balas": {"embedding"},  # `from balas import Server`, imported when it is asked for
    "errors": set(),
    "structures": set(),
    "protocol": LOWEST | {"structures"},
    "types": BASE,
    "keyspace": BASE | {"types"},
    "registry": BASE | {"types", "keyspace"},
}
CHAIN = ["engine", "services", "host", "commands", "server", "network", "cli"]
for left, part in zip(["registry", *CHAIN], CHAIN, strict=False):
    MAY_IMPORT[part] = MAY_IMPORT[left] | {left}
MAY_IMPORT["connection"] = MAY_IMPORT["sockets"] = MAY_IMPORT["services"]
MAY_IMPORT["doors"] = MAY_IMPORT["services"] | {"services"}
MAY_IMPORT["handshake"] = MAY_IMPORT["doors"] | {"doors", "connection"}
for part in ("network", "cli"):
    MAY_IMPORT[part] |= {"connection", "sockets", "doors", "handshake"}
MAY_IMPORT["embedding"] = MAY_IMPORT["cli"] | {"cli"}
MAY_IMPORT["authoring"] = MAY_IMPORT["embedding"] | {"embedding", "testing", "api"}
MAY_IMPORT["cli"] |= {"authoring"}
MAY_IMPORT["api"] = MAY_IMPORT["commands"]
MAY_IMPORT["__main__"] = {"cli"}
MAY_IMPORT["testing"] = {*MAY_IMPORT, "cli"} - {"__main__"}

CYTHON_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+c?import[ \t]+(\([^)]*\)|[^\n]*)"
    r"|c?import[ \t]+([\w., \t]+))",
    re.M,
)


def part_of(module: str) -> str:
    """The part of core a module belongs to: balas.engine.context is in "engine"."""
    words = module.split(".")
    return words[1] if len(words) > 1 else words[0]


def imports(path: Path, text: str | None = None) -> Iterator[tuple[int, str]]:
    """Line and full name of everything a source imports from Balas or its modules.

    ``from balas import engine`` counts as balas.engine; imports inside functions and for type
    checking count like all others.
    """
    if path.suffix in (".pyx", ".pxd"):
        found = cython_imports(path, path.read_text() if text is None else text)
    else:
        found = python_imports(path)
    for line, name in found:
        if name.split(".")[0] == "balas" or name.startswith("balas_"):
            yield line, name


def python_imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = absolute(path, "." * node.level + (node.module or ""))
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def cython_imports(path: Path, text: str) -> Iterator[tuple[int, str]]:
    for match in CYTHON_IMPORT.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        origin, names, modules = match.groups()
        if modules:
            yield from ((line, word.split()[0]) for word in modules.split(",") if word.strip())
        else:
            words = re.findall(r"(\w+)(?:\s+as\s+\w+)?\s*(?:,|\)|#|$)", names.strip("("))
            yield from ((line, f"{absolute(path, origin)}.{word}") for word in words)


def absolute(path: Path, name: str) -> str:
    """The full name of a module that is imported with leading dots."""
    dots = len(name) - len(name.lstrip("."))
    if not dots:
        return name
    package = module_name(path).split(".")
    if path.stem != "__init__":
        package = package[:-1]
    return ".".join([*package[: len(package) - dots + 1], name.lstrip(".")]).rstrip(".")


def imported_part(name: str) -> str:
    """The part an imported name belongs to; a name of `balas` itself belongs to "balas"."""
    part = part_of(name)
    return part if part in MAY_IMPORT else "balas"


ALL_SOURCES = sources(".py", ".pyi", ".pyx", ".pxd")
CORE_SOURCES = [path for path in ALL_SOURCES if path.is_relative_to(CORE)]
MODULE_SOURCES = [path for path in ALL_SOURCES if not path.is_relative_to(CORE)]


def test_imports_point_left() -> None:
    offences, seen = [], 0
    for path in CORE_SOURCES:
        part = part_of(module_name(path))
        assert part in MAY_IMPORT, f"{path.name} belongs to no part that docs/architecture.md names"
        for line, name in imports(path):
            seen += 1
            target = imported_part(name)
            if target != part and target not in MAY_IMPORT[part]:
                offences.append(
                    f"{path.relative_to(CORE)}:{line} imports {name}, but {part} may import only "
                    f"{', '.join(sorted(MAY_IMPORT[part])) or 'nothing of Balas'}"
                )
    assert seen
    assert not offences


def test_a_module_imports_the_api_alone() -> None:
    offences, seen = [], 0
    for path in MODULE_SOURCES:
        own = module_name(path).split(".")[0]
        for line, name in imports(path):
            seen += 1
            if name.split(".")[0] != own and not re.match(r"balas\.(api|testing)(\.|$)", name):
                offences.append(f"{path.name}:{line} imports {name}; a module sees only balas.api")
    assert seen
    assert not offences


def test_the_chain_is_the_one_of_the_documentation() -> None:
    text = (CORE.parent / "docs" / "architecture.md").read_text()
    chain = re.search(r"structures protocol errors( ─► \w+)+", text)
    assert chain is not None
    documented = [word for word in re.findall(r"\w+", chain[0]) if word != "host"]
    ours = ["structures", "protocol", "errors", "types", "keyspace", "registry", *CHAIN]
    assert documented == [part for part in ours if part != "host"]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (
            "from balas.structures.hashtable cimport Table, Entry",
            ["hashtable.Table", "hashtable.Entry"],
        ),
        ("cimport balas.structures.lzf as lzf, cython", ["lzf"]),
        (
            "from balas.structures.intset cimport (\n    IntSet,  # why\n    Other as o,\n)",
            ["intset.IntSet", "intset.Other"],
        ),
        ("from .hashing cimport hash_of", ["hashing.hash_of"]),
        ("import numpy\nfrom libc.stdint cimport uint64_t", []),
    ],
)
def test_imports_of_cython_are_seen(source: str, names: list[str]) -> None:
    path = CORE / "balas" / "structures" / "imagined.pyx"
    found = [name for _, name in imports(path, source)]
    assert found == [f"balas.structures.{name}" for name in names]
