"""JSON commands that change arrays: ARRAPPEND, ARRINSERT, ARRPOP, ARRTRIM.

A path that begins with $ answers for each value that it selects, with null for what is no array; a
legacy path for the last that is one, or with an error. A change is reported under the command's
name.

Differs from Redis: where a path selects arrays in arrays, all are changed, the innermost first;
only JSON.ARRPOP leaves those alone that another array loses. RedisJSON answers JSON.ARRTRIM with an
error then, when it has changed some, and comes to an end in JSON.ARRINSERT.
"""

from __future__ import annotations

from balas.api import Context, Reply, ReplyError, command
from balas_json import _changes
from balas_json._document import parsed
from balas_json.common import (
    CATEGORIES,
    KEY,
    REMOVING,
    WRITING,
    existing,
    given,
    last_of,
    number_argument,
    path_of,
    wrong_number,
)
from balas_json.reading import read_format
from balas_json.writing import report

NOT_AN_ARRAY = " or not an array"


@command("JSON.ARRAPPEND", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def json_arrappend(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.ARRAPPEND key path value [value ...]

    Append values to arrays: how many items each has now.
    """
    if len(arguments) < 3:
        raise wrong_number("json.arrappend")
    path = path_of(ctx, arguments[1])
    values = [parsed(text) for text in arguments[2:]]
    document = existing(ctx, arguments[0])
    lengths = _changes.append_items(document, path, values)
    report(ctx, arguments[0], lengths, "json.arrappend")
    if not path.legacy:
        return lengths
    for length in reversed(lengths):
        if length is not None:
            return length
    raise ReplyError(f"ERR Path '{given(path)}' does not exist{NOT_AN_ARRAY}")


@command("JSON.ARRINSERT", arity=-1, flags=WRITING, keys=KEY, group="module", categories=CATEGORIES)
def json_arrinsert(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.ARRINSERT key path index value [value ...]

    Put values into arrays before the item at an index, which may count from the end: how many
    items each has now. An index outside of one of the arrays is an error, and nothing changes.
    """
    if len(arguments) < 4:
        raise wrong_number("json.arrinsert")
    path = path_of(ctx, arguments[1])
    index = number_argument(arguments[2])
    values = [parsed(text) for text in arguments[3:]]
    document = existing(ctx, arguments[0])
    lengths = _changes.insert_items(document, path, index, values)
    report(ctx, arguments[0], lengths, "json.arrinsert")
    return last_of(lengths, path, NOT_AN_ARRAY) if path.legacy else lengths


@command("JSON.ARRPOP", arity=-1, flags=REMOVING, keys=KEY, group="module", categories=CATEGORIES)
def json_arrpop(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.ARRPOP key [FORMAT STRINGS | EXPAND1 | EXPAND] [path [index]]

    Take an item out of arrays, the last one unless an index says otherwise, and return it: as
    text, or with RESP3 as FORMAT says. Null for an empty array.
    """
    if not arguments:
        raise wrong_number("json.arrpop")
    format, rest = read_pop_format(ctx, arguments[1:])
    path = path_of(ctx, rest[0] if rest else b".")
    index = -1
    if len(rest) > 1:
        try:
            index = number_argument(rest[1])
        except ReplyError:
            index = -1  # what is no number does not count, as in RedisJSON
    document = existing(ctx, arguments[0])
    if path.legacy and format != "STRINGS":
        raise ReplyError("Legacy paths are supported only with FORMAT STRINGS")
    arrays = document.lengths(path, "array")
    popped = _changes.pop(document, path, index, format)
    if any(arrays):
        ctx.changed(arguments[0], "json.arrpop")
    if not path.legacy:
        return popped
    for item, length in zip(reversed(popped), reversed(arrays), strict=True):
        if length is not None:
            return item
    return last_of([], path, NOT_AN_ARRAY)


def read_pop_format(ctx: Context, words: tuple[bytes, ...]) -> tuple[str, tuple[bytes, ...]]:
    """The format and what follows it. FORMAT alone is a path."""
    if len(words) < 2 or words[0].upper() != b"FORMAT":
        return "STRINGS", words
    if words[1] not in (b"STRINGS", b"EXPAND1", b"EXPAND"):
        raise ReplyError("ERR wrong reply format")
    return read_format(ctx, words[1:2], "STRINGS", "json.arrpop"), words[2:]


@command("JSON.ARRTRIM", arity=-1, flags=REMOVING, keys=KEY, group="module", categories=CATEGORIES)
def json_arrtrim(ctx: Context, *arguments: bytes) -> Reply:
    """JSON.ARRTRIM key path start stop

    Keep of arrays only the items from start to stop, both included: how many that are.
    """
    if len(arguments) < 4:
        raise wrong_number("json.arrtrim")
    path = path_of(ctx, arguments[1])
    start = number_argument(arguments[2])
    stop = number_argument(arguments[3])
    document = existing(ctx, arguments[0])
    lengths = _changes.trim(document, path, start, stop)
    report(ctx, arguments[0], lengths, "json.arrtrim")
    return last_of(lengths, path, NOT_AN_ARRAY) if path.legacy else lengths
