"""Slabs: no two blocks overlap, none is lost, and memory goes back when it is told to."""

import ctypes
import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from balas.structures.slabs import Slabs

SIZES = st.one_of(st.integers(1, 120), st.integers(1, 600), st.sampled_from([8, 64, 511, 512, 513]))


class Blocks(RuleBasedStateMachine):
    """Blocks that are filled with a byte each, and must still be full of it when they go."""

    def __init__(self) -> None:
        super().__init__()
        self.slabs = Slabs()
        self.blocks: dict[int, tuple[int, int]] = {}

    def fill(self, address: int, size: int, byte: int) -> None:
        ctypes.memset(address, byte, size)
        self.blocks[address] = (size, byte)

    def check(self, address: int, size: int, byte: int) -> None:
        assert ctypes.string_at(address, size) == bytes([byte]) * size

    @rule(size=SIZES, count=st.integers(1, 400), byte=st.integers(0, 255))
    def take(self, size: int, count: int, byte: int) -> None:
        for _ in range(count):
            address = self.slabs.take(size)
            assert address % 8 == 0
            assert address not in self.blocks
            self.fill(address, size, byte)

    @precondition(lambda self: self.blocks)
    @rule(chance=st.randoms(use_true_random=False), share=st.floats(0, 1))
    def give(self, chance: random.Random, share: float) -> None:
        for address in [one for one in self.blocks if chance.random() < share]:
            size, byte = self.blocks.pop(address)
            self.check(address, size, byte)
            self.slabs.give(address, size)

    @precondition(lambda self: self.blocks)
    @rule(chance=st.randoms(use_true_random=False), wanted=SIZES)
    def change(self, chance: random.Random, wanted: int) -> None:
        for address in chance.sample(sorted(self.blocks), min(20, len(self.blocks))):
            size, byte = self.blocks.pop(address)
            moved = self.slabs.change(address, size, wanted)
            self.check(moved, min(size, wanted), byte)
            assert moved not in self.blocks
            self.fill(moved, wanted, byte)

    @rule(count=st.integers(0, 100))
    def give_back(self, count: int) -> None:
        self.slabs.give_back(count)

    @invariant()
    def whole(self) -> None:
        small = sum(size <= 512 for size, _ in self.blocks.values())
        self.slabs.check_invariants(small)

    def teardown(self) -> None:
        for address, (size, byte) in self.blocks.items():
            self.check(address, size, byte)
            if size > 512:
                self.slabs.give(address, size)


TestBlocks = Blocks.TestCase
TestBlocks.settings = settings(stateful_step_count=30)


@pytest.mark.parametrize("size", [8, 72, 500])
def test_memory_of_empty_slabs_is_given_back(size: int) -> None:
    slabs = Slabs()
    blocks = [slabs.take(size) for _ in range(20_000_000 // size)]
    full = slabs.memory
    assert 20_000_000 < full < 22_000_000
    for address in blocks[: len(blocks) // 2]:
        slabs.give(address, size)
    while slabs.give_back(10):
        pass
    assert slabs.memory < 0.6 * full
    for address in blocks[len(blocks) // 2 :]:
        slabs.give(address, size)
    while slabs.give_back(10):
        pass
    assert slabs.memory < 1_200_000, "some slabs are kept for what comes next"
    slabs.check_invariants(0)


def test_slabs_are_filled_up_again_before_new_ones_are_made() -> None:
    slabs = Slabs()
    blocks = [slabs.take(100) for _ in range(50_000)]
    before = slabs.memory
    chance = random.Random(1)
    for _ in range(5):
        chance.shuffle(blocks)
        for address in blocks[:25_000]:
            slabs.give(address, 100)
        blocks[:25_000] = [slabs.take(100) for _ in range(25_000)]
    assert slabs.memory == before


def test_empty_slabs_serve_other_sizes() -> None:
    slabs = Slabs()
    for size in (16, 200, 64, 512):
        blocks = [slabs.take(size) for _ in range(4_000_000 // size)]
        for address in blocks:
            slabs.give(address, size)
    assert slabs.memory < 5_000_000
