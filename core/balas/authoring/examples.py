"""An example for every name of `balas.api`, as docs/api.md shows it; a test runs them all.

Classes and functions have theirs in their docstrings. Here are those of constants and of other
things that cannot have one. In each, `from balas.api import *` has been done. `serve()` loads what
stands above it as a module, and returns a client.
"""

from __future__ import annotations

import inspect

import balas.api

EXAMPLES = {
    "Change": """
        >>> def keys_of(changes: list[Change]) -> set[bytes]:
        ...     return {key for database, key, event in changes}
        >>> keys_of([(0, b"k", "set"), (0, b"k", "expire")])
        {b'k'}
    """,
    "Reply": """
        >>> @command("DEMO.LENGTH", arity=2)
        ... def length(ctx: Context, text: bytes) -> Reply:
        ...     return {"length": len(text)}
        >>> serve(resp=3)("DEMO.LENGTH", "four")
        {b'length': 4}
    """,
    "hook": """
        >>> class Demo(Module):
        ...     name = "demo"
        ...
        ...     @hook
        ...     def info(self):
        ...         return {"stats": {"answers": 42}}
        >>> b"demo_answers:42" in serve()("INFO", "demo")
        True
    """,
    "NO_REPLY": """
        >>> @command("DEMO.SILENT", arity=1)
        ... def silent(ctx):
        ...     return NO_REPLY
        >>> client = serve()
        >>> client.send("DEMO.SILENT")
        >>> client("PING")
        b'PONG'
    """,
    "NULL_ARRAY": """
        >>> @command("DEMO.NONE", arity=1)
        ... def none(ctx):
        ...     return NULL_ARRAY
        >>> serve()("DEMO.NONE") is None
        True
    """,
    "OK": """
        >>> @command("DEMO.FINE", arity=1)
        ... def fine(ctx):
        ...     return OK
        >>> serve()("DEMO.FINE")
        b'OK'
    """,
    "api_version": """
        >>> tuple(map(int, api_version.split("."))) >= (1, 0)
        True
    """,
}

# What the constants are, with the one word of an example in which they differ.
ERROR_TEXTS = {
    "NOT_AN_INTEGER": "an argument that should be an integer",
    "NOT_A_FLOAT": "an argument that should be a number",
    "SYNTAX": "words that make no sense together",
    "WRONG_TYPE": "a key that holds another type",
}
FLAGS = {
    "ADMIN": ("admin", "for operators: in the ACL categories admin and dangerous"),
    "BLOCKING": ("blocking", "may make its client wait: see ctx.block"),
    "DENYOOM": ("denyoom", "refused when memory is used up, for it may take more"),
    "FAST": ("fast", "takes about the same little time whatever the data"),
    "LOADING": ("loading", "allowed while data are loaded"),
    "NOSCRIPT": ("noscript", "not allowed in scripts"),
    "READONLY": ("readonly", "reads keys and changes nothing"),
    "STALE": ("stale", "allowed on a replica that has lost its primary"),
    "WRITE": ("write", "may change keys"),
}
KEY_FLAGS = {
    "ACCESS": ("access", "the value is returned or copied to the client"),
    "DELETE": ("delete", "the content of the value is deleted"),
    "INSERT": ("insert", "something is added, and nothing depends on what was there"),
    "OW": ("OW", "the value is overwritten without a look at the old one"),
    "RM": ("RM", "the key is removed"),
    "RO": ("RO", "the value is read only"),
    "RW": ("RW", "the value is read and changed"),
    "UPDATE": ("update", "the content of the value is changed"),
    "VARIABLE_FLAGS": ("variable_flags", "the arguments decide what is done to the key"),
}


def example(name: str) -> tuple[str, str]:
    """What a constant is (nothing for others), and the example of a name."""
    if name in ERROR_TEXTS:
        text = f"The error for {ERROR_TEXTS[name]}."
        return text, CONSTANT_ERROR.format(name=name, text=getattr(balas.api, name))
    if name in FLAGS:
        word, meaning = FLAGS[name]
        return f"A flag of a command: {meaning}.", CONSTANT_FLAG.format(name=name, word=word)
    if name in KEY_FLAGS:
        word, meaning = KEY_FLAGS[name]
        return f"A flag of a key: {meaning}.", CONSTANT_KEY_FLAG.format(
            flags=name if name in ("RO", "RW", "OW", "RM") else f"RW | {name}", word=word
        )
    if name in EXAMPLES:
        return "", EXAMPLES[name]
    return "", documented(getattr(balas.api, name))


def documented(thing: object) -> str:
    """The example at the end of a docstring; nothing where there is none."""
    _, _, shown = (inspect.getdoc(thing) or "").partition("\nExample:\n")
    return shown


CONSTANT_ERROR = """
        >>> @command("DEMO.NO", arity=1)
        ... def no(ctx):
        ...     raise ReplyError({name})
        >>> serve().error("DEMO.NO")
        {text!r}
"""
CONSTANT_FLAG = """
        >>> @command("DEMO.FLAG", arity=1, flags={name})
        ... def flagged(ctx):
        ...     return OK
        >>> b"{word}" in serve()("COMMAND", "INFO", "DEMO.FLAG")[0][2]
        True
"""
CONSTANT_KEY_FLAG = """
        >>> @command("DEMO.FLAG", arity=2, flags=WRITE, keys=key(1, {flags}))
        ... def flagged(ctx, key):
        ...     return OK
        >>> b"{word}" in serve()("COMMAND", "INFO", "DEMO.FLAG")[0][8][0][1]
        True
"""
