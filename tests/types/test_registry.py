"""The registry of value types."""

import pytest

from balas.types.registry import TypeRegistry, TypeTaken
from balas.types.value import Value


class Ring(Value):
    type_name = "ring-type"


class Impostor(Value):
    type_name = "ring-type"


def test_a_type_is_found_by_its_name_until_it_is_removed() -> None:
    types = TypeRegistry()
    types.register(Ring, "rings")
    assert types.by_name("ring-type") is Ring
    assert types.owner("ring-type") == "rings"
    assert list(types.every()) == [Ring]
    types.unregister(Ring)
    assert types.by_name("ring-type") is None
    assert len(types) == 0


def test_a_taken_name_is_refused_and_its_owner_named() -> None:
    types = TypeRegistry()
    types.register(Ring, "rings")
    with pytest.raises(TypeTaken, match="'ring-type' already belongs to module 'rings'"):
        types.register(Impostor, "others")
    assert types.by_name("ring-type") is Ring


def test_removing_a_type_leaves_another_one_of_its_name_alone() -> None:
    types = TypeRegistry()
    types.register(Ring)
    types.unregister(Impostor)
    assert types.by_name("ring-type") is Ring
