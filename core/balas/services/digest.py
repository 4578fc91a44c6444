"""Digests of the data, equal to Redis's for equal data: DEBUG DIGEST and DEBUG DIGEST-VALUE."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from balas.engine.dispatch import Engine
from balas.types.digest import Digest
from balas.types.value import Value

# The numbers by which Redis knows the types of its own.
STRING = 0
MODULE = 5
_NUMBERS: Mapping[str, int] = MappingProxyType(
    {"list": 1, "set": 2, "zset": 3, "hash": 4, "stream": 6}
)
EXPIRES = b"!!expire!!"


def dataset_digest(engine: Engine) -> str:
    """The digest of all keys of all databases; the order of keys does not count."""
    total = Digest()
    for db in engine.databases:
        if not len(db):
            continue
        # A data set that is the same in another database is not the same.
        total.add(db.index.to_bytes(4, "big"))
        for key in db.all_keys():
            digest = Digest()
            digest.add(key)
            mix_value(digest, db.get(key), db.expire_at(key))
            total.add_unordered(digest.value)
    return total.hex()


def value_digest(value: object, expire_at: int) -> str:
    """The digest of one value and of whether it expires; zeros for None."""
    digest = Digest()
    if value is not None:
        mix_value(digest, value, expire_at)
    return digest.hex()


def mix_value(digest: Digest, value: object, expire_at: int) -> None:
    """Add a value's type, its content, and whether it expires."""
    if not isinstance(value, Value):
        assert isinstance(value, bytes | bytearray)
        digest.add(STRING.to_bytes(4, "big"))
        digest.add(bytes(value))
    elif value.type_name in _NUMBERS:
        digest.add(_NUMBERS[value.type_name].to_bytes(4, "big"))
        value.digest(digest)
    else:
        digest.add(MODULE.to_bytes(4, "big"))
        inner = Digest()
        value.digest(inner)
        digest.add_unordered(inner.value)
    if expire_at >= 0:
        digest.add_unordered(EXPIRES)
