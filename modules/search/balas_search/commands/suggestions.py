"""FT.SUG*: suggestions for what is being typed, kept in a key of their own."""

from __future__ import annotations

from balas.api import Context, Reply, ReplyError, command, number
from balas_search.commands.common import FILLING, NAME, READING, WRITING, wrong_number
from balas_search.schema.words import NONE_PROVIDED, NOT_CONVERTED, Words, shown
from balas_search.suggestions.suggestions import Suggestions

MAX_DEFAULT = 5
NO_EVENT = ""


@command("FT.SUGADD", arity=-1, flags=FILLING, keys=NAME, group="suggestion")
def ft_sug_add(ctx: Context, *arguments: bytes) -> Reply:
    """FT.SUGADD key string score [INCR] [PAYLOAD payload]

    Add a string, or set its score; with INCR raise it. Returns how many strings there are.
    """
    if not 3 <= len(arguments) <= 6:
        raise wrong_number("FT.SUGADD")
    key, text, score_text = arguments[:3]
    words = Words(arguments[3:])
    increment, payload = False, None
    while words.more:
        if words.eat(b"INCR"):
            increment = True
        elif words.eat(b"PAYLOAD"):
            if not words.more:
                raise ReplyError(f"Invalid payload: {NONE_PROVIDED}")
            payload = words.take()
        else:
            raise ReplyError(f"Unknown argument `{shown(words.take())}`")
    score = number(score_text, "ERR invalid score")
    suggestions = ctx.write(key, Suggestions)
    if suggestions is None:
        suggestions = Suggestions()
        ctx.store(key, suggestions)
    if text:
        suggestions.add(text, score, increment, payload)
    ctx.changed(key, NO_EVENT)
    return len(suggestions.entries)


@command("FT.SUGGET", arity=-1, flags=READING, keys=NAME, group="suggestion")
def ft_sug_get(ctx: Context, *arguments: bytes) -> Reply:
    """FT.SUGGET key prefix [FUZZY] [WITHSCORES] [WITHPAYLOADS] [MAX max]

    The best strings that begin with a prefix; with FUZZY nearly so.
    """
    if len(arguments) < 2:
        raise wrong_number("FT.SUGGET")
    key, prefix = arguments[:2]
    words = Words(arguments[2:])
    fuzzy = with_scores = with_payloads = False
    at_most = MAX_DEFAULT
    while words.more:
        if words.eat(b"FUZZY"):
            fuzzy = True
        elif words.eat(b"WITHSCORES"):
            with_scores = True
        elif words.eat(b"WITHPAYLOADS"):
            with_payloads = True
        elif words.eat(b"MAX"):
            at_most = take_max(words)
        else:
            raise ReplyError(f"Unrecognized argument: {shown(words.take())}")
    suggestions = ctx.read(key, Suggestions)
    if suggestions is None:
        return None
    made: list[Reply] = []
    for text, score in suggestions.find(prefix, fuzzy, at_most):
        made.append(text)
        if with_scores:
            made.append(score)
        if with_payloads:
            made.append(suggestions.entries[text].payload)
    return made


def take_max(words: Words) -> int:
    """The argument of MAX."""
    if not words.more:
        raise ReplyError(f"MAX: {NONE_PROVIDED}")
    try:
        at_most = int(words.take())
    except ValueError:
        raise ReplyError(f"MAX: {NOT_CONVERTED}") from None
    if at_most < 1:
        raise ReplyError("MAX: Value is outside acceptable bounds")
    return at_most


@command("FT.SUGDEL", arity=-1, flags=WRITING, keys=NAME, group="suggestion")
def ft_sug_del(ctx: Context, *arguments: bytes) -> Reply:
    """FT.SUGDEL key string

    Remove a string.
    """
    if len(arguments) != 2:
        raise wrong_number("FT.SUGDEL")
    key, text = arguments
    suggestions = ctx.write(key, Suggestions)
    if suggestions is None or not suggestions.remove(text):
        return 0
    ctx.changed(key, NO_EVENT)
    return 1


@command("FT.SUGLEN", arity=-1, flags=READING, keys=NAME, group="suggestion")
def ft_sug_len(ctx: Context, *arguments: bytes) -> Reply:
    """FT.SUGLEN key

    How many strings there are.
    """
    if len(arguments) != 1:
        raise wrong_number("FT.SUGLEN")
    suggestions = ctx.read(arguments[0], Suggestions)
    return 0 if suggestions is None else len(suggestions.entries)
