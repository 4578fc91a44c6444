"""The laws of value types, for Bloom filters."""

import pytest

from balas.testing import InProcessServer, check_laws
from balas_bloom.filter import BloomFilter


@pytest.mark.parametrize("capacity", [1, 100, 100_000])
@pytest.mark.parametrize("scaling", [True, False])
def test_a_filter_obeys_the_laws(
    capacity: int, scaling: bool, balas_server: InProcessServer
) -> None:
    count = iter(range(10**9))

    def make() -> BloomFilter:
        value = BloomFilter.create(capacity, 0.01, 2, scaling=scaling)
        value.chain.add(b"first")
        return value

    def change(value: BloomFilter) -> None:
        if scaling or value.chain.items < capacity:
            value.chain.add(b"item %d" % next(count))

    if capacity == 1 and not scaling:
        pytest.skip("it is full after one item, and nothing changes it any more")
    check_laws(balas_server, make, change)
