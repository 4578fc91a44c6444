"""Labels of series, and the filters that choose series by them.

A filter is a label's name, an operator and a value: `host=a`, `host!=a`, `host=(a,b)`,
`host!=(a,b)`, `host=` (no such label), `host!=` (whatever value). As in RedisTimeSeries, at least
one filter must say what a label is, not only what it is not.

Beyond RedisTimeSeries: `host~=web` (the value contains web), `host!~=web`, and `rack<5`, `rack<=5`,
`rack>5`, `rack>=5`, which compare values that are numbers. Where there is a label whose name ends
in such a character, `host~=web` is what it always was: the label `host~` is web.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from balas.api import ReplyError, number

NOT_PARSED = "ERR TSDB: failed parsing labels"
NO_MATCHER = "ERR TSDB: please provide at least one matcher"

# Filters that choose few series by themselves, and those that take some away.
EQUAL, LISTED, CONTAINS, COMPARES = "=", "=()", "~=", "<>"
NOT_EQUAL, NOT_LISTED, NOT_CONTAINS, ABSENT, PRESENT = "!=", "!=()", "!~=", "absent", "present"
MATCHERS = {EQUAL, LISTED, CONTAINS, COMPARES}
COMPARISONS: dict[bytes, Callable[[float, float], bool]] = {
    b"<=": lambda one, other: one <= other,
    b">=": lambda one, other: one >= other,
    b"<": lambda one, other: one < other,
    b">": lambda one, other: one > other,
}


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter; `operator` is "<=" and so on for those that compare."""

    kind: str
    name: bytes
    values: tuple[bytes, ...] = ()
    operator: bytes = b""


class Labels:
    """The keys of series by label and value."""

    __slots__ = ("_keys", "_ordered")

    def __init__(self) -> None:
        self._keys: dict[bytes, dict[bytes, set[bytes]]] = {}
        # The same in order, of those labels that were asked for since they last changed.
        self._ordered: dict[tuple[bytes, bytes], list[bytes]] = {}

    def add(self, key: bytes, labels: Iterable[tuple[bytes, bytes]]) -> None:
        """A series with its labels."""
        for name, value in labels:
            self._keys.setdefault(name, {}).setdefault(value, set()).add(key)
            self._ordered.pop((name, value), None)

    def remove(self, key: bytes, labels: Iterable[tuple[bytes, bytes]]) -> None:
        """The series is gone, or has other labels now."""
        for name, value in labels:
            values = self._keys.get(name, {})
            keys = values.get(value, set())
            keys.discard(key)
            self._ordered.pop((name, value), None)
            if not keys and values.pop(value, None) is not None and not values:
                del self._keys[name]

    def parse(self, words: Sequence[bytes]) -> list[Filter]:
        """Filters as a client writes them; raises ReplyError."""
        filters = [self._parse_one(word) for word in words]
        if not any(one.kind in MATCHERS for one in filters):
            raise ReplyError(NO_MATCHER)
        return filters

    def _parse_one(self, word: bytes) -> Filter:
        name, equals, value = word.partition(b"=")
        if not equals:
            return self._parse_comparison(word)
        value = value.lstrip(b"=")
        if name not in self._keys:
            for mark in (b"<", b">"):
                if name.endswith(mark):
                    return _comparison(name[:-1], mark + b"=", value)
            if name.endswith(b"!~"):
                return Filter(NOT_CONTAINS, name[:-2], (value,))
            if name.endswith(b"~"):
                return Filter(CONTAINS, name[:-1], (value,))
        negated = name.endswith(b"!")
        name = name.removesuffix(b"!")
        if not name and not value:
            raise ReplyError(NOT_PARSED)
        if not value or not name:
            return Filter(PRESENT if negated else ABSENT, name or value)
        if value.startswith(b"("):
            return Filter(NOT_LISTED if negated else LISTED, name, _listed(value))
        return Filter(NOT_EQUAL if negated else EQUAL, name, (value.split(b"=")[0],))

    def _parse_comparison(self, word: bytes) -> Filter:
        for mark in (b"<", b">"):
            name, found, value = word.partition(mark)
            if found and name and value:
                return _comparison(name, mark, value)
        raise ReplyError(NOT_PARSED)

    def select(self, filters: Sequence[Filter]) -> list[bytes]:
        """The keys that all filters let pass, in order."""
        matchers = [one for one in filters if one.kind in MATCHERS]
        matched = [self._matched(one) for one in matchers]
        place = min(range(len(matched)), key=lambda at: len(matched[at]))
        found = self._in_order(matchers[place], matched.pop(place))
        for keys in matched:
            found = [key for key in found if key in keys]
        for one in filters:
            if one.kind == PRESENT:
                keys = self._having(one.name)
                found = [key for key in found if key in keys]
            elif one.kind not in MATCHERS:
                keys = self._having(one.name) if one.kind == ABSENT else self._matched(one)
                found = [key for key in found if key not in keys]
        return found

    def _in_order(self, one: Filter, keys: set[bytes]) -> list[bytes]:
        """The keys that a filter matches, in order; not to be changed."""
        if one.kind != EQUAL:
            return sorted(keys)
        label = one.name, one.values[0]
        found = self._ordered.get(label)
        if found is None:
            found = self._ordered[label] = sorted(keys)
        return found

    def _matched(self, one: Filter) -> set[bytes]:
        """The keys whose label has one of the values that a filter names."""
        values = self._keys.get(one.name, {})
        if one.kind in (CONTAINS, NOT_CONTAINS):
            chosen = [keys for value, keys in values.items() if one.values[0] in value]
        elif one.kind == COMPARES:
            compare, limit = COMPARISONS[one.operator], float(one.values[0])
            chosen = [
                keys
                for value, keys in values.items()
                if (as_number := _number(value)) is not None and compare(as_number, limit)
            ]
        else:
            chosen = [values[value] for value in one.values if value in values]
        return chosen[0] if len(chosen) == 1 else set().union(*chosen)

    def _having(self, name: bytes) -> set[bytes]:
        return set().union(*self._keys.get(name, {}).values())


def _comparison(name: bytes, operator: bytes, value: bytes) -> Filter:
    if not name or _number(value) is None:
        raise ReplyError(NOT_PARSED)
    return Filter(COMPARES, name, (value,), operator)


def _number(text: bytes) -> float | None:
    try:
        return number(text)
    except ReplyError:
        return None


def _listed(value: bytes) -> tuple[bytes, ...]:
    """The values of `(a,b)`."""
    if value.find(b")") != len(value) - 1:
        raise ReplyError(NOT_PARSED)
    inner = value[1:-1]
    if not inner:
        return ()
    values = tuple(inner.split(b","))
    if b"" in values:
        raise ReplyError(NOT_PARSED)
    return values
