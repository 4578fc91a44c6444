"""What COMMAND shows of a command: its entry in COMMAND INFO, and its documentation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from balas.protocol.replies import Pairs, SetReply, Status
from balas.registry.flags import (
    COMMAND_FLAG_NAMES,
    INCOMPLETE,
    KEY_FLAG_NAMES,
    NOT_KEY,
    names_of,
)
from balas.registry.keys import KeySpec
from balas.registry.spec import CommandSpec
from balas.registry.synopsis import Argument, arguments_of
from balas.registry.tips import TIPS

# In the order in which Redis lists them; those that modules add come after.
CATEGORIES = (
    *("keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap"),
    *("hyperloglog", "geo", "stream", "pubsub", "admin", "fast", "slow", "blocking"),
    *("dangerous", "connection", "transaction", "scripting"),
)


def describe(spec: CommandSpec) -> list[Any]:
    """The entry of COMMAND INFO."""
    return [
        spec.name,
        spec.arity,
        statuses(names_of(spec.flags, COMMAND_FLAG_NAMES)),
        spec.first_key,
        spec.last_key,
        spec.key_step,
        statuses(f"@{name}" for name in categories(spec)),
        SetReply(TIPS.get(spec.name, ())),
        SetReply(describe_keys(keys) for keys in spec.key_specs),
        SetReply(describe(sub) for sub in (spec.subcommands or {}).values()),
    ]


def categories(spec: CommandSpec) -> list[str]:
    """The ACL categories of a command in order."""
    known = [name for name in CATEGORIES if name in spec.categories]
    return known + sorted(spec.categories - set(CATEGORIES))


def statuses(names: Iterable[str]) -> SetReply:
    """Words as a set of simple strings."""
    return SetReply([Status(name) for name in names])


def describe_keys(keys: KeySpec) -> Pairs:
    """A key specification as COMMAND INFO shows it."""
    found: list[tuple[str, Any]] = [("notes", keys.notes)] if keys.notes else []
    found += [
        ("flags", key_flags(keys.flags)),
        ("begin_search", begin_search(keys)),
        ("find_keys", find_keys(keys)),
    ]
    return Pairs(found)


def key_flags(flags: int) -> SetReply:
    """What is done to the keys."""
    return statuses(names_of(flags, KEY_FLAG_NAMES))


def is_unknown(keys: KeySpec) -> bool:
    """Whether the specification says nothing but that there are keys somewhere."""
    return keys.index is None and keys.keyword is None


def begin_search(keys: KeySpec) -> Pairs:
    """Where to begin to look for the keys."""
    if keys.keyword is not None:
        spec = Pairs([("keyword", keys.keyword), ("startfrom", keys.start)])
        return Pairs([("type", "keyword"), ("spec", spec)])
    if is_unknown(keys):
        return Pairs([("type", "unknown"), ("spec", Pairs([]))])
    return Pairs([("type", "index"), ("spec", Pairs([("index", keys.index)]))])


def find_keys(keys: KeySpec) -> Pairs:
    """Which arguments are keys, from there on."""
    if is_unknown(keys):
        return Pairs([("type", "unknown"), ("spec", Pairs([]))])
    if keys.count_at is not None:
        spec = Pairs(
            [("keynumidx", keys.count_at), ("firstkey", keys.first), ("keystep", keys.step)]
        )
        return Pairs([("type", "keynum"), ("spec", spec)])
    spec = Pairs([("lastkey", keys.last), ("keystep", keys.step), ("limit", keys.limit)])
    return Pairs([("type", "range"), ("spec", spec)])


def documents() -> dict[str, Any]:
    """What Redis says of the arguments of its commands, by name: read anew each time, which takes
    two milliseconds. tests/reference/document_arguments.py wrote the file, and says what is in it.
    """
    return dict(json.loads(files(__package__).joinpath("documents-8.2.json").read_text()))


def document(spec: CommandSpec, known: Mapping[str, Any]) -> dict[str, Any]:
    """The documentation of a command, and of its subcommands, as COMMAND DOCS shows it; `known` is
    from `documents`, and a command that is not in it has its arguments read from its synopsis.

    Differs from Redis: there is no history; the complexity is a formula without words; the
    summaries are Balas's own.
    """
    found: dict[str, Any] = {
        "summary": spec.summary,
        "since": spec.since,
        "group": spec.group.replace("_", "-"),
    }
    facts = known.get(spec.name) if not spec.owner else None
    if facts is not None:
        found |= facts_of(facts)
    else:
        if spec.owner:
            found["module"] = spec.owner
        arguments = arguments_of(spec.synopsis, spec.name) if spec.handler is not None else ()
        if arguments:
            places = key_places(spec.key_specs)
            found["arguments"] = [document_argument(argument, places) for argument in arguments]
    if spec.subcommands:
        found["subcommands"] = {sub.name: document(sub, known) for sub in spec.subcommands.values()}
    return found


def facts_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the file of `documents` says of one command, as a reply."""
    found = dict(facts)
    if "doc_flags" in facts:
        found["doc_flags"] = statuses(facts["doc_flags"])
    if "arguments" in facts:
        found["arguments"] = [known_argument(*argument) for argument in facts["arguments"]]
    return found


def known_argument(name: str, kind: str, more: Mapping[str, Any] | None = None) -> Pairs:
    """One argument of that file."""
    more = more or {}
    found: list[tuple[str, Any]] = [("name", name), ("type", kind)]
    if kind not in ("oneof", "block"):
        found.append(("display_text", more.get("display_text", name)))
    for member in ("key_spec_index", "token", "since", "deprecated_since"):
        if member in more:
            found.append((member, more[member]))
    if "flags" in more:
        found.append(("flags", statuses(more["flags"])))
    if "arguments" in more:
        found.append(("arguments", [known_argument(*inner) for inner in more["arguments"]]))
    return Pairs(found)


def key_places(specs: Sequence[KeySpec]) -> list[int]:
    """The indexes of the key specifications, in order, that arguments can refer to."""
    return [place for place, keys in enumerate(specs) if not keys.flags & (NOT_KEY | INCOMPLETE)]


def document_argument(argument: Argument, places: list[int]) -> Pairs:
    """One argument; each that is a key takes the next of `places`, the last again and again."""
    found: list[tuple[str, Any]] = [("name", argument.name), ("type", argument.kind)]
    if argument.kind not in ("oneof", "block"):
        found.append(("display_text", argument.name))
    if argument.kind == "key" and places:
        found.append(("key_spec_index", places.pop(0) if len(places) > 1 else places[0]))
    if argument.token:
        found.append(("token", argument.token))
    flags = [
        name
        for name, on in (("optional", argument.optional), ("multiple", argument.multiple))
        if on
    ]
    if flags:
        found.append(("flags", statuses(flags)))
    if argument.arguments:
        found.append(
            ("arguments", [document_argument(inner, places) for inner in argument.arguments])
        )
    return Pairs(found)
