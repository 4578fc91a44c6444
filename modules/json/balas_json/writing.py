"""JSON commands that change values: SET, MSET, MERGE, DEL, CLEAR, TOGGLE, NUM*, STRAPPEND.

What changed is reported under the command's own name, json.set for one; a command that changed
nothing reports nothing.

Differs from Redis:

- JSON.SET takes EX, PX and KEEPTTL. Without them the expiry time stays, as in RedisJSON.
- JSON.DEL removes everything that its path selects. RedisJSON forgets some: of `$[1,10,11]` the
  items 10 and 11, because their paths begin like that of item 1.
- A filter selects members of objects for changes as it does for reading. RedisJSON loses track of
  which they are, and changes nothing, or fails.
- JSON.SET creates a member of the very name that the path gives; RedisJSON keeps the backslashes.
- A command that changes nothing breaks no WATCH.
- BSON is not read.
- Text behind the value is an error; RedisJSON forgets it. Numbers are rounded exactly.
- NUMINCRBY and its like change all numbers that a path selects, or, if one result is none, nothing.
"""

from __future__ import annotations

from typing import Any

from balas.api import (
    ACCESS,
    OK,
    RW,
    UPDATE,
    Arguments,
    Context,
    Reply,
    ReplyError,
    command,
    keys,
)
from balas_json import _changes
from balas_json._document import Document, parsed
from balas_json._paths import Path
from balas_json.common import (
    CATEGORIES,
    KEY,
    NO_KEY,
    NOT_AT_ROOT,
    REMOVING,
    WRITING,
    existing,
    find_to_write,
    given_path,
    last_of,
    path_of,
    wrong_number,
)
from balas_json.value import JsonValue

SYNTAX = "ERR syntax error"
EXPIRE_MAX_MS = 2**63 - 1
ALWAYS, NEW, OLD = range(3)


class SetOptions:
    """What follows the value of JSON.SET."""

    __slots__ = ("expire_at", "when")

    def __init__(self) -> None:
        self.when = ALWAYS
        self.expire_at: int | None = None


