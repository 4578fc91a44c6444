"""Random Lua programs on Balas and a real server: values, conversions, libraries, errors.

A program makes some values out of others, some of which are mistakes, and returns them. Whatever
comes of it, in either protocol, is the same on both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from balas.testing import InProcessServer, RealRedis
from balas.testing.both import Both

TEXTS = [
    "''",
    "'a'",
    "'-7'",
    "'0x10'",
    "' 12 '",
    "'1e3'",
    r"'a\0b\255'",
    r"'\226\130\172'",
    "KEYS[1]",
]
NUMBERS = ["0", "1", "-1", "3.99", "-3.99", "1e15", "1e100", "2^31", "2^53", "2^63", "-2^63", "0.1"]
NUMBERS += ["123456789012", "1/3", "1/0", "-1/0", "255", "65536", "4294967295", "1e-7"]
OTHERS = [
    "nil",
    "true",
    "false",
    "cjson.null",
    "ARGV",
    "tostring(1/3)",
    "print",
    "select('#', nil, nil)",
]
SPECIAL = [
    "{ok='fine'}",
    "{err='MINE wrong'}",
    "{err='no code'}",
    "{ok=1}",
    "{double=1.5}",
    "{double='x'}",
    "{map={a=1}}",
    "{set={a=true}}",
    "{big_number='12345678901234567890'}",
    "{verbatim_string={format='txt', string='text'}}",
    "{1, nil, 3}",
    "{[2]='two'}",
    "{[1.5]='x'}",
    "{a={b={c=1}}}",
    "{[1]=1, [2]=2, [100]=3}",
    "{[-1]=1}",
]
JSON = [
    "{}",
    "[]",
    '{"a":1}',
    "[1,2.5,-3e2]",
    '"\\\\u00e9\\\\n"',
    "null",
    "[null,true]",
    "[1,",
    "nope",
    " 7 ",
]
JSON += [
    '{"a":{"b":[]}}',
    "1e400",
    "-0",
    "0.1",
    "[[[[]]]]",
    '"\\\\ud83d\\\\ude00"',
    "123456789012345678",
]
PACKED = [r"\0", r"\192", r"\161a", r"\146\1\2", r"\129\161a\1", r"\202\0\0\128\63", r"\217\1", ""]
PACKED += [
    r"\203\63\240\0\0\0\0\0\0",
    r"\211\255\255\255\255\255\255\255\255",
    r"\221\0\0\0\1\1",
    r"\199\1\1",
]
FORMATS = [
    "b",
    "B",
    ">h",
    "<H",
    ">i4",
    "<I8",
    "l",
    "f",
    "d",
    "s",
    "c0",
    "c3",
    "bhi",
    "xb",
    "i3",
    "!4bi",
    "z",
    ">I2c0",
]
LIBRARIES = [
    "bit.band",
    "bit.bor",
    "bit.bxor",
    "bit.lshift",
    "bit.rshift",
    "bit.arshift",
    "bit.rol",
    "bit.ror",
]
ONE_NUMBER = [
    "bit.tobit",
    "bit.bnot",
    "bit.bswap",
    "bit.tohex",
    "math.floor",
    "math.abs",
    "string.char",
]
ONE_VALUE = ["tonumber", "type", "cjson.encode", "cmsgpack.pack", "redis.sha1hex"]
ONE_VALUE += [
    "redis.status_reply",
    "redis.error_reply",
    "redis.setresp",
    "unpack",
    "string.reverse",
    "next",
]
ONE_VALUE += [
    "cjson.decode",
    "cmsgpack.unpack",
    "string.len",
    "math.sqrt",
    "error",
    "table.concat",
    "rawlen",
]
COMMANDS = [
    "'SET', KEYS[1], {}",
    "'GET', KEYS[1]",
    "'RPUSH', 'list', {}, {}",
    "'LRANGE', 'list', 0, -1",
    "'HSET', 'hash', {}, {}",
    "'HGETALL', 'hash'",
    "'SADD', 'set', {}",
    "'SMEMBERS', 'set'",
    "'ZADD', 'zset', {}, 'm'",
    "'ZRANGE', 'zset', 0, -1, 'WITHSCORES'",
    "'INCRBY', KEYS[1], {}",
    "'EXPIRE', KEYS[1], 100",
    "'DEL', KEYS[1]",
    "'TYPE', KEYS[1]",
    "'MGET', KEYS[1], 'nothing'",
    "'CONFIG', 'GET', 'maxmemory'",
    "'NOSUCH', {}",
    "'GET'",
    "'SUBSCRIBE', 'c'",
    "{}",
    "",
]


def called(names: list[str], *arguments: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A call of one of these functions."""
    return st.tuples(st.sampled_from(names), *arguments).map(
        lambda parts: f"{parts[0]}({', '.join(parts[1:])})"
    )


