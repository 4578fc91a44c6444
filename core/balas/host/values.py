"""Values of modules in the keyspace: found, set aside, brought to life, passed on to new code.

Each is done in two steps. The first makes all the new values, and may fail; the second puts them in
the place of the old ones, with their keys, expiry times and access clocks as they are. To clients
nothing has changed: there is no record, no event, and no WATCH is broken.

Everything is done at once and the server answers nobody meanwhile, for a half-converted keyspace
would be worse: some 20 ns for every entry that is looked at, and for every value the time of its
own `rdb_save` and `rdb_load`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from balas.engine.dispatch import Engine
from balas.engine.faults import FAULTS
from balas.errors import BadData, NotUnderstood
from balas.host.errors import ModuleError, reason
from balas.keyspace.database import Database
from balas.services.rdb.module_values import CannotSave, convert, pack, set_aside
from balas.types.orphan import Orphan
from balas.types.registry import TypeRegistry
from balas.types.value import Value


class Place(NamedTuple):
    """Where a value stands."""

    db: Database
    key: bytes
    value: Value


class Replacement(NamedTuple):
    """A place and the value to put there."""

    place: Place
    new: Value


def places_of(engine: Engine, kinds: Collection[type[Value]]) -> Iterator[Place]:
    """Every place that holds a value of one of the classes, expired or not."""
    if not kinds:
        return
    for db in engine.databases:
        for key in db.keys_holding(tuple(kinds)):
            yield Place(db, key, db.get(key))  # type: ignore[arg-type]  # one of the kinds


def weight(engine: Engine, kinds: Collection[type[Value]]) -> tuple[int, int]:
    """How many values of these classes there are, and the bytes they say they take."""
    sizes = [place.value.memory_usage() for place in places_of(engine, kinds)]
    return len(sizes), sum(sizes)


def setting_aside(
    engine: Engine, kinds: Collection[type[Value]], types: TypeRegistry
) -> list[Replacement]:
    """Orphans for all values of these classes. Raises ModuleError if one cannot be saved."""
    return replacements(places_of(engine, kinds), lambda value: set_aside(value, types))


def revival(
    engine: Engine, kinds: Collection[type[Value]], types: TypeRegistry
) -> list[Replacement]:
    """Values for all orphans of these classes, but for those of versions that they do not know.

    Raises ModuleError if one cannot be loaded.
    """
    by_name = {kind.type_name: kind for kind in kinds if types.orphans[kind.type_name]}
    if not by_name:
        return []
    orphans = (place for place in places_of(engine, (Orphan,)) if place.value.type_name in by_name)

    def revive(value: Value) -> Value | None:
        try:
            return convert(pack(value), by_name[value.type_name])
        except NotUnderstood:
            return None

    return replacements(orphans, revive)


def succession(
    engine: Engine, old: Collection[type[Value]], new: Collection[type[Value]]
) -> list[Replacement]:
    """Values of new classes for all those of old ones of the same name.

    Raises ModuleError if there are values of a type that the new code has no more, or if one of
    them cannot be saved by the old code or loaded by the new.
    """
    by_name = {kind.type_name: kind for kind in new}
    changed = [kind for kind in old if by_name.get(kind.type_name) is not kind]

    def succeed(value: Value) -> Value:
        kind = by_name.get(value.type_name)
        if kind is None:
            raise ModuleError(f"the new code has no type '{value.type_name}'")
        return convert(pack(value), kind)

    return replacements(places_of(engine, changed), succeed)


def replacements(
    places: Iterator[Place], convert_value: Callable[[Value], Value | None]
) -> list[Replacement]:
    """Make the new values; None leaves the old one. Raises ModuleError that names the key where
    that fails.
    """
    found = []
    for place in places:
        try:
            new = convert_value(place.value)
            if new is None:
                continue
            # Asked here, where it may still fail without harm.
            new.memory_usage()
        except FAULTS as error:
            where = f"key {place.key.decode('utf-8', 'backslashreplace')!r} (db {place.db.index})"
            if isinstance(error, BadData | ModuleError):
                raise ModuleError(f"{where}: {error}") from error.__cause__
            cause = error.__cause__ if isinstance(error, CannotSave) else error
            raise ModuleError(f"{where}: {reason(cause or error)}") from error
        found.append(Replacement(place, new))
    return found


def put(found: Collection[Replacement]) -> None:
    """Let the new values take the places of the old."""
    for (db, key, _), new in found:
        _put(db, key, new)


def put_back(found: Collection[Replacement]) -> None:
    """Undo `put`."""
    for (db, key, old), _ in found:
        _put(db, key, old)


def _put(db: Database, key: bytes, value: Value) -> None:
    access = db.access_bits(key)
    db.set(key, value, db.expire_at(key))
    db.set_access_bits(key, access)