@command("JSON.SET", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def json_set(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.SET key path value [NX | XX] [FORMAT format] [EX seconds | PX milliseconds | KEEPTTL]

    Put a value wherever the path selects one. If it selects none, but names a member of an object
    that is there, the member is made. The whole document is made by the path $ or `.`. Null if
    there is nowhere to put it, or if NX (only what is new) or XX (only what is there) forbids it.
    The format is STRING or JSON. EX and PX give the key an expiry time; otherwise it stays.
    """
    if len(arguments) < 3:
        raise wrong_number("json.set")
    options = read_set_options(ctx, arguments) if len(arguments) > 3 else SetOptions()
    name, where = arguments[0], arguments[1]
    is_root = where == b"$" or where == b"."
    path = None if is_root else path_of(ctx, where)
    value = parsed(arguments[2])
    held = find_to_write(ctx, name)
    if path is None or path.is_root:
        if options.when != ALWAYS and (options.when == NEW) != (held is None):
            return None
        ctx.update(name, JsonValue(value))
    elif held is None:
        if options.when == OLD:
            return None
        raise ReplyError(NOT_AT_ROOT)
    elif not put(held, path, value, options.when):
        return None
    if options.expire_at is not None:
        set_expiry(ctx, name, arguments, options.expire_at)
    ctx.changed(name, "json.set")
    return OK


def put(document: Document, path: Path, value: Document, when: int) -> bool:
    """Put a value at a path that is not the root; whether anything changed."""
    if when == NEW:
        if path.is_static and _changes.exists(document, path):
            return False
    elif _changes.assign(document, path, value):
        return True
    return when != OLD and _changes.create(document, path, value)


def read_set_options(ctx: Context, arguments: tuple[bytes, ...]) -> SetOptions:
    """Read what follows the value."""
    options = SetOptions()
    rest = Arguments(arguments[3:])
    timed = False
    while rest.more:
        word = rest.take().upper()
        if word in (b"NX", b"XX") and options.when == ALWAYS:
            options.when = NEW if word == b"NX" else OLD
        elif word == b"FORMAT":
            check_format(rest.take(wrong_number("json.set").text))
        elif word in (b"EX", b"PX", b"KEEPTTL") and not timed:
            timed = True
            if word != b"KEEPTTL":
                options.expire_at = read_expiry(ctx, rest, 1000 if word == b"EX" else 1)
        else:
            raise ReplyError(SYNTAX)
    return options


def check_format(word: bytes) -> None:
    """Raise unless the format is one that is read."""
    if word.upper() == b"BSON":
        raise ReplyError("ERR BSON is not supported")
    if word.upper() not in (b"STRING", b"JSON"):
        raise ReplyError("ERR wrong format")


def read_expiry(ctx: Context, rest: Arguments, unit_ms: int) -> int:
    """The moment, in Unix ms, that a duration in this unit leads to."""
    duration = rest.take_int()
    moment = ctx.now_ms + duration * unit_ms
    if duration <= 0 or moment > EXPIRE_MAX_MS:
        raise ReplyError("ERR invalid expire time in 'json.set' command")
    return moment


def set_expiry(ctx: Context, key: bytes, arguments: tuple[bytes, ...], moment_ms: int) -> None:
    """Give a key an expiry time, and record that moment instead of the duration."""
    ctx.set_expire(key, moment_ms)
    ctx.record(b"JSON.SET", *arguments[:3])
    ctx.record(b"PEXPIREAT", key, b"%d" % moment_ms)
    ctx.notify(key, "expire")


@command(
    "JSON.MSET",
    arity=-1,
    flags=WRITING,
    keys=keys(1, -1, 3, RW | ACCESS | UPDATE),
    group="module",
    categories=CATEGORIES,
)
def json_mset(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.MSET key path value [key path value ...]

    Put several values, as JSON.SET does. If one of them is no JSON, a path makes no sense, or a key
    holds something else, none is put.
    """
    if not arguments or len(arguments) % 3:
        raise wrong_number("json.mset")
    triples = []
    for place in range(0, len(arguments), 3):
        name = arguments[place]
        document = find_to_write(ctx, name)
        path = path_of(ctx, arguments[place + 1])
        if document is None and not path.is_root:
            raise ReplyError(NOT_AT_ROOT)
        triples.append((name, path, parsed(arguments[place + 2])))
    for name, path, value in triples:
        if path.is_root:
            ctx.update(name, JsonValue(value))
        elif not put(existing(ctx, name), path, value, ALWAYS):
            continue
        ctx.changed(name, "json.mset")
    return OK


@command("JSON.MERGE", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def json_merge(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.MERGE key path value

    Merge a value into those that are there (RFC 7396): members are added and replaced, and those
    that are null in the value are removed. Where nothing is there it is put as JSON.SET does.
    """
    if len(arguments) < 3:
        raise wrong_number("json.merge")
    if len(arguments) > 3:
        raise ReplyError(SYNTAX)
    name = arguments[0]
    path = path_of(ctx, arguments[1])
    value = parsed(arguments[2])
    document = find_to_write(ctx, name)
    if document is None:
        if not path.is_root:
            raise ReplyError(NOT_AT_ROOT)
        ctx.update(name, JsonValue(value))
    elif not _changes.merge(document, path, value) and not _changes.create(document, path, value):
        return None
    ctx.changed(name, "json.merge")
    return OK


# --- taking away ----------------------------------------------------------------------------------


@command("JSON.DEL", arity=-1, flags=REMOVING, keys=KEY, group="module", categories=CATEGORIES)
def json_del(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.DEL key [path]

    Remove the values that a path selects, and say how many. Without a path, or by that of the
    root, the key goes.
    """
    if not arguments:
        raise wrong_number("json.del")
    return remove(ctx, arguments)


@command("JSON.FORGET", arity=-1, flags=REMOVING, keys=KEY, group="module", categories=CATEGORIES)
def json_forget(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.FORGET key [path]

    JSON.DEL by another name.
    """
    if not arguments:
        raise wrong_number("json.forget")
    return remove(ctx, arguments)


def remove(ctx: Context, arguments: tuple[bytes, ...]) -> int:
    """Remove what a path selects; how many values that were."""
    name = arguments[0]
    document = find_to_write(ctx, name)
    if document is None:
        return 0
    path = given_path(ctx, arguments)
    if path.is_root:
        ctx.delete(name)
        removed = 1
    else:
        removed = _changes.delete(document, path)
    if removed:
        ctx.changed(name, "json.del")
    return removed


@command("JSON.CLEAR", arity=-1, flags=REMOVING, keys=KEY, group="module", categories=CATEGORIES)
def json_clear(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.CLEAR key [path]

    Empty arrays and objects and set numbers to 0; how many changed.
    """
    if not arguments:
        raise wrong_number("json.clear")
    document = find_to_write(ctx, arguments[0])
    path = given_path(ctx, arguments)
    if document is None:
        raise ReplyError(NO_KEY)
    changed = _changes.clear(document, path)
    if changed:
        ctx.changed(arguments[0], "json.clear")
    return changed


# --- scalars --------------------------------------------------------------------------------------


@command("JSON.TOGGLE", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def json_toggle(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.TOGGLE key path

    Turn true and false round: 1 or 0 for what each is now, null for other values. A legacy path
    answers with the text.
    """
    if len(arguments) < 2:
        raise wrong_number("json.toggle")
    path = path_of(ctx, arguments[1])
    document = existing(ctx, arguments[0])
    outcomes = _changes.toggle(document, path)
    report(ctx, arguments[0], outcomes, "json.toggle")
    if path.legacy:
        return b"true" if last_of(outcomes, path, " or not a bool") else b"false"
    return [None if outcome is None else int(outcome) for outcome in outcomes]


def report(ctx: Context, key: bytes, outcomes: list[Any], event: str) -> None:
    """Report a change if there was one: anything but None."""
    for outcome in outcomes:
        if outcome is not None:
            ctx.changed(key, event)
            return


@command("JSON.NUMINCRBY", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def json_numincrby(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.NUMINCRBY key path value

    Add to numbers. The results, null for other values: as the text of an array in RESP2, or of
    the number for a legacy path; as an array in RESP3. Whole numbers wrap at 64 bits.
    """
    return calculate(ctx, arguments, "json.numincrby", "+")


@command("JSON.NUMMULTBY", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def json_nummultby(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.NUMMULTBY key path value

    Multiply numbers; see JSON.NUMINCRBY.
    """
    return calculate(ctx, arguments, "json.nummultby", "*")


@command("JSON.NUMPOWBY", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def json_numpowby(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.NUMPOWBY key path value

    Raise numbers to a power; see JSON.NUMINCRBY.
    """
    return calculate(ctx, arguments, "json.numpowby", "^")


def calculate(ctx: Context, arguments: tuple[bytes, ...], name: str, operation: str) -> Reply:
    """What the three have in common."""
    if len(arguments) < 3:
        raise wrong_number(name)
    path = path_of(ctx, arguments[1])
    document = existing(ctx, arguments[0])
    numbers = _changes.calculate(document, path, operation, arguments[2])
    report(ctx, arguments[0], numbers, name)
    if ctx.resp == 3:
        return numbers
    if path.legacy:
        last = last_of(numbers, path, " or does not contains a number")
        return _changes.number_texts([last])[1:-1]
    return _changes.number_texts(numbers)


@command("JSON.STRAPPEND", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def json_strappend(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.STRAPPEND key [path] value

    Append a string, given as JSON, to strings: how many bytes each has now, null for other values.
    """
    if len(arguments) < 2:
        raise wrong_number("json.strappend")
    path = given_path(ctx, arguments if len(arguments) > 2 else arguments[:1])
    text = arguments[2 if len(arguments) > 2 else 1]
    document = existing(ctx, arguments[0])
    if "string" not in document.types(path):
        lengths: list[int | None] = document.lengths(path, "string")
    else:
        value = parsed(text, "ERR ")
        if value.kind != "string":
            found = value.text().decode()
            raise ReplyError(
                f"WRONGTYPE wrong type of path value - expected string but found {found}"
            )
        lengths = _changes.append_text(document, path, value)
        report(ctx, arguments[0], lengths, "json.strappend")
    return last_of(lengths, path, " or not a string") if path.legacy else lengths
