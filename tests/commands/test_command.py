"""COMMAND INFO and COMMAND DOCS of every command, against the real server."""

from typing import Any

import pytest

from balas.registry.describe import CATEGORIES
from balas.registry.synopsis import Argument, arguments_of
from balas.testing import Both, Client, InProcessServer, RealRedis

# Where Balas differs on purpose: MODULE AVAILABLE, ORPHANS and RELOAD are its own, and UNLOAD has
# an option.
OWN = {"module|available", "module|info", "module|orphans", "module|reload", "module|unload"}


def entries(client: Client) -> dict[str, list[Any]]:
    """All entries of COMMAND INFO by name, those of subcommands, too, but for modules' commands."""
    found: dict[str, list[Any]] = {}

    def add(entry: list[Any]) -> None:
        found[entry[0].decode()] = entry
        for inner in entry[9]:
            add(inner)

    for entry in client("COMMAND"):
        if b"module" not in entry[2]:
            add(entry)
    return found


def test_every_command_is_known_as_redis_knows_it(
    balas_server: InProcessServer, real_redis: RealRedis
) -> None:
    with real_redis.client() as real_client:
        ours, theirs = entries(balas_server.client()), entries(real_client)
    wrong = []
    for name, entry in ours.items():
        if name in OWN:
            continue
        if name not in theirs:
            wrong.append(f"{name}: not in Redis")
            continue
        real = theirs[name]
        for what, own, expected in zip(
            ["name", "arity", "flags", "first", "last", "step", "categories", "tips", "keys"],
            entry,
            real,
            strict=False,
        ):
            if what in ("flags", "categories", "tips"):
                own, expected = sorted(own), sorted(expected)
            if own != expected:
                wrong.append(f"{name}: {what} {own} instead of {expected}")
    assert not wrong, "\n".join(wrong)


def test_flags_and_categories_stand_in_redis_s_order(both: Both) -> None:
    for name in ("get", "eval", "sort", "debug", "shutdown", "multi", "info", "dbsize"):
        if both.balas.client()("COMMAND", "INFO", name) != [None]:
            both("COMMAND", "INFO", name)


SAME = (b"since", b"group", b"doc_flags", b"deprecated_since", b"arguments")


def compare_docs(name: str, own: dict[bytes, Any], real: dict[bytes, Any]) -> list[str]:
    """What COMMAND DOCS says otherwise than Redis. Summaries are Balas's own, of the complexity
    only the formula is told, and neither history nor what takes a command's place.
    """
    wrong = [] if own[b"summary"] else [f"{name}: no summary"]
    wrong += [
        f"{name}: {what!r} {own.get(what)} instead of {real.get(what)}"
        for what in SAME
        if own.get(what) != real.get(what)
    ]
    if not real.get(b"complexity", b"").startswith(own.get(b"complexity", b"")):
        wrong.append(f"{name}: another complexity")
    ours, theirs = pairs(own.get(b"subcommands", [])), pairs(real.get(b"subcommands", []))
    for sub in ours:
        if sub.decode() in OWN:
            continue
        if sub not in theirs:
            wrong.append(f"{sub!r}: not in Redis")
        else:
            wrong += compare_docs(sub.decode(), pairs(ours[sub]), pairs(theirs[sub]))
    return wrong


def test_docs_are_those_of_redis(balas_server: InProcessServer, real_redis: RealRedis) -> None:
    ours = pairs(balas_server.client()("COMMAND", "DOCS"))
    with real_redis.client() as real_client:
        theirs = pairs(real_client("COMMAND", "DOCS"))
    wrong = [
        line
        for name, docs in ours.items()
        if name in theirs
        for line in compare_docs(name.decode(), pairs(docs), pairs(theirs[name]))
    ]
    assert not wrong, "\n".join(wrong)


def pairs(flat: list[Any]) -> dict[bytes, Any]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def test_a_module_s_commands_are_listed_by_its_name(client: Client) -> None:
    names = client("COMMAND", "LIST", "FILTERBY", "MODULE", "bf")
    assert b"bf.add" in names
    families = (b"bf.", b"cf.", b"cms.", b"topk.", b"tdigest.")
    assert all(name.startswith(families) for name in names)
    docs = pairs(pairs(client("COMMAND", "DOCS", "BF.ADD"))[b"bf.add"])
    assert docs[b"module"] == b"bf"
    assert docs[b"group"] == b"module"


def test_every_category_of_the_core_has_a_place() -> None:
    assert len(set(CATEGORIES)) == len(CATEGORIES) == 21


KEY = Argument("key", "key")
VALUE = Argument("value", "string")


def token(word: str) -> Argument:
    return Argument(word.lower(), "pure-token", word)


@pytest.mark.parametrize(
    ("synopsis", "name", "arguments"),
    [
        ("PING [message]", "ping", [Argument("message", "string", optional=True)]),
        ("DEL key [key ...]", "del", [Argument("key", "key", multiple=True)]),
        (
            "MSET key value [key value ...]",
            "mset",
            [Argument("key", "block", multiple=True, arguments=(KEY, VALUE))],
        ),
        ("CONFIG RESETSTAT", "config|resetstat", []),
        (
            "SET key value [NX | XX] [GET] [EX seconds | KEEPTTL]",
            "set",
            [
                KEY,
                VALUE,
                Argument("nx", "oneof", optional=True, arguments=(token("NX"), token("XX"))),
                Argument("get", "pure-token", "GET", optional=True),
                Argument(
                    "seconds",
                    "oneof",
                    optional=True,
                    arguments=(Argument("seconds", "integer", "EX"), token("KEEPTTL")),
                ),
            ],
        ),
        (
            "X key <LEFT | RIGHT> [LIMIT offset count] [WITHSCORES]",
            "x",
            [
                KEY,
                Argument("left", "oneof", arguments=(token("LEFT"), token("RIGHT"))),
                Argument(
                    "offset",
                    "block",
                    optional=True,
                    arguments=(
                        Argument("offset", "integer", "LIMIT"),
                        Argument("count", "integer"),
                    ),
                ),
                Argument("withscores", "pure-token", "WITHSCORES", optional=True),
            ],
        ),
        ("Z unix-time-seconds", "z", [Argument("unix-time-seconds", "unix-time")]),
    ],
)
def test_arguments_are_read_from_the_synopsis(
    synopsis: str, name: str, arguments: list[Argument]
) -> None:
    assert list(arguments_of(synopsis, name)) == arguments


def test_no_synopsis_of_the_server_is_misread(balas_server: InProcessServer) -> None:
    for spec in balas_server.engine.commands.every():
        if spec.handler is not None:
            for argument in arguments_of(spec.synopsis, spec.name):
                assert argument.name, spec.synopsis
                assert "." not in argument.name.strip("."), spec.synopsis
