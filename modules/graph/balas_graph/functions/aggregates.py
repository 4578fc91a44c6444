"""Functions over the values of a group; nulls are left out before."""

from __future__ import annotations

import math
import operator
from functools import reduce

from balas_graph.errors import QueryError
from balas_graph.evaluation.operators import add
from balas_graph.evaluation.registry import function
from balas_graph.evaluation.run import Run
from balas_graph.evaluation.values import order_key

Numbers = list[float]


@function("count", aggregate=True)
def count(run: Run, values: list[object]) -> object:
    """How many."""
    return len(values)


@function("collect", aggregate=True)
def collect(run: Run, values: list[object]) -> object:
    """All in a list."""
    return values


@function("sum", "number", aggregate=True)
def total(run: Run, values: list[object]) -> object:
    """The sum, 0 of nothing."""
    nothing: object = 0
    plain = set(map(type, values)) == {float}
    return reduce(operator.add if plain else add, values, nothing)


@function("avg", "number", aggregate=True)
def average(run: Run, values: Numbers) -> object:
    """The mean, null of nothing."""
    return math.fsum(values) / len(values) if values else None


@function("min", aggregate=True)
def smallest(run: Run, values: list[object]) -> object:
    """The first in the order of ORDER BY."""
    return min(values, key=order_key, default=None)


@function("max", aggregate=True)
def largest(run: Run, values: list[object]) -> object:
    """The last in the order of ORDER BY."""
    return max(values, key=order_key, default=None)


def deviation(values: Numbers, less: int) -> float:
    """The root of the mean square distance from the mean."""
    if len(values) <= less:
        return 0.0
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - less))


@function("stDev", "number", aggregate=True)
def sample_deviation(run: Run, values: Numbers) -> object:
    """The standard deviation of a sample."""
    return deviation(values, 1)


@function("stDevP", "number", aggregate=True)
def population_deviation(run: Run, values: Numbers) -> object:
    """The standard deviation of a population."""
    return deviation(values, 0)


def share(value: object) -> float:
    """A percentile between 0 and 1."""
    if not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise QueryError(
            f"Invalid input - '{value}' is not a valid argument, "
            "must be a number in the range 0.0 to 1.0"
        )
    return float(value)


@function("percentileDisc", "number", aggregate=True)
def percentile_discrete(run: Run, values: Numbers, at: object) -> object:
    """The value at a percentile."""
    place = share(at)
    ordered = sorted(values)
    return ordered[max(0, math.ceil(place * len(ordered)) - 1)] if ordered else None


@function("percentileCont", "number", aggregate=True)
def percentile_continuous(run: Run, values: Numbers, at: object) -> object:
    """The value at a percentile, between its two neighbours."""
    place = share(at) * (len(values) - 1)
    if not values:
        return None
    ordered, low = sorted(values), math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))
