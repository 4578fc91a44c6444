"""Random documents and queries, put to Balas and to the real module: equal ids, order, scores.

Scores are compared for plain kinds of query only. For others they depend on how the original
happens to walk its lists, and to cut numbers into ranges; there the documents must be the same.
"""

import os
import random
from collections.abc import Callable

import pytest

from balas.testing import Both, InProcessServer, RealRedis

EXAMPLES = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "60"))
WORDS = (  # noqa: SIM905 (a list of so many words is hard to read)
    "hello world run running runs foo bar baz cat cats dog dogs house housing big bigger quick "
    "quickly jumped jump over lazy fox red blue green apple apples banana the of and search "
    "engine"
).split(" ")
SCORERS = ("TFIDF", "TFIDF.DOCNORM", "BM25", "BM25STD", "DISMAX", "DOCSCORE")
SCHEMA = (  # noqa: SIM905
    "t TEXT u TEXT WEIGHT 3 SORTABLE n NUMERIC SORTABLE g TAG SORTABLE "
    "h TAG CASESENSITIVE SEPARATOR | geo GEO p TEXT NOSTEM"
).split(" ")


class Chance:
    """Makes documents and queries from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self, most: int) -> str:
        return " ".join(self.random.choices(WORDS, k=self.random.randint(1, most)))

    def document(self) -> list[str]:
        chance = self.random
        # Not stop words alone: then scores are infinite, and infinities are not to be compared.
        fields = ["t", f"{self.word()} {self.text(14)}"]
        if chance.random() < 0.6:
            fields += ["u", self.text(4)]
        if chance.random() < 0.8:
            fields += ["n", str(chance.randint(0, 20))]
        if chance.random() < 0.7:
            fields += ["g", ",".join(chance.choices(["red", "Blue", "green apple", "x"], k=2))]
        if chance.random() < 0.4:
            fields += ["h", "|".join(chance.choices(["Xx", "yy"], k=2))]
        if chance.random() < 0.5:
            fields += ["geo", f"{chance.uniform(-5, 5):.4f},{chance.uniform(-5, 5):.4f}"]
        return fields

    def word(self) -> str:
        return self.random.choice([word for word in WORDS if word not in ("the", "of", "and")])

    def part(self) -> str:
        kind = self.random.random()
        if kind < 0.5:
            return self.word()
        if kind < 0.6:
            return f'"{self.word()} {self.word()}"'
        if kind < 0.7:
            return self.random.choice(["@g:{red}", "@g:{green apple}", "@h:{Xx}", "@g:{blue}"])
        if kind < 0.8:
            return f"({self.word()}|{self.word()})"
        if kind < 0.9:
            return f"@{self.random.choice(['t', 'u', 't|u', 'p'])}:({self.word()})"
        return f"-({self.word()})"

    def scored_query(self) -> str:
        """A query whose scores must be equal, too."""
        words = [self.word() for _ in range(self.random.randint(1, 3))]
        kind = self.random.random()
        if kind < 0.4:
            return " ".join(words)
        if kind < 0.6:
            return "|".join(words)
        if kind < 0.7:
            return f'"{" ".join(words[:2])}"'
        if kind < 0.8:
            return f"@{self.random.choice(['t', 'u', 't|u', 'p'])}:({words[0]})"
        if kind < 0.9:
            return f"{words[0]} {self.random.choice(['@g:{red}', '@g:{x}', '@h:{Xx}'])}"
        return f"{words[0]} -({words[-1]})"

    def query(self) -> str:
        parts = [self.part() for _ in range(self.random.randint(1, 3))]
        if all(part.startswith("-") for part in parts):
            parts.append(self.word())
        return " ".join(sorted(parts, key=lambda part: part.startswith("-")))


@pytest.mark.parametrize("seed", [1, 2])
def test_random_queries(
    seed: int, balas_server: InProcessServer, real_servers: Callable[..., RealRedis]
) -> None:
    chance = Chance(seed)
    with Both(balas_server, real_servers("search")) as both:
        both("FLUSHALL")
        both("FT.CREATE", "i", "SCHEMA", *SCHEMA)
        both.sleep_ms(50)
        for number in range(150):
            both("HSET", f"d{number}", *chance.document())
        for _ in range(EXAMPLES):
            scorer = chance.random.choice(SCORERS)
            shown = ["NOCONTENT", "WITHSCORES", "SCORER", scorer, "LIMIT", 0, 200, "DIALECT", 2]
            both("FT.SEARCH", "i", chance.scored_query(), *shown, delta=1e-6)
            shown = ["NOCONTENT", "LIMIT", 0, 200, "DIALECT", 2]
            both("FT.SEARCH", "i", chance.query(), *shown, ways="sorted")


@pytest.mark.parametrize("seed", [3])
def test_random_ranges_and_orders(
    seed: int, balas_server: InProcessServer, real_servers: Callable[..., RealRedis]
) -> None:
    chance = Chance(seed)
    with Both(balas_server, real_servers("search")) as both:
        both("FLUSHALL")
        both("FT.CREATE", "i", "SCHEMA", *SCHEMA)
        both.sleep_ms(50)
        for number in range(200):
            key = f"d{chance.random.randint(0, 150)}"
            both("DEL", key)
            both("HSET", key, *chance.document())
            if number % 10 == 0:
                both("DEL", f"d{chance.random.randint(0, 150)}")
        for _ in range(EXAMPLES):
            low, high = sorted(chance.random.choices(range(21), k=2))
            query = chance.random.choice(
                [
                    f"@n:[{low} {high}]",
                    f"@n:[({low} inf] @g:{{red|blue}}",
                    f"@geo:[{low - 10} {high - 10} {100 + low * 20} km]",
                    f"@n:[{low} ({high}] {chance.word()}",
                    f"{chance.word()[:3]}*",
                    f"%{chance.word()}%",
                ]
            )
            field = chance.random.choice(["n", "u", "g", "t"])
            order = chance.random.choice(["ASC", "DESC"])
            page = [chance.random.randint(0, 5), chance.random.randint(1, 300)]
            shown = ["SORTBY", field, order, "WITHSORTKEYS", "NOCONTENT", "LIMIT", *page]
            both("FT.SEARCH", "i", query, *shown)


def test_scores_of_bm25std_are_equal_to_the_last_digit(
    balas_server: InProcessServer, real_servers: Callable[..., RealRedis]
) -> None:
    chance = random.Random(3)
    with Both(balas_server, real_servers("search")) as both:
        both("FLUSHALL")
        both("FT.CREATE", "i", "SCHEMA", "t", "TEXT", "NOSTEM")
        for number in range(100):
            others = [f"o{chance.randint(0, 99)}" for _ in range(chance.randint(1, 14))]
            words = ["word"] * chance.randint(1, 5) + others
            both("HSET", f"d{number}", "t", " ".join(words))
        ask = ("NOCONTENT", "WITHSCORES", "SCORER", "BM25STD", "LIMIT", 0, 200)
        both("FT.SEARCH", "i", "word", *ask)
        both("FT.SEARCH", "i", "word o1", *ask)
