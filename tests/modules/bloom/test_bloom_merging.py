"""BF.MERGE, CF.MERGE, and filters with a lifetime: what RedisBloom does not have."""

from random import Random

import pytest

from balas.testing import Client, InProcessServer


def items(seed: int, count: int) -> list[int]:
    return Random(seed).sample(range(10**9), count)


# --- Bloom filters -------------------------------------------------------------------------------


def test_a_merged_filter_is_the_one_that_all_items_would_have_made(client: Client) -> None:
    parts = [items(seed, 300) for seed in range(3)]
    for name, some in zip("abc", parts, strict=True):
        client("BF.RESERVE", name, 0.01, 1000)
        client("BF.MADD", name, *some)
    client("BF.RESERVE", "all", 0.01, 1000)
    client("BF.MADD", "all", *parts[0], *parts[1], *parts[2])
    assert client("BF.MERGE", "merged", "a", "b", "c") == b"OK"
    asked = items(9, 2000) + parts[0] + parts[1] + parts[2]
    assert client("BF.MEXISTS", "merged", *asked) == client("BF.MEXISTS", "all", *asked)
    assert 880 <= client("BF.CARD", "merged") <= 900
    assert client("BF.CARD", "a") == 300


def test_the_destination_takes_part_and_keeps_its_expiry(client: Client) -> None:
    for name in ("a", "b"):
        client("BF.RESERVE", name, 0.01, 100)
        client("BF.ADD", name, name)
    client("EXPIRE", "a", 100)
    assert client("BF.MERGE", "a", "b", "b", "a") == b"OK"
    assert client("BF.MEXISTS", "a", "a", "b", "c") == [1, 1, 0]
    assert client("BF.CARD", "a") == 2
    assert client("TTL", "a") == 100


def test_filters_that_have_grown_are_merged_layer_by_layer(client: Client) -> None:
    """As long as no layer would hold more than it was made for: here one has nothing in the first
    that the other has not.
    """
    some = items(1, 100)
    for name in ("a", "b"):
        client("BF.RESERVE", name, 0.01, 100)
        client("BF.MADD", name, *some)
    client("BF.MADD", "a", *items(2, 50))
    client("BF.MADD", "b", *items(3, 50))
    assert client("BF.MERGE", "c", "a", "b") == b"OK"
    wanted = some + items(2, 50) + items(3, 50)
    assert client("BF.MEXISTS", "c", *wanted) == [1] * 200


def test_what_cannot_be_merged_is_refused_and_nothing_changes(client: Client) -> None:
    client("BF.RESERVE", "a", 0.01, 100)
    client("BF.MADD", "a", *items(1, 100))
    client("BF.RESERVE", "full", 0.01, 100)
    client("BF.MADD", "full", *items(2, 100))
    client("BF.RESERVE", "larger", 0.01, 200)
    client("BF.RESERVE", "stricter", 0.001, 100)
    client("BF.RESERVE", "fixed", 0.01, 100, "NONSCALING")
    client("SET", "string", "x")
    before = client("DUMP", "a")
    assert "more items than" in client.error("BF.MERGE", "a", "full")
    for name in ("larger", "stricter", "fixed"):
        assert "cannot be merged" in client.error("BF.MERGE", "a", name)
    assert client.error("BF.MERGE", "a", "none") == "ERR not found"
    assert client.error("BF.MERGE", "a", "string").startswith("WRONGTYPE")
    assert client.error("BF.MERGE", "a").startswith("ERR wrong number")
    assert client("DUMP", "a") == before


# --- cuckoo filters ------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("BUCKETSIZE", 4), ("EXPANSION", 2)])
def test_cuckoo_filters_are_merged_with_their_counts(
    client: Client, options: tuple[object, ...]
) -> None:
    parts = [items(seed, 400) for seed in range(3)]
    for name, some in zip("abc", parts, strict=True):
        client("CF.RESERVE", name, 2000, *options)
        client("CF.INSERT", name, "ITEMS", *some)
    client("CF.ADD", "a", "twice")
    client("CF.ADD", "b", "twice")
    assert client("CF.MERGE", "merged", "a", "b", "c") == b"OK"
    everything = [*parts[0], *parts[1], *parts[2]]
    assert client("CF.MEXISTS", "merged", *everything) == [1] * 1200
    assert client("CF.COUNT", "merged", "twice") >= 2
    strangers = client("CF.MEXISTS", "merged", *items(9, 2000))
    assert sum(strangers) < 120
    for item in everything:
        assert client("CF.DEL", "merged", item) == 1
    assert client("CF.DEL", "merged", "twice") == client("CF.DEL", "merged", "twice") == 1
    assert client("CF.INFO", "merged")[7] == 0


def test_a_cuckoo_filter_grows_by_merging_if_it_may(client: Client) -> None:
    for name in "ab":
        client("CF.RESERVE", name, 100, "EXPANSION", 1)
        client("CF.INSERT", name, "ITEMS", *items(ord(name), 300))
    assert client("CF.MERGE", "a", "b") == b"OK"
    assert client("CF.MEXISTS", "a", *items(97, 300), *items(98, 300)) == [1] * 600
    for name in "cd":
        client("CF.RESERVE", name, 128, "EXPANSION", 0)
        client("CF.INSERT", name, "ITEMS", *items(ord(name), 100))
    before = client("DUMP", "c")
    assert "more items than" in client.error("CF.MERGE", "c", "d")
    assert client("DUMP", "c") == before
    assert "cannot be merged" in client.error("CF.MERGE", "a", "c")


# --- lifetimes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [("BF.RESERVE", "f", 0.01, 100), ("CF.RESERVE", "f", 100)])
def test_a_filter_can_be_made_for_some_time(
    balas_server: InProcessServer, command: tuple[object, ...]
) -> None:
    client = balas_server.client()
    records: list[tuple[int, tuple[bytes, ...]]] = []
    balas_server.engine.changes.add_sink(records.extend)
    assert client(*command, "EXPANSION", 2, "EX", 10) == b"OK"
    assert client("PTTL", "f") == 10_000
    words = tuple(str(word).encode() for word in command)
    at_ms = client("PEXPIRETIME", "f")
    assert [argv for _, argv in records] == [
        (*words, b"EXPANSION", b"2"),
        (b"PEXPIREAT", b"f", b"%d" % at_ms),
    ]
    balas_server.advance(10_001)
    assert client("EXISTS", "f") == 0
    assert client(*command, "PXAT", at_ms + 100_000) == b"OK"
    assert client("PEXPIRETIME", "f") == at_ms + 100_000
    client("DEL", "f")
    for wrong in (("EX", 0), ("PX", -1)):
        assert "invalid expire time" in client.error(*command, *wrong)
    assert "not an integer" in client.error(*command, "EX", "x")
    assert client("EXISTS", "f") == 0


def test_merging_is_logged_and_comes_back() -> None:
    with InProcessServer({"appendonly": "yes"}) as server:
        client = server.client()
        client("BF.RESERVE", "a", 0.01, 100, "PX", 100_000)
        client("BF.ADD", "a", "x")
        client("BF.MERGE", "b", "a")
        client("CF.ADD", "c", "x")
        client("CF.MERGE", "d", "c", "c")
        dumps = [client("DUMP", key) for key in "abcd"]
        assert client("CF.COUNT", "d", "x") == 2
        at_ms = client("PEXPIRETIME", "a")
        server.restart()
        client = server.client()
        assert [client("DUMP", key) for key in "abcd"] == dumps
        assert client("PEXPIRETIME", "a") == at_ms
