"""How functions and procedures are declared, and where they are found.

    @function("abs", "number")
    def absolute(run: Run, value: int | float) -> object: ...

    @procedure("db.labels", "label")
    def labels(run: Run) -> Iterator[tuple[object, ...]]: ...

A function gets the run and the values of its arguments; with a null among them it is not called,
and its value is null, unless `nulls=True`. How many arguments it takes is read from its signature;
their kinds, in order, are checked before. An aggregate (`aggregate=True`) gets the list of values
of its group, without nulls, and then its further arguments. Every module in the packages
`PACKAGES` is searched: no list is edited.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from balas_graph.errors import MeaningMistake, type_mismatch
from balas_graph.evaluation.values import is_number, type_name
from balas_graph.storage.entities import Edge, Node, Path

PACKAGES = (
    "balas_graph.functions",
    "balas_graph.procedures",
    "balas_graph.temporal",
    "balas_graph.algorithms",
)
F = TypeVar("F", bound=Callable[..., object])
P = TypeVar("P", bound=Callable[..., Iterable[tuple[object, ...]]])

KINDS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "any": ("Any", lambda value: True),
    "number": ("Integer, Float, or Null", is_number),
    "integer": ("Integer", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "string": ("String or Null", lambda value: isinstance(value, str)),
    "boolean": ("Boolean", lambda value: isinstance(value, bool)),
    "list": ("List or Null", lambda value: isinstance(value, list)),
    "map": ("Map or Null", lambda value: isinstance(value, dict)),
    "node": ("Node or Null", lambda value: isinstance(value, Node)),
    "edge": ("Edge or Null", lambda value: isinstance(value, Edge)),
    "path": ("Path or Null", lambda value: isinstance(value, Path)),
}


@dataclass(frozen=True, slots=True)
class Function:
    """A declared function."""

    name: str
    kinds: tuple[str, ...]
    nulls: bool
    aggregate: bool
    low: int
    high: int
    body: Callable[..., object]

    def check_count(self, count: int) -> None:
        """Refuse too few or too many arguments."""
        if not self.low <= count <= self.high:
            few = count < self.low
            raise MeaningMistake(
                f"Received {count} arguments to function '{self.name}', expected at "
                f"{'least' if few else 'most'} {self.low if few else self.high}"
            )

    def check(self, values: list[object]) -> None:
        """Refuse values of other kinds than declared."""
        for kind, value in zip(self.kinds, values, strict=False):
            expected, fits = KINDS[kind]
            if value is not None and not fits(value):
                raise type_mismatch(expected, type_name(value))

    def check_each(self, values: list[object]) -> None:
        """Refuse values of other kinds as first arguments; a kind depends on the type alone."""
        if self.kinds:
            for value in {type(value): value for value in values}.values():
                self.check([value])


@dataclass(frozen=True, slots=True)
class Procedure:
    """A declared procedure: what it yields, and whether it writes."""

    name: str
    columns: tuple[str, ...]
    writes: bool
    low: int
    high: int
    body: Callable[..., Iterable[tuple[object, ...]]]


def function(
    name: str, *kinds: str, nulls: bool = False, aggregate: bool = False
) -> Callable[[F], F]:
    """Declare a function by its name in queries."""

    def declare(body: F) -> F:
        low, high = arity(body)
        made = Function(name, kinds, nulls, aggregate, low, high, body)
        # One body may have several names.
        known = getattr(body, "__graph__", ())
        body.__graph__ = (*known, made)  # type: ignore[attr-defined]
        return body

    return declare


def procedure(name: str, *columns: str, writes: bool = False) -> Callable[[P], P]:
    """Declare a procedure by its name and the columns it yields."""

    def declare(body: P) -> P:
        low, high = arity(body)
        made = Procedure(name, columns, writes, low, high, body)
        body.__graph__ = (made,)  # type: ignore[attr-defined]
        return body

    return declare


def arity(body: Callable[..., object]) -> tuple[int, int]:
    """How many arguments a function takes behind its first, at least and at most."""
    parameters = list(inspect.signature(body).parameters.values())[1:]
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
        return len(parameters) - 1, 255
    needed = sum(parameter.default is parameter.empty for parameter in parameters)
    return needed, len(parameters)


class Registry:
    """All functions and procedures, by their names in lower case."""

    def __init__(self) -> None:
        self.functions: dict[str, Function] = {}
        self.procedures: dict[str, Procedure] = {}
        for package in PACKAGES:
            if importlib.util.find_spec(package) is None:
                continue
            found = importlib.import_module(package)
            for entry in pkgutil.iter_modules(found.__path__, package + "."):
                self.take(importlib.import_module(entry.name))

    def take(self, module: object) -> None:
        """Everything that a Python module declares."""
        for value in vars(module).values():
            declared = getattr(value, "__graph__", ())
            for one in declared if isinstance(declared, tuple) else ():
                if isinstance(one, Function):
                    self.functions[one.name.lower()] = one
                elif isinstance(one, Procedure):
                    self.procedures[one.name.lower()] = one
