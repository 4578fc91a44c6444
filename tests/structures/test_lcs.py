"""The longest common subsequence against a naive twin."""

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from balas.structures.lcs import common_runs, table_size

TEXT = st.text("ab", max_size=12).map(str.encode)


def naive_length(a: bytes, b: bytes) -> int:
    @cache
    def length(i: int, j: int) -> int:
        if i == len(a) or j == len(b):
            return 0
        if a[i] == b[j]:
            return 1 + length(i + 1, j + 1)
        return max(length(i + 1, j), length(i, j + 1))

    return length(0, 0)


@given(TEXT, TEXT)
def test_runs_are_common_in_order_and_as_long_as_can_be(a: bytes, b: bytes) -> None:
    runs = common_runs(a, b)
    assert sum(length for _, _, length in runs) == naive_length(a, b)
    end_a, end_b = len(a), len(b)
    for start_a, start_b, length in runs:
        assert a[start_a : start_a + length] == b[start_b : start_b + length] != b""
        assert start_a + length <= end_a
        assert start_b + length <= end_b
        end_a, end_b = start_a, start_b


def test_runs_that_touch_in_both_strings_are_one() -> None:
    assert common_runs(b"xabcx", bytearray(b"yabcy")) == [(1, 1, 3)]


def test_nothing_has_nothing_in_common() -> None:
    assert common_runs(b"", b"abc") == common_runs(b"abc", b"") == common_runs(b"", b"") == []


def test_the_table_has_a_cell_for_each_pair_of_prefixes() -> None:
    assert table_size(3, 4) == 4 * 5 * 4
