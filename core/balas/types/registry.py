"""The value types of one server, found by the name that stands in RDB files and in TYPE's reply.

Types of the core are written with kinds of their own and need no entry to be loaded; they are here
so that everything that lists types sees one list. A module's types come and go with it. A name that
nobody has is no error to a loader: it keeps such a value as an `Orphan`.
"""

from __future__ import annotations

import pkgutil
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

from balas.types.value import Value


class TypeTaken(Exception):
    """A type whose name another one has; says which and whose."""


def types_of(package: ModuleType) -> Iterator[type[Value]]:
    """The types with RDB kinds of their own that the modules of a package define."""
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        module = import_module(found.name)
        for kind in vars(module).values():
            if (
                isinstance(kind, type)
                and issubclass(kind, Value)
                and kind.rdb_kinds
                and kind.__module__ == module.__name__
            ):
                yield kind


class TypeRegistry:
    """All value types of one server, by name.

    `orphans` counts the values of types that are not here: see `types.orphan`.
    """

    def __init__(self) -> None:
        self.orphans: Counter[str] = Counter()
        self._types: dict[str, tuple[type[Value], str]] = {}
        self._kinds: dict[int, type[Value]] = {}

    def __len__(self) -> int:
        return len(self._types)

    def register(self, kind: type[Value], owner: str = "") -> None:
        """Add a type; `owner` is the module it belongs to, empty for the core's.

        Raises TypeTaken if its name is not free.
        """
        if kind.type_name in self._types:
            by = f"module '{taken}'" if (taken := self.owner(kind.type_name)) else "the server"
            raise TypeTaken(f"type '{kind.type_name}' already belongs to {by}")
        self._types[kind.type_name] = (kind, owner)
        self._kinds.update(dict.fromkeys(kind.rdb_kinds, kind))

    def unregister(self, kind: type[Value]) -> None:
        """Remove a type that `register` added; nothing happens if another one has its name."""
        if self.by_name(kind.type_name) is kind:
            del self._types[kind.type_name]
            for number in kind.rdb_kinds:
                del self._kinds[number]

    def by_name(self, name: str) -> type[Value] | None:
        """The type of this name; None if its module is not loaded."""
        found = self._types.get(name)
        return found[0] if found else None

    def by_kind(self, kind: int) -> type[Value] | None:
        """The core's type that reads this kind of value in an RDB file; None if there is none."""
        return self._kinds.get(kind)

    def owner(self, name: str) -> str:
        """The module a type belongs to; empty for the core's and for unknown names."""
        found = self._types.get(name)
        return found[1] if found else ""

    def every(self) -> Iterator[type[Value]]:
        """All types, in the order in which they were registered."""
        for kind, _ in self._types.values():
            yield kind
