"""Random commands of all five families, asked of Balas and of the real module; what fails is made
as short as can be by Hypothesis.
"""

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balas.testing import Both, InProcessServer, RealRedis

EXAMPLES = int(os.environ.get("BALAS_FUZZ_EXAMPLES", "40"))

items = st.integers(0, 30).map(str) | st.sampled_from(["", "x" * 70, "\xff"])
some_items = st.lists(items, min_size=1, max_size=6)
counts = st.sampled_from(["0", "1", "7", "4294967295", "-1", "x", "100001"])
values = st.sampled_from(["0", "-1.5", "3", "3", "1e3", "nan", "inf", "x"]) | st.integers(
    -50, 50
).map(str)
shares = st.sampled_from(["0", "0.25", "0.5", "0.99", "1", "1.1", "x"])


def words(*parts: object) -> st.SearchStrategy[list[str]]:
    """A command: words as they stand, and strategies for a word or a list of words."""
    drawn = [part if isinstance(part, st.SearchStrategy) else st.just(part) for part in parts]
    return st.tuples(*drawn).map(
        lambda found: [
            word for one in found for word in (one if isinstance(one, list) else [str(one)])
        ]
    )


def pairs(first: st.SearchStrategy[str], second: st.SearchStrategy[str]) -> st.SearchStrategy:
    """Words in turn, up to four times."""
    return st.lists(st.tuples(first, second), min_size=1, max_size=4).map(
        lambda found: [word for pair in found for word in pair]
    )


bloom = st.sampled_from(["b", "b2", "c"])
cuckoo = st.sampled_from(["c", "c2", "b"])
commands = st.one_of(
    words("BF.RESERVE", bloom, st.sampled_from(["0.1", "0.001", "1"]), st.integers(0, 20)),
    words("BF.RESERVE", bloom, "0.05", st.integers(1, 20), "NONSCALING"),
    words("BF.RESERVE", bloom, "0.05", st.integers(1, 9), "EXPANSION", st.integers(0, 3)),
    words(st.sampled_from(["BF.ADD", "BF.EXISTS"]), bloom, items),
    words(st.sampled_from(["BF.MADD", "BF.MEXISTS"]), bloom, some_items),
    words("BF.INSERT", bloom, "CAPACITY", st.integers(0, 9), "ITEMS", some_items),
    words(st.sampled_from(["BF.INFO", "BF.CARD", "BF.DEBUG"]), bloom),
    words("BF.SCANDUMP", bloom, st.integers(-1, 3)),
    words("CF.RESERVE", cuckoo, st.integers(0, 40), "EXPANSION", st.integers(0, 3)),
    words("CF.RESERVE", cuckoo, st.integers(2, 40), "BUCKETSIZE", st.integers(0, 4)),
    words(
        st.sampled_from(["CF.ADD", "CF.ADDNX", "CF.DEL", "CF.COUNT", "CF.EXISTS"]), cuckoo, items
    ),
    words(st.sampled_from(["CF.INSERT", "CF.INSERTNX"]), cuckoo, "ITEMS", some_items),
    words("CF.MEXISTS", cuckoo, some_items),
    words(st.sampled_from(["CF.COMPACT", "CF.INFO"]), cuckoo),
    words("CF.SCANDUMP", cuckoo, st.integers(0, 3)),
    words("CMS.INITBYDIM", "m", st.integers(0, 9), st.integers(0, 4)),
    words("CMS.INITBYDIM", "m2", "7", "3"),
    words("CMS.INCRBY", st.sampled_from(["m", "m2"]), pairs(items, counts)),
    words("CMS.QUERY", "m", some_items),
    words("CMS.MERGE", "m2", "2", "m", "m2", "WEIGHTS", st.integers(-2, 3), "2"),
    words("CMS.INFO", st.sampled_from(["m", "m2"])),
    # With a decay of 1 every other item wears a counter down for certain.
    words("TOPK.RESERVE", "t", st.integers(0, 4), st.integers(1, 9), st.integers(1, 3), "1"),
    words(st.sampled_from(["TOPK.ADD", "TOPK.QUERY", "TOPK.COUNT"]), "t", some_items),
    # For an increment that is none the real module sends more than it announced.
    words("TOPK.INCRBY", "t", pairs(items, st.sampled_from(["0", "1", "7", "100000"]))),
    words("TOPK.LIST", "t", "WITHCOUNT"),
    words("TDIGEST.CREATE", "d", "COMPRESSION", st.integers(0, 20)),
    words("TDIGEST.ADD", "d", st.lists(values, min_size=1, max_size=40)),
    words(st.sampled_from(["TDIGEST.QUANTILE", "TDIGEST.CDF"]), "d", shares),
    words(st.sampled_from(["TDIGEST.RANK", "TDIGEST.REVRANK"]), "d", values),
    words(st.sampled_from(["TDIGEST.BYRANK", "TDIGEST.BYREVRANK"]), "d", st.integers(-1, 50)),
    words("TDIGEST.TRIMMED_MEAN", "d", shares, shares),
    words(st.sampled_from(["TDIGEST.MIN", "TDIGEST.MAX", "TDIGEST.INFO", "TDIGEST.RESET"]), "d"),
    words("TDIGEST.MERGE", "d2", "1", "d"),
    words("DEL", st.sampled_from(["b", "b2", "c", "c2", "m", "m2", "t", "d", "d2"])),
)


@pytest.mark.parametrize("resp", [2, 3])
def test_all_families_answer_as_the_real_module(
    resp: int, balas_server: InProcessServer, real_servers: Callable[..., RealRedis]
) -> None:
    with Both(balas_server, real_servers("bloom"), resp) as both:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(st.lists(commands, min_size=5, max_size=40))
        def run(sequence: list[list[str]]) -> None:
            both("FLUSHALL")
            both("BF.RESERVE", "b", "0.1", "5")
            both("CF.RESERVE", "c", "8")
            both("CMS.INITBYDIM", "m", "7", "3")
            both("TOPK.RESERVE", "t", "2", "5", "2", "1")
            both("TDIGEST.CREATE", "d")
            for argv in sequence:
                both(*argv)

        run()
