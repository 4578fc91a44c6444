"""A corpus with a Zipf vocabulary, made from a seed, in both servers: the same come first.

BALAS_FUZZ_EXAMPLES above 1000 takes so many documents.
"""

import os
import random
from collections.abc import Callable
from itertools import accumulate

import pytest

from balas.testing import Both, InProcessServer, RealRedis

DOCUMENTS = max(int(os.environ.get("BALAS_FUZZ_EXAMPLES", "0")), 1000)
WORDS = 5000
SEED = 11


def vocabulary(chance: random.Random) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < WORDS:
        syllables = chance.choices("bcdfgklmnprstvz", k=chance.randint(2, 4))
        word = "".join(letter + chance.choice("aeiou") for letter in syllables)
        found[word + chance.choice(["", "", "s", "ing", "ed"])] = None
    return list(found)


@pytest.fixture
def servers(balas_server: InProcessServer, real_servers: Callable[..., RealRedis]) -> Both:
    return Both(balas_server, real_servers("search"))


def test_the_same_documents_come_first(servers: Both) -> None:
    chance = random.Random(SEED)
    words = vocabulary(chance)
    weights = list(accumulate(1 / (rank + 2) for rank in range(WORDS)))
    with servers as both:
        both("FLUSHALL")
        both("FT.CREATE", "i", "SCHEMA", "t", "TEXT", "n", "NUMERIC", "SORTABLE", "g", "TAG")
        both.sleep_ms(100)
        for number in range(DOCUMENTS):
            text = " ".join(chance.choices(words, cum_weights=weights, k=chance.randint(5, 100)))
            both("HSET", f"d{number}", "t", text, "n", number * 7 % 1000, "g", f"g{number % 20}")
        for _ in range(40):
            one, other, third = chance.choices(words[:300], cum_weights=weights[:300], k=3)
            for query in (
                f"{one} {other}",
                f"{one}|{other}",
                f"{one} {other} {third}",
                f'"{words[0]} {words[1]}"',
                f"{one} @g:{{g{chance.randint(0, 19)}}}",
                chance.choice(words),
            ):
                for scorer in ("TFIDF", "BM25STD"):
                    shown = ["NOCONTENT", "WITHSCORES", "SCORER", scorer, "LIMIT", 0, 10]
                    both("FT.SEARCH", "i", query, *shown, delta=1e-6)
            low = chance.randint(0, 900)
            shown = ["SORTBY", "n", "NOCONTENT", "WITHSORTKEYS", "LIMIT", 0, 20]
            both("FT.SEARCH", "i", f"@n:[{low} {low + 100}]", *shown)
            both("FT.SEARCH", "i", f"{one[:3]}*", "LIMIT", 0, 0)
