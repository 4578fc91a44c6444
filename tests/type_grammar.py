"""Random commands on collections; see grammar.py.

Each type has keys of its own and shares those of strings, so that commands meet values of another
type now and then. Collections stay small, where their order is Redis's; what is drawn by chance or
comes out of a table is compared sorted, or is not here. What is stored goes to keys whose time
never comes: Redis deletes one that is past as if it were alive, Balas as an expired one.
"""

from __future__ import annotations

from hypothesis import strategies as st

from grammar import FLOAT, GRAMMARS, INDEX, INTEGER, KEY, VALUE, Rule, Words, rule, some, word

LIST = st.sampled_from([b"l1", b"l2", b"l3"])
SET = st.sampled_from([b"s1", b"s2", b"s3"])
HASH = st.sampled_from([b"h1", b"h2"])
ZSET = st.sampled_from([b"z1", b"z2", b"z3"])
STREAM = st.sampled_from([b"x1", b"x2"])
COUNT = st.sampled_from([b"0", b"1", b"2", b"3", b"-1", b"-2", b"100", b"x"])
MEMBER = st.sampled_from([b"a", b"b", b"c", b"d", b"1", b"2", b"-7", b"300", b"x" * 70, b""])
SCORE = st.sampled_from([b"0", b"1", b"1", b"2.5", b"-3", b"inf", b"-inf", b"1e3", b"nan", b"x"])
RANGE = st.sampled_from([b"-inf", b"+inf", b"0", b"(1", b"1", b"2.5", b"(x", b"("])
LEX = st.sampled_from([b"-", b"+", b"[a", b"(b", b"[c", b"x"])
ID = st.sampled_from([b"0", b"1", b"1-1", b"2", b"2-5", b"3", b"5-1", b"9", b"x", b"-", b"+"])
NEW_ID = st.sampled_from([b"1-1", b"2-1", b"2-*", b"3-7", b"5-1", b"6-*", b"8", b"20-3", b"0-0"])
GROUP = st.sampled_from([b"g", b"h"])
CONSUMER = st.sampled_from([b"me", b"you"])


