"""An example for every name of `balas.api`, as docs/api.md shows it; a test runs them all.

In each, `from balas.api import *` has been done. `serve()` loads what stands above it as a module,
and returns a client.
"""

from __future__ import annotations

import balas.api

EXAMPLES = {
    "Acl": """
        >>> @command("DEMO.MAY", arity=2, flags=READONLY | VARIABLE_FLAGS)
        ... def may(ctx, name):
        ...     return ctx.service(Acl).may_read(ctx.client, [name])
        >>> client = serve()
        >>> client("DEMO.MAY", "k")
        1
        >>> client("ACL", "SETUSER", "default", "resetkeys", "~mine:*")
        b'OK'
        >>> client("DEMO.MAY", "k")
        0
    """,
    "Arguments": """
        >>> @command("DEMO.SCAN", arity=-1, flags=READONLY)
        ... def scan(ctx, *options):
        ...     count, verbose = 10, False
        ...     arguments = Arguments(options)
        ...     while arguments.more:
        ...         match arguments.eat(b"COUNT", b"VERBOSE"):
        ...             case b"COUNT":
        ...                 count = arguments.take_int(1, 1000)
        ...             case b"VERBOSE":
        ...                 verbose = True
        ...             case _:
        ...                 raise ReplyError(SYNTAX)
        ...     return [count, verbose]
        >>> client = serve()
        >>> client("DEMO.SCAN", "verbose", "COUNT", "5")
        [5, 1]
        >>> client.error("DEMO.SCAN", "COUNT")
        'ERR syntax error'
    """,
    "Attachment": """
        >>> class Demo(Module):
        ...     name = "demo"
        ...
        ...     @hook
        ...     def load(self, server: Attachment):
        ...         server.call(b"SET", b"loaded at", b"%d" % server.now_ms)
        >>> client = serve()
        >>> client("EXISTS", "loaded at")
        1
    """,
    "BadData": """
        >>> class Even(Value):
        ...     @classmethod
        ...     def rdb_load(cls, source, version):
        ...         if source.load_unsigned() % 2:
        ...             raise BadData("an odd number")
        ...         return cls()
        >>> issubclass(BadData, Exception)
        True
    """,
    "BadValue": """
        >>> class Even(Kind):
        ...     def parse(self, words, current):
        ...         if int(words[0]) % 2:
        ...             raise BadValue("argument must be even")
        ...         return int(words[0])
        ...
        ...     def format(self, value):
        ...         return str(value)
        >>> class Demo(Module):
        ...     name = "demo"
        ...     options = (Option("demo-even", 2, Even()),)
        >>> client = serve()
        >>> "must be even" in client.error("CONFIG", "SET", "demo-even", "3")
        True
    """,
    "BalasDeprecationWarning": """
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error", BalasDeprecationWarning)
        ...     issubclass(BalasDeprecationWarning, FutureWarning)
        True
    """,
    "BigNumber": """
        >>> @command("DEMO.BIG", arity=1)
        ... def big(ctx):
        ...     return BigNumber(7)
        >>> int(serve(resp=3)("DEMO.BIG"))
        7
    """,
    "Change": """
        >>> def keys_of(changes: list[Change]) -> set[bytes]:
        ...     return {key for database, key, event in changes}
        >>> keys_of([(0, b"k", "set"), (0, b"k", "expire")])
        {b'k'}
    """,
    "Config": """
        >>> @command("DEMO.LIMIT", arity=1)
        ... def limit(ctx):
        ...     return ctx.service(Config).get("maxclients")
        >>> serve()("DEMO.LIMIT")
        10000
    """,
    "Context": """
        >>> @command("DEMO.SWAP", arity=3, flags=WRITE, keys=key(1, RW | ACCESS | UPDATE))
        ... def swap(ctx: Context, key, text):
        ...     old = ctx.write_string(key)
        ...     ctx.store(key, text)
        ...     ctx.changed(key, "demo.swap")
        ...     return old
        >>> client = serve()
        >>> client("DEMO.SWAP", "k", "a"), client("DEMO.SWAP", "k", "b")
        (None, b'a')
    """,
    "Digest": """
        >>> one, other = Digest(), Digest()
        >>> for part in (b"a", b"b"):
        ...     one.add_unordered(part)
        >>> for part in (b"b", b"a"):
        ...     other.add_unordered(part)
        >>> one.hex() == other.hex()
        True
    """,
    "Encoded": """
        >>> @command("DEMO.READY", arity=1)
        ... def ready(ctx):
        ...     return Encoded(b"*1" + bytes([13, 10]) + b":7" + bytes([13, 10]))
        >>> serve()("DEMO.READY")
        [7]
    """,
    "Following": """
        >>> class Demo(Module):
        ...     name = "demo"
        ...
        ...     @hook
        ...     def load(self, server):
        ...         self.seen = 0
        ...         self.following: Following = server.on_change(self.look, {"set"})
        ...
        ...     def look(self, changes):
        ...         self.seen += len(changes)
        ...         self.following.pause()
        >>> @command("DEMO.SEEN", arity=1)
        ... def seen(ctx):
        ...     return ctx.service(Demo).seen
        >>> client = serve()
        >>> client("SET", "a", "1"), client("SET", "b", "2"), client("DEMO.SEEN")
        (b'OK', b'OK', 1)
    """,
    "Kind": """
        >>> class Words(Kind):
        ...     def parse(self, words, current):
        ...         return tuple(words[0].split())
        ...
        ...     def format(self, value):
        ...         return " ".join(value)
        >>> class Demo(Module):
        ...     name = "demo"
        ...     options = (Option("demo-words", ("a",), Words()),)
        >>> client = serve()
        >>> client("CONFIG", "SET", "demo-words", "b  c"), client("CONFIG", "GET", "demo-words")
        (b'OK', [b'demo-words', b'b c'])
    """,
    "LoadStream": """
        >>> def load_pair(source: LoadStream) -> tuple[int, bytes]:
        ...     return source.load_unsigned(), source.load_string()
    """,
    "Module": """
        >>> class Demo(Module):
        ...     name = "demo"
        ...     version = 100
        ...     api_version = "1.0"
        >>> serve()("MODULE", "LIST")[0][:4]
        [b'name', b'demo', b'ver', 100]
    """,
    "NotUnderstood": """
        >>> class Demo(Module):
        ...     name = "demo"
        ...     aux_name = "demo-aux1"
        ...
        ...     @hook
        ...     def aux_load(self, source, version):
        ...         if version > 0:
        ...             raise NotUnderstood("a newer version")
        >>> issubclass(NotUnderstood, BadData)
        True
    """,
    "Option": """
        >>> class Demo(Module):
        ...     name = "demo"
        ...     options = (Option("demo-size", 10, low=1, high=99), Option("demo-on", True))
        >>> client = serve()
        >>> client("CONFIG", "SET", "demo-size", 20), client("CONFIG", "GET", "demo-*")
        (b'OK', [b'demo-size', b'20', b'demo-on', b'yes'])
        >>> client.error("CONFIG", "SET", "demo-size", 100).endswith("between 1 and 99 inclusive")
        True
    """,
    "Pairs": """
        >>> @command("DEMO.PAIRS", arity=1)
        ... def pairs(ctx):
        ...     return Pairs([("a", 1), ("a", 2)])
        >>> serve()("DEMO.PAIRS")
        [b'a', 1, b'a', 2]
    """,
    "Push": """
        >>> @command("DEMO.PUSH", arity=1)
        ... def push(ctx):
        ...     return Push(["news", 1])
        >>> serve()("DEMO.PUSH")
        [b'news', 1]
    """,
    "Reply": """
        >>> @command("DEMO.LENGTH", arity=2)
        ... def length(ctx: Context, text: bytes) -> Reply:
        ...     return {"length": len(text)}
        >>> serve(resp=3)("DEMO.LENGTH", "four")
        {b'length': 4}
    """,
    "ReplyError": """
        >>> @command("DEMO.NO", arity=1)
        ... def no(ctx):
        ...     raise ReplyError("DENIED not today")
        >>> serve().error("DEMO.NO")
        'DENIED not today'
    """,
    "SaveStream": """
        >>> def save_pair(out: SaveStream, number: int, text: bytes) -> None:
        ...     out.save_unsigned(number)
        ...     out.save_string(text)
    """,
    "SetReply": """
        >>> @command("DEMO.SET", arity=1)
        ... def ordered(ctx):
        ...     return SetReply([3, 1, 2])
        >>> serve()("DEMO.SET")
        [3, 1, 2]
    """,
    "Status": """
        >>> @command("DEMO.STATE", arity=1)
        ... def state(ctx):
        ...     return Status("READY")
        >>> serve()("DEMO.STATE")
        b'READY'
    """,
    "Value": """
        >>> class Counter(Value):
        ...     type_name = "demo-cntr"
        ...     rdb_version = 0
        ...
        ...     def __init__(self, count=0):
        ...         self.count = count
        ...
        ...     def memory_usage(self):
        ...         return 64
        ...
        ...     def copy(self):
        ...         return Counter(self.count)
        ...
        ...     def digest(self, digest):
        ...         digest.add(b"%d" % self.count)
        ...
        ...     def rdb_save(self, out):
        ...         out.save_signed(self.count)
        ...
        ...     @classmethod
        ...     def rdb_load(cls, source, version):
        ...         return cls(source.load_signed())
        ...
        ...     def aof_rewrite(self, key):
        ...         yield b"DEMO.ADD", key, b"%d" % self.count
        >>> class Demo(Module):
        ...     name = "demo"
        ...     types = (Counter,)
        >>> @command("DEMO.ADD", arity=3, flags=WRITE, keys=key(1, RW | UPDATE))
        ... def add(ctx, key, amount):
        ...     counter = ctx.write(key, Counter)
        ...     if counter is None:
        ...         counter = Counter()
        ...         ctx.store(key, counter)
        ...     counter.count += integer(amount)
        ...     ctx.changed(key, "demo.add")
        ...     return counter.count
        >>> client = serve()
        >>> client("DEMO.ADD", "k", 3), client("TYPE", "k"), client("COPY", "k", "l")
        (3, b'demo-cntr', 1)
        >>> client("DEMO.ADD", "l", 1)
        4
    """,
    "Verbatim": """
        >>> @command("DEMO.TEXT", arity=1)
        ... def text(ctx):
        ...     return Verbatim("# a title", "mkd")
        >>> serve()("DEMO.TEXT")
        b'# a title'
    """,
    "command": """
        >>> @command("DEMO.ECHO", arity=-2, flags=READONLY | FAST, since="1.0.0")
        ... def echo(ctx, *words):
        ...     return list(words)
        >>> client = serve()
        >>> client("DEMO.ECHO", "a", "b")
        [b'a', b'b']
        >>> client.error("DEMO.ECHO")
        "ERR wrong number of arguments for 'demo.echo' command"
    """,
    "container": """
        >>> demo = container("DEMO", doc="Things to try.")
        >>> @command("DEMO HELLO", arity=2)
        ... def hello(ctx):
        ...     return Status("hello")
        >>> serve()("DEMO", "HELLO")
        b'hello'
    """,
    "dump_payload": """
        >>> def same(one: Value, other: Value) -> bool:
        ...     return dump_payload(one) == dump_payload(other)
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
    "integer": """
        >>> integer(b"42", 0, 100)
        42
        >>> integer(b"042")
        Traceback (most recent call last):
        balas.errors.ReplyError: ERR value is not an integer or out of range
    """,
    "key": """
        >>> @command("DEMO.LOOK", arity=2, flags=READONLY, keys=key(1, RO | ACCESS))
        ... def look(ctx, key):
        ...     return ctx.read_string(key)
        >>> serve()("COMMAND", "GETKEYS", "DEMO.LOOK", "k")
        [b'k']
    """,
    "key_count": """
        >>> @command("DEMO.ALL", arity=-3, flags=READONLY, keys=key_count(1, RO | ACCESS))
        ... def every(ctx, count, *words):
        ...     return list(words[: integer(count)])
        >>> serve()("COMMAND", "GETKEYS", "DEMO.ALL", "2", "a", "b", "option")
        [b'a', b'b']
    """,
    "keys": """
        >>> @command("DEMO.SETS", arity=-3, flags=WRITE, keys=keys(1, -1, 2, OW | UPDATE))
        ... def sets(ctx, *words):
        ...     return OK
        >>> serve()("COMMAND", "GETKEYS", "DEMO.SETS", "a", "1", "b", "2")
        [b'a', b'b']
    """,
    "number": """
        >>> number(b"1.5"), number(b"-inf")
        (1.5, -inf)
        >>> number(b"nan")
        Traceback (most recent call last):
        balas.errors.ReplyError: ERR value is not a valid float
    """,
    "unknown_keys": """
        >>> def after_at(argv):
        ...     return [i + 1 for i, word in enumerate(argv) if word == b"AT"]
        >>> @command("DEMO.AT", arity=-2, flags=READONLY, keys=unknown_keys(RO), find_keys=after_at)
        ... def at(ctx, *words):
        ...     return OK
        >>> serve()("COMMAND", "GETKEYS", "DEMO.AT", "x", "AT", "k")
        [b'k']
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
    return "", EXAMPLES[name]


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
