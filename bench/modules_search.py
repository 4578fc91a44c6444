"""Full-text queries and aggregations: server CPU per request against RediSearch.

The documents have words by Zipf.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import accumulate
from random import Random
from statistics import median

from balas.testing import BalasProcess, Client, RealRedis, ServerProcess
from balas.testing.wire import encode
from bench.contenders import OPTIONS, Cores
from bench.report import table

DOCUMENTS = 50_000
WORDS_EACH = 100
VOCABULARY = 20_000
SEED = 7
BATCH = 500
SCHEMA = (  # noqa: SIM905
    "text TEXT number NUMERIC SORTABLE tag TAG tag AS kind TAG SORTABLE"
).split(" ")
# Answers are read after so many requests.
PIPELINE = 10
SERVERS: dict[str, Callable[..., ServerProcess]] = {
    "Redis": partial(RealRedis, modules=["search"]),
    "Balas": BalasProcess,
}


def vocabulary(chance: Random) -> list[str]:
    """Words of some syllables, the short ones first, as in a language; some with an ending."""
    found: dict[str, None] = {}
    while len(found) < VOCABULARY:
        syllables = chance.choices("bcdfgklmnprstvz", k=2 + len(found) // 8000)
        word = "".join(letter + chance.choice("aeiou") for letter in syllables)
        found[word + chance.choice(["", "", "n", "s", "ing"])] = None
    return list(found)


def documents(count: int) -> list[bytes]:
    """The requests that store so many documents, several in each."""
    chance = Random(SEED)
    words = vocabulary(chance)
    weights = list(accumulate(1 / (rank + 2) for rank in range(VOCABULARY)))
    made = [
        encode(
            "HSET",
            f"doc:{number}",
            *("text", " ".join(chance.choices(words, cum_weights=weights, k=WORDS_EACH))),
            *("number", str(chance.randrange(10_000)), "tag", f"t{chance.randrange(50)}"),
        )
        for number in range(count)
    ]
    return [b"".join(made[i : i + BATCH]) for i in range(0, count, BATCH)]


def workloads() -> list[tuple[str, tuple[str, ...], int]]:
    """Names, commands, and how many requests."""
    words = vocabulary(Random(SEED))
    one, other, third = words[3], words[8], words[60]
    rare = words[-3]
    bare = ("NOCONTENT", "LIMIT", "0", "10")
    sort = ("SORTBY", "number")
    searches = [
        ("one word", (third, *bare), 400),
        ("one word, with contents", (third,), 400),
        ("rare word", (rare, *bare), 2000),
        ("two words, AND", (f"{one} {other}", *bare), 100),
        ("two words, OR", (f"{one}|{other}", *bare), 100),
        ("phrase", (f'"{one} {other}"', *bare), 100),
        ("prefix", (f"{words[500][:3]}*", *bare), 200),
        ("numbers, SORTBY", ("@number:[2000 4000]", *sort, *bare), 200),
        ("tag", ("@tag:{t7}", *bare), 400),
        ("word and tag", (f"{one} @tag:{{t7}}", *bare), 200),
        ("all, with contents", ("*", "LIMIT", "0", "10"), 400),
        ("all, without contents", ("*", *bare), 400),
        ("RETURN 2", (rare, "RETURN", "2", "number", "tag"), 1000),
        ("SORTBY sortable tag", (third, "SORTBY", "kind", *bare), 200),
        ("SORTBY tag that is not SORTABLE", (third, "SORTBY", "tag", *bare), 100),
        ("WITHSCORES", (third, "WITHSCORES", *bare), 200),
        ("HIGHLIGHT", (third, "RETURN", "1", "text", "HIGHLIGHT"), 200),
        ("SUMMARIZE", (third, "RETURN", "1", "text", "SUMMARIZE"), 200),
    ]
    load = ("FT.AGGREGATE", "i", "*", "LOAD", "2", "@number", "@tag", "LIMIT", "0", "10")
    return [
        *((name, ("FT.SEARCH", "i", *query), count) for name, query, count in searches),
        ("LOAD 2, LIMIT 0 10", load, 1000),
        *(
            (name, ("FT.AGGREGATE", "i", *query, "TIMEOUT", "0"), 20)
            for name, query in aggregations()
        ),
    ]


def aggregations() -> list[tuple[str, tuple[str, ...]]]:
    """Names and arguments of FT.AGGREGATE, all of them over all documents."""
    mean = ("REDUCE", "AVG", "1", "@number", "AS", "mean")
    count = ("REDUCE", "COUNT", "0", "AS", "count")
    page = ("LIMIT", "0", "10")
    return [
        ("GROUPBY sortable tag, AVG", ("*", "GROUPBY", "1", "@kind", *mean)),
        ("GROUPBY loaded tag, AVG", ("*", "LOAD", "1", "@tag", "GROUPBY", "1", "@tag", *mean)),
        (
            "APPLY, GROUPBY, SORTBY",
            (
                "*",
                *("APPLY", "floor(@number / 100)", "AS", "hundred"),
                *("GROUPBY", "1", "@hundred", *count),
                *("SORTBY", "2", "@count", "DESC", *page),
            ),
        ),
        ("SORTBY two fields", ("*", "SORTBY", "4", "@kind", "ASC", "@number", "DESC", *page)),
        ("FILTER, GROUPBY", ("*", "FILTER", "@number > 5000", "GROUPBY", "1", "@kind", *count)),
    ]


def run_one(server: ServerProcess, client: Client, request: bytes, count: int) -> float:
    """Server CPU in microseconds per request."""
    began_s = server.cpu_s()
    for _ in range(count // PIPELINE):
        client.send_raw(request * PIPELINE)
        for _ in range(PIPELINE):
            client.read()
    return (server.cpu_s() - began_s) * 1e6 / count


def fill(client: Client, batches: Sequence[bytes]) -> None:
    """Make the index and store the documents."""
    client("FT.CREATE", "i", "SCHEMA", *SCHEMA)
    store(client, batches)


def store(client: Client, batches: Sequence[bytes]) -> None:
    """Send the batches, each when the one before is answered."""
    for batch in batches:
        client.send_raw(batch)
        for _ in range(BATCH):
            client.read()


def measure(cores: Cores, names: Sequence[str], rounds: int, scale: float) -> str:
    """Run all on all servers, in turn; the section of the report."""
    lines = []
    batches = documents(DOCUMENTS)
    with ExitStack() as stack:
        clients = {}
        for name in names:
            server = stack.enter_context(SERVERS[name](OPTIONS, pin_to_core=cores.server))
            clients[name] = server, stack.enter_context(server.client(timeout_s=60))
            fill(clients[name][1], batches)
        for what, words, requests in workloads():
            request = encode(*words)
            count = max(PIPELINE, int(requests * scale) // PIPELINE * PIPELINE)
            found: dict[str, list[float]] = {name: [] for name in names}
            for _ in range(rounds):
                for name, (server, client) in clients.items():
                    found[name].append(run_one(server, client, request, count))
            middle = [median(found[name]) for name in names]
            cells = [what, *(f"{us:.0f}" for us in middle)]
            if len(names) == 2:
                cells.append(
                    f"**{middle[names.index('Balas')] / middle[names.index('Redis')]:.2f}**"
                )
            lines.append(cells)
    header = ["query", *(f"{name}, CPU µs" for name in names)]
    header += ["ratio"] if len(names) == 2 else []
    text = "\n## Full-text queries and aggregations\n\n" + table(header, lines)
    return text + measure_indexing(cores, names, batches)


def measure_indexing(cores: Cores, names: Sequence[str], batches: Sequence[bytes]) -> str:
    """What it costs to store the documents where an index takes them up: CPU and memory."""
    lines = []
    for name in names:
        stored_us, stored_bytes, _ = store_all(name, cores, batches, indexed=False)
        indexed_us, indexed_bytes, told_mb = store_all(name, cores, batches, indexed=True)
        grown_mb = (indexed_bytes - stored_bytes) / 2**20
        lines.append(
            [name, f"{stored_us:.1f}", f"{indexed_us:.1f}", f"{grown_mb:.0f}", f"{told_mb:.0f}"]
        )
    header = ["server", "HSET without index, CPU µs", "HSET with index, CPU µs"]
    header += ["resident memory of the index, MB", "FT.INFO, MB"]
    return "\n## Indexing documents of 100 words\n\n" + table(header, lines)


def store_all(
    name: str, cores: Cores, batches: Sequence[bytes], *, indexed: bool
) -> tuple[float, int, float]:
    """CPU in microseconds for each HSET, growth in bytes, and megabytes as FT.INFO has them."""
    with (
        SERVERS[name](OPTIONS, pin_to_core=cores.server) as server,
        server.client(resp=3, timeout_s=60) as client,
    ):
        if indexed:
            client("FT.CREATE", "i", "SCHEMA", *SCHEMA)
        before_s, before_bytes = server.cpu_s(), server.rss_bytes()
        store(client, batches)
        spent_us = (server.cpu_s() - before_s) * 1e6 / (len(batches) * BATCH)
        grown_bytes = server.rss_bytes() - before_bytes
        told = client("FT.INFO", "i") if indexed else {}
        return spent_us, grown_bytes, float(told.get(b"total_index_memory_sz_mb", 0))
