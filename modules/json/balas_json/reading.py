"""JSON commands that read: GET, MGET, TYPE, STRLEN, ARRLEN, ARRINDEX, OBJLEN, OBJKEYS, RESP, DEBUG.

A path that begins with $ answers with an array of what it finds for each value it selects. Any
other path is a legacy path: it answers for the first value that it selects, or with an error.

Differs from Redis: the members of JSON.GET's answer for several paths come in the order of the
paths, where RedisJSON gives them in any order.
"""

from __future__ import annotations

from balas.api import (
    ACCESS,
    RW,
    UPDATE,
    Context,
    Reply,
    ReplyError,
    command,
    key,
)
from balas_json._document import Document, parsed
from balas_json._paths import Path
from balas_json._printer import Printer
from balas_json.common import (
    CATEGORIES,
    KEY,
    NO_FORMAT_IN_RESP2,
    NO_KEY,
    READING,
    WRONG_FORMAT,
    find,
    given,
    given_path,
    no_path,
    number_argument,
    path_of,
    wrong_number,
)
from balas_json.value import JsonValue

ROOTS = (b".", b"$")


@command("JSON.GET", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def json_get(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.GET key [INDENT indent] [NEWLINE newline] [SPACE space] [FORMAT format] [path ...]

    The values that paths select, as text, or null if the key is missing. Of several paths each has
    its member in one object. INDENT stands before an item, once for each level, NEWLINE behind
    what ends a line, SPACE behind a colon. With RESP3 the FORMAT may be STRING, EXPAND1 (scalars as
    such, others as text) or EXPAND (everything as such).
    """
    if not arguments:
        raise wrong_number("json.get")
    if len(arguments) <= 2 and (len(arguments) == 1 or arguments[1][:1] in (b"$", b".")):
        return get_one(ctx, arguments)
    texts, layout, format = read_options(ctx, arguments)
    document = find(ctx, arguments[0])
    if document is None:
        return None
    paths = [path_of(ctx, text) for text in texts or [b"."]]
    printer = Printer(64, *layout)
    if format != "STRING":
        outer = printer if format == "EXPAND1" else None
        return [document.values(path, outer) for path in paths]
    if len(paths) == 1:
        if not paths[0].legacy:
            return document.print_all(paths[0], printer)
        text = document.print_first(paths[0], printer)
        if text is None:
            raise no_path(paths[0])
        return text
    return get_several(document, paths, printer)


def get_one(ctx: Context, arguments: tuple[bytes, ...]) -> Reply:
    """The usual case: one path at most, and no option."""
    document = find(ctx, arguments[0])
    if document is None:
        return None
    if len(arguments) == 1 or arguments[1] == b".":
        return document.text()
    path = path_of(ctx, arguments[1])
    if not path.legacy:
        return document.select(path)
    text = document.first(path)
    if text is None:
        raise no_path(path)
    return text


def get_several(document: Document, paths: list[Path], printer: Printer) -> Reply:
    """One object with a member for each path; arrays if any of them begins with $."""
    distinct = list({path.text: path for path in paths}.values())
    wrapped = any(not path.legacy for path in distinct)
    answer = document.print_paths(distinct, printer, wrapped)
    if isinstance(answer, Path):
        raise ReplyError(f"ERR Path '{given(answer)}' does not exist")
    return answer


def read_options(
    ctx: Context, arguments: tuple[bytes, ...]
) -> tuple[list[bytes], tuple[bytes, bytes, bytes], str]:
    """Paths, layout and format of JSON.GET."""
    layout = {b"INDENT": b"", b"NEWLINE": b"", b"SPACE": b""}
    format = "STRING"
    paths = []
    place = 1
    while place < len(arguments):
        word = arguments[place].upper()
        place += 1
        if word in layout:
            if place == len(arguments):
                raise wrong_number("json.get")
            layout[word] = arguments[place]
            place += 1
        elif word == b"FORMAT":
            format = read_format(ctx, arguments[place : place + 1], "STRING", "json.get")
            place += 1
        elif word != b"NOESCAPE":
            paths.append(arguments[place - 1])
    return paths, (layout[b"INDENT"], layout[b"NEWLINE"], layout[b"SPACE"]), format


def read_format(ctx: Context, word: tuple[bytes, ...], text_format: str, name: str) -> str:
    """What FORMAT asks for: the command's word for text, EXPAND1 or EXPAND."""
    if ctx.resp != 3:
        raise ReplyError(NO_FORMAT_IN_RESP2)
    if not word:
        raise wrong_number(name)
    format = word[0].decode("utf-8", "replace")
    if format not in (text_format, "EXPAND1", "EXPAND"):
        raise ReplyError(WRONG_FORMAT)
    return format


@command("JSON.MGET", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def json_mget(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.MGET key [key ...] path

    What the path selects in each of several documents, as text; null for a missing key, one that
    holds something else, or a legacy path that selects nothing.
    """
    if len(arguments) < 2:
        raise wrong_number("json.mget")
    count = len(arguments) - 1
    try:
        path = path_of(ctx, arguments[count])
    except ReplyError:
        return [None] * count
    texts: list[bytes | None] = []
    for name in arguments[:count]:
        held = ctx.read_any(name)
        if not isinstance(held, JsonValue):
            texts.append(None)
        elif path.legacy:
            texts.append(held.document.first(path))
        else:
            texts.append(held.document.select(path))
    return texts


@command("JSON.TYPE", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def json_type(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.TYPE key [path]

    The type of the values: null, boolean, integer, number, string, array or object. Null if there
    is none, or the key is missing. RESP3 has one more array around it.
    """
    if not arguments:
        raise wrong_number("json.type")
    document = find(ctx, arguments[0])
    if document is None:
        return [None] if ctx.resp == 3 else None
    path = given_path(ctx, arguments)
    types: Reply = document.types(path)
    if path.legacy:
        types = types[0] if types else None
    return [types] if ctx.resp == 3 else types


@command("JSON.STRLEN", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def json_strlen(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.STRLEN key [path]

    How many bytes the strings have; null for values that are no strings.
    """
    if not arguments:
        raise wrong_number("json.strlen")
    document = find(ctx, arguments[0])
    path = given_path(ctx, arguments)
    if document is None:
        return missing_key(path, NO_KEY)
    lengths = document.lengths(path, "string")
    if not path.legacy:
        return lengths
    if not lengths:
        raise no_path(path)
    return lengths[0] if lengths[0] is not None else wrong_type(document, path, "string")


def missing_key(path: Path, error: str) -> Reply:
    """Null for a legacy path, an error for one that begins with $."""
    if path.legacy:
        return None
    raise ReplyError(error)


def wrong_type(document: Document, path: Path, expected: str) -> Reply:
    """Raise for a legacy path that selects a value of another type."""
    found = document.types(path)[0]
    raise ReplyError(f"WRONGTYPE wrong type of path value - expected {expected} but found {found}")


@command("JSON.ARRLEN", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def json_arrlen(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.ARRLEN key [path]

    How many items the arrays have; null for values that are no arrays.
    """
    if not arguments:
        raise wrong_number("json.arrlen")
    document = find(ctx, arguments[0])
    path = given_path(ctx, arguments)
    if document is None:
        return missing_key(path, NO_KEY)
    lengths = document.lengths(path, "array")
    if not path.legacy:
        return lengths
    if not lengths:
        raise ReplyError(f"ERR Path '{given(path)}' does not exist")
    if lengths[0] is None:
        raise ReplyError(f"ERR Path '{given(path)}' does not exist or not an array")
    return lengths[0]


@command("JSON.ARRINDEX", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def json_arrindex(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.ARRINDEX key path value [start [stop]]

    Where a value stands first in the arrays, or -1; null for values that are no arrays. 2 is not
    2.0. Only items from `start` up to `stop`, without it, are looked at; both may count from the
    end, and a stop of 0 is the end.
    """
    if not 3 <= len(arguments) <= 5:
        raise wrong_number("json.arrindex")
    path = path_of(ctx, arguments[1])
    value = parsed(arguments[2], "ERR ")
    start = number_argument(arguments[3]) if len(arguments) > 3 else 0
    stop = number_argument(arguments[4]) if len(arguments) > 4 else 0
    document = find(ctx, arguments[0])
    if document is None:
        raise ReplyError(f"ERR Path '{given(path)}' does not exist")
    places = document.indexes(path, value, start, stop)
    if not path.legacy:
        return places
    if not places:
        raise no_path(path)
    return places[0] if places[0] is not None else wrong_type(document, path, "array")


@command("JSON.OBJLEN", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def json_objlen(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.OBJLEN key [path]

    How many members the objects have; null for values that are no objects.
    """
    if not arguments:
        raise wrong_number("json.objlen")
    document = find(ctx, arguments[0])
    path = given_path(ctx, arguments)
    if document is None:
        return missing_key(path, f"ERR Path '{given(path)}' does not exist or not an object")
    lengths = document.lengths(path, "object")
    if not path.legacy:
        return lengths
    if not lengths:
        return None
    return lengths[0] if lengths[0] is not None else wrong_type(document, path, "object")


@command("JSON.OBJKEYS", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def json_objkeys(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.OBJKEYS key [path]

    The names of the members of the objects; null for values that are no objects.
    """
    if not arguments:
        raise wrong_number("json.objkeys")
    document = find(ctx, arguments[0])
    path = given_path(ctx, arguments)
    if document is None:
        return missing_key(path, NO_KEY)
    names = document.keys(path)
    if not path.legacy:
        return names
    if not names:
        return None
    if names[0] is None:
        raise no_path(path, " or not an object")
    return names[0]


@command("JSON.RESP", arity=-1, flags=READING, keys=KEY, group="module", categories=CATEGORIES)
def json_resp(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.RESP key [path]

    The values as replies. An array begins with [, an object with {, and the names and values of
    its members follow.
    """
    if not arguments:
        raise wrong_number("json.resp")
    document = find(ctx, arguments[0])
    if document is None:
        return None
    path = given_path(ctx, arguments)
    values = document.resp(path)
    if not path.legacy:
        return values
    if not values:
        raise no_path(path)
    return values[0]


@command(
    "JSON.DEBUG",
    arity=-1,
    flags=READING,
    keys=key(2, RW | ACCESS | UPDATE),
    group="module",
    categories=CATEGORIES,
)
def json_debug(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.DEBUG MEMORY key [path] | HELP

    MEMORY says how many bytes the values take, without the names of members, which all documents
    share. 0 for a missing key.
    """
    if not arguments:
        raise wrong_number("json.debug")
    subcommand = arguments[0].upper()
    if subcommand == b"HELP":
        return [
            "MEMORY <key> [path] - reports memory usage",
            "HELP                - this message",
        ]
    if subcommand != b"MEMORY":
        raise ReplyError("ERR unknown subcommand - try `JSON.DEBUG HELP`")
    if len(arguments) < 2:
        raise wrong_number("json.debug")
    path = given_path(ctx, arguments[1:])
    document = find(ctx, arguments[1])
    if document is None:
        return 0 if path.legacy else []
    sizes = document.sizes(path)
    if not path.legacy:
        return sizes
    if not sizes:
        raise no_path(path)
    return sizes[0]
