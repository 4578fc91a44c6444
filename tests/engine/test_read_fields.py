"""What indexes read of hashes: `ctx.read_fields` and `ctx.read_pairs` leave no trace."""

from balas.engine.context import Context
from balas.testing import InProcessServer


def test_fields_and_pairs_are_read_without_a_trace(balas_server: InProcessServer) -> None:
    client, engine = balas_server.client(), balas_server.engine
    seen: list[object] = []

    def look(changes: list[tuple[int, bytes, str]]) -> None:
        context: Context = engine.context
        seen.append(context.read_fields(b"h", [b"b", b"none", b"a"]))
        seen.append(context.read_pairs(b"h"))

    client("HSET", "h", "a", 1, "b", "x")
    hits = engine.stats.hits, engine.stats.misses
    engine.changes.add_listener(look)
    client("SET", "s", "text")
    assert seen == [[b"x", None, b"1"], [(b"a", b"1"), (b"b", b"x")]]
    client("HPEXPIRE", "h", 10, "FIELDS", 1, "a")
    engine.changes.expires_keys = False
    balas_server.advance(1000)
    seen.clear()
    client("SET", "s", "text")
    assert seen == [[b"x", None, None], [(b"b", b"x")]]
    seen.clear()
    client("DEL", "h")
    client("SET", "h", "no hash")
    assert seen == [None] * 4
    assert (engine.stats.hits, engine.stats.misses) == hits
