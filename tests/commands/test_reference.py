"""Commands are declared as in Redis 8.2: arity, flags, keys, categories.

tests/reference/commands-8.2.tsv is what COMMAND INFO of Redis 8.2 says, one command a line. What
the table cannot hold, the key specifications, is asked of the real server.
"""

import csv
from typing import Any

import pytest

from balas.registry import CommandSpec, KeySpec
from balas.registry.flags import COMMAND_FLAG_NAMES, KEY_FLAG_NAMES, names_of
from balas.testing import InProcessServer, RealRedis
from balas.testing.both import Both
from sources import TOP

# The table has vector sets, too, a module that comes with Redis.
NOT_OURS = {"module"}
# What Balas has beside the table.
OURS = {"MODULE AVAILABLE", "MODULE INFO", "MODULE ORPHANS", "MODULE RELOAD"}
PECULIAR = {"MODULE", "CLUSTER"}
# Differs from Redis: MODULE UNLOAD takes SETASIDE.
ARITIES = {"MODULE UNLOAD": "-3"}

with (TOP / "tests/reference/commands-8.2.tsv").open() as table:
    REFERENCE = {row["name"]: row for row in csv.DictReader(table, delimiter="\t")}
EXPECTED = [name for name, row in REFERENCE.items() if row["group"] not in NOT_OURS]
# The help of MODULE names what is ours, that of CLUSTER is refused.
HELPS = sorted(
    name for name in EXPECTED if name.endswith(" HELP") and name.split()[0] not in PECULIAR
)


@pytest.fixture(scope="module")
def balas() -> Any:
    with InProcessServer() as server:
        yield server


def declared(balas: InProcessServer, name: str) -> CommandSpec:
    spec = balas.engine.commands.by_full_name(name.replace(" ", "|"))
    assert spec is not None, f"there is no {name}"
    return spec


@pytest.mark.parametrize("name", EXPECTED)
def test_a_command_is_declared_as_in_the_reference(name: str, balas: InProcessServer) -> None:
    spec, row = declared(balas, name), REFERENCE[name]
    ours = {
        "name": spec.name.upper().replace("|", " "),
        "arity": str(spec.arity),
        "group": spec.group,
        "since": spec.since,
        "flags": set(names_of(spec.flags, COMMAND_FLAG_NAMES)),
        "keys": (spec.first_key, spec.last_key, spec.key_step),
        "categories": {"@" + category for category in spec.categories},
    }
    theirs = {
        "name": row["name"],
        "arity": ARITIES.get(name, row["arity"]),
        "group": row["group"],
        "since": row["since"],
        "flags": set(filter(None, row["flags"].split(","))),
        "keys": (int(row["first_key"]), int(row["last_key"]), int(row["step"])),
        "categories": set(filter(None, row["acl_categories"].split(","))),
    }
    assert ours == theirs


def test_no_command_is_invented(balas: InProcessServer) -> None:
    ours = {
        spec.name.upper().replace("|", " ")
        for spec in balas.engine.commands.every()
        if not spec.owner
    }
    assert ours == set(EXPECTED) | OURS


@pytest.mark.parametrize("name", EXPECTED)
def test_keys_are_declared_as_in_the_real_server(
    name: str, balas: InProcessServer, real_redis: RealRedis
) -> None:
    info = described(real_redis, name)
    assert [ours(spec) for spec in declared(balas, name).key_specs] == list(map(theirs, info[8]))


@pytest.mark.parametrize("name", EXPECTED)
def test_tips_are_those_of_the_real_server(
    name: str, balas: InProcessServer, real_redis: RealRedis
) -> None:
    assert described(balas, name)[7] == described(real_redis, name)[7]


@pytest.mark.parametrize("name", HELPS)
def test_help_is_that_of_the_real_server(
    name: str, balas: InProcessServer, real_redis: RealRedis
) -> None:
    with balas.client() as one, real_redis.client() as other:
        words = name.split()
        assert one(*words) == other(*words)


@pytest.mark.parametrize(
    "name", [name for name in EXPECTED if REFERENCE[name]["group"] == "cluster"]
)
def test_a_server_without_cluster_answers_as_the_real_one(name: str, both: Both) -> None:
    words = name.split()
    arity = abs(int(REFERENCE[name]["arity"]))
    for count in range(arity - len(words) + 3):
        both(*words, *range(count))


def described(server: InProcessServer | RealRedis, name: str) -> list[Any]:
    """The entry of COMMAND INFO."""
    with server.client() as client:
        (info,) = client("COMMAND", "INFO", name.lower().replace(" ", "|"))
    return info


def ours(spec: KeySpec) -> dict[str, Any]:
    """A key specification in plain words."""
    begin: tuple[Any, ...] = ("unknown",)
    if spec.keyword is not None:
        begin = ("keyword", spec.keyword, spec.start)
    elif spec.index is not None:
        begin = ("index", spec.index)
    find: tuple[Any, ...] = (
        ("unknown",) if begin == ("unknown",) else ("range", spec.last, spec.step, spec.limit)
    )
    if spec.count_at is not None:
        find = ("keynum", spec.count_at, spec.first, spec.step)
    return {
        "flags": set(names_of(spec.flags, KEY_FLAG_NAMES)),
        "begin": begin,
        "find": find,
        "notes": spec.notes,
    }


def theirs(reply: list[Any]) -> dict[str, Any]:
    """The same of what COMMAND INFO says."""
    found = pairs(reply)
    begin, find = pairs(found["begin_search"]), pairs(found["find_keys"])
    return {
        "flags": {flag.decode() for flag in found["flags"]},
        "begin": (begin["type"].decode(), *map(text_or_number, begin["spec"][1::2])),
        "find": (find["type"].decode(), *find["spec"][1::2]),
        "notes": found.get("notes", b"").decode(),
    }


def pairs(flat: list[Any]) -> dict[str, Any]:
    return {name.decode(): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def text_or_number(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value
