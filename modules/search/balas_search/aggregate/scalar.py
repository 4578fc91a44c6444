"""Expressions for a single row: the conditions of indexes, and what columns are checked against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from balas_search.aggregate.errors import RowError
from balas_search.aggregate.expressions import (
    BINDING,
    COMPARING,
    LOGICAL,
    Call,
    Expression,
    Literal,
    Negation,
    Operation,
    Property,
)
from balas_search.aggregate.functions import COMPARED, FUNCTIONS, arithmetic
from balas_search.aggregate.values import ABSENT, compare, truth
from balas_search.schema.words import shown

# Gives a property's value, or ABSENT.
Get = Callable[[bytes], Any]


def missing(name: bytes) -> str:
    """The error for a property that a row does not have."""
    return f"{shown(name)}: has no value, consider using EXISTS if applicable"


def value_of(root: Expression, get: Get) -> Any:
    """The value of an expression for one row; raises RowError."""
    if isinstance(root, Literal):
        return root.value
    if isinstance(root, Property):
        found = get(root.name)
        if found is ABSENT:
            raise RowError(missing(root.name))
        return found
    if isinstance(root, Negation):
        return 0.0 if truth(value_of(root.operand, get)) else 1.0
    if isinstance(root, Operation):
        return _operation(root, get)
    assert isinstance(root, Call)
    return _call(root, get)


def _operation(root: Operation, get: Get) -> float:
    left = value_of(root.left, get)
    if BINDING[root.operator] == LOGICAL:
        if truth(left) == (root.operator == b"||"):
            return float(truth(left))
        return float(truth(value_of(root.right, get)))
    right = value_of(root.right, get)
    if BINDING[root.operator] == COMPARING:
        strict = root.operator not in (b"==", b"!=")
        return float(COMPARED[root.operator](compare(left, right, strict)))
    return arithmetic(root.operator, left, right)


def _call(root: Call, get: Get) -> Any:
    function = FUNCTIONS[root.name]
    arguments = root.arguments
    if root.name == b"exists" and len(arguments) == 1 and isinstance(arguments[0], Property):
        return 0.0 if get(arguments[0].name) is ABSENT else 1.0
    if root.name == b"case" and len(arguments) == 3:
        condition = truth(value_of(arguments[0], get))
        return value_of(arguments[1 if condition else 2], get)
    values = [value_of(argument, get) for argument in arguments]
    function.check(len(values))
    return function.call(*values)