def mostly(own: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """A key of this type, or now and then another."""
    return st.one_of(own, own, own, own, own, KEY, LIST, ZSET)


def many(what: st.SearchStrategy[bytes], most: int = 4) -> Words:
    return st.lists(what, min_size=1, max_size=most)


def counted(keys: st.SearchStrategy[bytes]) -> Words:
    """The number of keys, and the keys."""
    return many(keys, 3).map(lambda names: [b"%d" % len(names), *names])


def pairs(first: st.SearchStrategy[bytes], second: st.SearchStrategy[bytes]) -> Words:
    return st.lists(st.tuples(first, second), min_size=1, max_size=3).map(
        lambda found: [one for pair in found for one in pair]
    )


def fields() -> Words:
    return many(MEMBER, 3).map(lambda names: [b"FIELDS", b"%d" % len(names), *names])


L, S, H, Z, X = (mostly(own) for own in (LIST, SET, HASH, ZSET, STREAM))
SIDE = word("LEFT", "RIGHT")
LIMIT = some(word("LIMIT"), INDEX, COUNT)
WEIGHTS = some(word("AGGREGATE"), word("SUM", "MIN", "MAX"))
TRIM = some(word("MAXLEN"), COUNT) | some(word("MINID"), ID)
FIELD_TIME = st.sampled_from([b"33177117420", b"0", b"x", b"-1"])

LISTS = {
    "LPUSH": rule(L, many(VALUE)),
    "RPUSH": rule(L, many(VALUE)),
    "LPUSHX": rule(L, many(VALUE)),
    "RPUSHX": rule(L, many(VALUE)),
    "LPOP": rule(L, some(COUNT)),
    "RPOP": rule(L, some(COUNT)),
    "LLEN": rule(L),
    "LINDEX": rule(L, INDEX),
    "LSET": rule(L, INDEX, VALUE),
    "LINSERT": rule(L, word("BEFORE", "AFTER"), VALUE, VALUE),
    "LRANGE": rule(L, INDEX, INDEX),
    "LREM": rule(L, COUNT, VALUE),
    "LTRIM": rule(L, INDEX, INDEX),
    "LPOS": rule(L, VALUE, some(word("RANK"), COUNT), some(word("COUNT"), COUNT)),
    "LMOVE": rule(L, L, SIDE, SIDE),
    "RPOPLPUSH": rule(L, L),
    "LMPOP": rule(counted(L), SIDE, some(word("COUNT"), COUNT)),
    "SORT": rule(
        mostly(st.one_of(LIST, SET, ZSET)),
        LIMIT,
        st.just([b"ALPHA"]),
        some(word("STORE"), LIST),
    ),
}
SETS = {
    "SADD": rule(S, many(MEMBER)),
    "SREM": rule(S, many(MEMBER)),
    "SCARD": rule(S),
    "SISMEMBER": rule(S, MEMBER),
    "SMISMEMBER": rule(S, many(MEMBER)),
    "SMEMBERS": rule(S, ways="sorted"),
    "SMOVE": rule(S, S, MEMBER),
    "SINTER": rule(many(S, 3), ways="sorted"),
    "SUNION": rule(many(S, 3), ways="sorted"),
    "SDIFF": rule(many(S, 3), ways="sorted"),
    "SINTERCARD": rule(counted(S), some(word("LIMIT"), COUNT)),
    "SINTERSTORE": rule(SET, many(S, 3)),
    "SUNIONSTORE": rule(SET, many(S, 3)),
    "SDIFFSTORE": rule(SET, many(S, 3)),
}
HASHES = {
    "HSET": rule(H, pairs(MEMBER, VALUE)),
    "HSETNX": rule(H, MEMBER, VALUE),
    "HGET": rule(H, MEMBER),
    "HMGET": rule(H, many(MEMBER)),
    "HGETALL": rule(H, ways="pairs"),
    "HKEYS": rule(H, ways="sorted"),
    "HVALS": rule(H, ways="sorted"),
    "HLEN": rule(H),
    "HSTRLEN": rule(H, MEMBER),
    "HEXISTS": rule(H, MEMBER),
    "HDEL": rule(H, many(MEMBER)),
    "HINCRBY": rule(H, MEMBER, INTEGER),
    "HINCRBYFLOAT": rule(H, MEMBER, FLOAT),
    "HEXPIREAT": rule(H, FIELD_TIME, some(word("NX", "XX", "GT", "LT")), fields()),
    "HEXPIRETIME": rule(H, fields()),
    "HPERSIST": rule(H, fields()),
    "HGETDEL": rule(H, fields()),
}
SORTED_SETS = {
    "ZADD": rule(
        Z,
        some(word("NX", "XX")),
        some(word("GT", "LT")),
        some(word("CH")),
        some(word("INCR")),
        pairs(SCORE, MEMBER),
    ),
    "ZINCRBY": rule(Z, SCORE, MEMBER),
    "ZREM": rule(Z, many(MEMBER)),
    "ZCARD": rule(Z),
    "ZCOUNT": rule(Z, RANGE, RANGE),
    "ZSCORE": rule(Z, MEMBER),
    "ZMSCORE": rule(Z, many(MEMBER)),
    "ZRANK": rule(Z, MEMBER, some(word("WITHSCORE"))),
    "ZREVRANK": rule(Z, MEMBER, some(word("WITHSCORE"))),
    "ZRANGE": rule(Z, INDEX, INDEX, some(word("REV")), some(word("WITHSCORES"))),
    "ZRANGEBYSCORE": rule(Z, RANGE, RANGE, some(word("WITHSCORES")), LIMIT),
    "ZREVRANGEBYSCORE": rule(Z, RANGE, RANGE, some(word("WITHSCORES")), LIMIT),
    "ZRANGESTORE": rule(ZSET, Z, RANGE, RANGE, st.just([b"BYSCORE"]), LIMIT),
    "ZREMRANGEBYRANK": rule(Z, INDEX, INDEX),
    "ZREMRANGEBYSCORE": rule(Z, RANGE, RANGE),
    "ZPOPMIN": rule(Z, some(COUNT)),
    "ZPOPMAX": rule(Z, some(COUNT)),
    "ZMPOP": rule(counted(Z), word("MIN", "MAX"), some(word("COUNT"), COUNT)),
    "ZUNION": rule(counted(Z | SET), WEIGHTS, some(word("WITHSCORES"))),
    "ZINTER": rule(counted(Z | SET), WEIGHTS, some(word("WITHSCORES"))),
    "ZDIFF": rule(counted(Z | SET), some(word("WITHSCORES"))),
    "ZUNIONSTORE": rule(ZSET, counted(Z | SET), WEIGHTS),
    "ZINTERSTORE": rule(ZSET, counted(Z | SET), WEIGHTS),
    "ZINTERCARD": rule(counted(Z), some(word("LIMIT"), COUNT)),
}
STREAMS = {
    "XADD": rule(X, some(word("NOMKSTREAM")), TRIM, NEW_ID, pairs(MEMBER, VALUE)),
    "XLEN": rule(X),
    "XRANGE": rule(X, ID, ID, some(word("COUNT"), COUNT)),
    "XREVRANGE": rule(X, ID, ID, some(word("COUNT"), COUNT)),
    "XDEL": rule(X, many(ID)),
    "XTRIM": rule(X, word("MAXLEN"), COUNT),
    "XGROUP CREATE": rule(X, GROUP, ID | st.just(b"$"), some(word("MKSTREAM"))),
    "XGROUP DESTROY": rule(X, GROUP),
    "XACK": rule(X, GROUP, many(ID)),
    "XPENDING": rule(X, GROUP),
}
OTHERS = {
    "SETBIT": rule(KEY, INDEX, word("0", "1", "2")),
    "GETBIT": rule(KEY, INDEX),
    "BITCOUNT": rule(KEY, some(INDEX, INDEX)),
    "BITPOS": rule(KEY, word("0", "1"), some(INDEX)),
    "BITOP": rule(word("AND", "OR", "XOR", "NOT", "DIFF", "ONE"), KEY, many(KEY, 3)),
    "PFADD": rule(mostly(st.sampled_from([b"p1", b"p2"])), many(MEMBER)),
    "PFCOUNT": rule(many(st.sampled_from([b"p1", b"p2"]), 2)),
    "PFMERGE": rule(st.sampled_from([b"p1", b"p2"]), many(st.sampled_from([b"p1", b"p2"]), 2)),
}
TYPE_GRAMMAR: dict[str, Rule] = {
    **LISTS,
    **SETS,
    **HASHES,
    **SORTED_SETS,
    **STREAMS,
    **OTHERS,
}
GRAMMARS["collections"] = TYPE_GRAMMAR