def quoted(texts: list[str]) -> st.SearchStrategy[str]:
    return st.sampled_from([f"'{text}'" for text in texts])


PLAIN = st.sampled_from(TEXTS + NUMBERS + OTHERS + SPECIAL)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Expressions made of others."""
    number = st.sampled_from(NUMBERS) | inner
    command = st.tuples(
        st.sampled_from(["call", "pcall"]), st.sampled_from(COMMANDS), inner, inner
    ).map(lambda parts: f"redis.{parts[0]}({filled(*parts[1:])})")
    return st.one_of(
        command,
        command,
        called(ONE_VALUE, inner),
        called(LIBRARIES, number, number),
        called(ONE_NUMBER, number),
        called(["cjson.decode"], quoted(JSON)),
        called(["cmsgpack.unpack"], quoted(PACKED)),
        called(["cmsgpack.pack"], inner, inner),
        called(["struct.pack"], quoted(FORMATS), number, number),
        called(["struct.unpack"], quoted(FORMATS), inner),
        called(["struct.size"], quoted(FORMATS)),
        called(["string.format"], quoted(["%d", "%s", "%5.2f", "%q", "%x", "%g"]), inner),
        called(["string.rep", "string.sub"], inner, st.sampled_from(["0", "1", "-1", "3"])),
        called(["pcall"], st.sampled_from(["error", "redis.call", "cjson.encode"]), inner),
        st.lists(inner, max_size=4).map(lambda items: "{" + ", ".join(items) + "}"),
        st.tuples(inner, inner).map(lambda pair: f"{{a={pair[0]}, [3]={pair[1]}}}"),
        st.tuples(inner, st.sampled_from(["..", "+", "==", "and", "or", "%"]), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        inner.map(lambda text: f"#{text}" if text[0] in "{'" else f"({text})"),
        inner.map(lambda text: f"({text}).a"),
    )


def filled(command: str, *values: str) -> str:
    """The command with its blanks filled in."""
    for value in values:
        command = command.replace("{}", value, 1)
    return command


PRELUDES = ["", "", "", "redis.setresp(3)", "cjson.encode_keep_buffer(false)", "x = 1"]
PRELUDES += ["cjson.encode_sparse_array(true)", "cjson.decode_max_depth(3)", "local _ = y"]
PRELUDES += ["cjson.encode_number_precision(3)", "cjson.encode_max_depth(2)"]
EXPRESSION = st.recursive(PLAIN, larger, max_leaves=6)


def program(values: list[str], result: str, prelude: str) -> str:
    """A script: some locals, then what is returned, in lines of their own."""
    lines = [prelude] if prelude else []
    lines += [f"local v{n} = {value}" for n, value in enumerate(values)]
    return "\n".join([*lines, f"return {result}"])


PROGRAM = st.builds(
    program,
    st.lists(EXPRESSION, max_size=2),
    EXPRESSION | st.sampled_from(["v0", "{v0, v1}", "cjson.encode(v0)", "cmsgpack.pack(v0)"]),
    st.sampled_from(PRELUDES),
)


@pytest.fixture(scope="module", params=[2, 3])
def pair(request: pytest.FixtureRequest, real_servers: Callable[..., RealRedis]) -> Iterator[Both]:
    real = real_servers()
    with (
        InProcessServer({"enable-debug-command": "yes"}, bundled=False) as balas,
        Both(balas, real, resp=request.param) as both,
    ):
        yield both


@given(text=PROGRAM)
@example(text="return {1, 2.9, 'x', {ok='y'}, {err='Z z'}, false, true, nil, 5}")
@example(text="return cjson.encode({1, 2, {}, {a={}}})")
@example(text="return redis.pcall('SET', KEYS[1], 1, 'nonsense')")
def test_programs_come_to_the_same(pair: Both, text: str) -> None:
    pair("FLUSHALL")
    # What a script sets of cjson stays; each program begins anew.
    pair("SCRIPT", "FLUSH")
    pair("EVAL", text, 1, "key", "argument", "2")
    pair("DEBUG", "DIGEST")
