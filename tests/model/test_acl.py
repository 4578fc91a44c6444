"""Random rules for users and random commands of theirs, on Balas and a real server.

What a user may do is asked twice: by ACL DRYRUN, and by a connection that is logged in as the user,
alone, in a transaction and in a script.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from balas.testing import InProcessServer, RealRedis
from balas.testing.both import Both

CATEGORIES = "all keyspace read write set sortedset list hash string bitmap hyperloglog geo stream"
CATEGORIES += " pubsub admin fast slow blocking dangerous connection transaction scripting nosuch"
COMMANDS = "get set mget mset del config config|get config|set client|id select select|1 publish"
COMMANDS += " subscribe psubscribe eval copy sort acl|whoami nosuch object|encoding ping multi exec"
COMMANDS += " config|nosuch get|x bitfield getex rename xread zunionstore flushall"
PATTERNS = ["*", "a", "a*", "b?", "[ab]", "key:*", "", "a*b", r"\*"]

COMMAND_RULE = st.builds(
    lambda sign, name: sign + name,
    st.sampled_from("+-"),
    st.sampled_from([f"@{name}" for name in CATEGORIES.split()] + COMMANDS.split() * 2),
)
KEY_RULE = st.builds(
    lambda mark, pattern: mark + pattern,
    st.sampled_from(["~", "~", "%R~", "%W~", "%RW~", "%X~", "%~"]),
    st.sampled_from(PATTERNS),
)
OTHERS = (
    "allkeys resetkeys &* &a* &news allchannels resetchannels allcommands nocommands reset on off"
)
OTHERS += " nopass resetpass >pw <pw clearselectors sanitize-payload skip-sanitize-payload nonsense"
OTHERS += " #12 ALLKEYS +@ALL +GET"
OTHER_RULE = st.sampled_from(OTHERS.split())
SELECTOR = st.lists(COMMAND_RULE | KEY_RULE | OTHER_RULE, max_size=3).map(
    lambda rules: "(" + " ".join(rules) + ")"
)
RULE = st.one_of(COMMAND_RULE, COMMAND_RULE, KEY_RULE, OTHER_RULE, SELECTOR)
RULES = st.lists(st.lists(RULE, min_size=1, max_size=4), min_size=1, max_size=4)

REQUESTS = [
    *("GET a", "GET b1", "SET a 1", "SET key:1 1", "SET a 1 GET", "MGET a b1", "MSET a 1 zz 2"),
    *("DEL a b1", "CONFIG GET maxmemory", "CONFIG SET maxmemory 0", "CONFIG", "SELECT 1"),
    *("SELECT 0", "PUBLISH news x", "PUBLISH a1 x", "EVAL return 0", "EVAL return 1 a"),
    *("COPY a zz", "COPY zz a", "SORT a", "SORT a STORE b1", "SORT a BY w*", "ACL WHOAMI", "PING"),
    *(
        "OBJECT ENCODING a",
        "BITFIELD a GET u8 0",
        "BITFIELD a SET u8 0 1",
        "GETEX a",
        "RENAME a b1",
    ),
    *("XREAD STREAMS a b1 0 0", "ZUNIONSTORE zz 1 a", "ZUNIONSTORE a 2 a b1", "NOSUCH", "GET"),
    *("CLIENT ID x", "LPOP a", "XACK a g 1-1", "GEOSEARCHSTORE a b1 x", "LMPOP 2 a b1 LEFT"),
    *("SPUBLISH news x", "FLUSHALL", "SET", "EXISTS a b1 zz", "LMOVE a zz LEFT LEFT", "TYPE zz"),
    *("MIGRATE h 1 a 0 10", "XGROUP CREATE a g $", "PFCOUNT a b1", "HSETEX a FIELDS 1 f v"),
]
REQUEST = st.sampled_from(REQUESTS).map(str.split)


@pytest.fixture(scope="module")
def pair(real_servers: Callable[..., RealRedis]) -> Iterator[tuple[Both, Both]]:
    """An administrator's connection, and a user's."""
    real = real_servers()
    with (
        InProcessServer(bundled=False) as balas,
        Both(balas, real) as admin,
        Both(balas, real) as user,
    ):
        yield admin, user
        user("RESET")
        admin("ACL", "DELUSER", "u")


@given(RULES, st.lists(REQUEST, min_size=1, max_size=6))
@example([["+@all", "-config|set", "~*"]], [["CONFIG", "GET", "maxmemory"], ["CONFIG", "SET", "x"]])
@example([["(+get ~a)", "(+set %W~b?)"]], [["GET", "a"], ["SET", "b1", "1"], ["SET", "a", "1"]])
def test_users_may_do_the_same(
    pair: tuple[Both, Both], rules: list[list[str]], requests: list[list[str]]
) -> None:
    admin, user = pair
    user("RESET")
    admin("ACL", "DELUSER", "u")
    admin("FLUSHALL")
    for some in rules:
        admin("ACL", "SETUSER", "u", *some)
        admin("ACL", "LIST", ways="sorted")
    admin("ACL", "GETUSER", "u")
    admin("ACL", "SETUSER", "u", "on", "nopass")
    for request in requests:
        admin("ACL", "DRYRUN", "u", *request)
    user("AUTH", "u", "any")
    for request in requests:
        if request[0] not in ("CLIENT", "MIGRATE", "OBJECT"):
            user(*request, ways="error-code" if request[0] == "CONFIG" else "")
    quoted = ", ".join(f"'{word}'" for word in requests[0])
    if requests[0][0] not in ("EVAL", "ACL", "CONFIG", "MIGRATE", "CLIENT"):
        user("EVAL", f"return redis.call({quoted})", 0)
        # Asked about a command without its key, the real server may crash.
        if len(requests[0]) > 1 and requests[0][0] != "GEOSEARCHSTORE":
            user("EVAL", f"return redis.acl_check_cmd({quoted})", 0)
    user("MULTI")
    user(*requests[-1])
    user("EXEC", ways="error-code")
    user("RESET")
