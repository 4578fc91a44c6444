"""Laws that every value type has to obey, whatever it is.

    def test_a_ring_obeys_the_laws(balas_server: InProcessServer) -> None:
        check_laws(balas_server, lambda: Ring(3, [b"a", b"b"]), lambda ring: ring.push(b"c"))

A type that breaks one loses data in a snapshot, shares data between copies, or makes the server use
more memory than it may. Each law is a function here; its docstring is the law.
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from balas.errors import BadData, ReplyError
from balas.services.rdb.dump import Stored, dump, restore
from balas.services.rdb.format import dump_open, dump_seal
from balas.testing.in_process import InProcessServer
from balas.types.digest import Digest
from balas.types.limits import Limits
from balas.types.registry import TypeRegistry
from balas.types.value import Value

Make = Callable[[], Value]
Change = Callable[[Any], object]

KEY = b"laws"
# How many places a saved value is cut at, to see that a damaged file is noticed.
CUTS_MAX = 300
# How much memory is filled to see how much a value takes, and how wrong its claim may be: what the
# allocator rounds up, and objects that are shared, are nobody's fault.
FILL_BYTES = 8 << 20
HONEST_LOW, HONEST_HIGH = 0.5, 2.0
# A value that claims to be tiny must not fill the machine.
VALUES_MAX = 200_000
# How often memory is measured before a value is said to claim too much.
MEASUREMENTS = 15


class LawBroken(AssertionError):
    """A value type does not obey a law; says which and how."""


def check_laws(server: InProcessServer, make: Make, change: Change) -> None:
    """Check all laws for the value that `make` makes anew at each call.

    `change` changes a value a little. The server must have the module loaded, for one law is about
    its commands. Raises LawBroken.
    """
    saved_and_loaded_it_is_equal(make)
    saved_twice_it_gives_the_same_bytes(make)
    a_cut_is_noticed(make)
    a_change_changes_the_digest(make, change)
    a_copy_is_equal_and_apart(make, change)
    its_commands_rebuild_it(server, make)
    its_size_follows_its_changes(make, change)
    its_size_is_honest(make)


def digest_of(value: Value) -> str:
    """The digest of a value."""
    digest = Digest()
    value.digest(digest)
    return digest.hex()


def loaded_as(payload: bytes, kind: type[Value], limits: Limits | None = None) -> Value:
    """The value of this type in a DUMP payload. Raises BadData.

    Values loaded with the same limits share memory as those of a server do.
    """
    return loader_of(payload, kind, limits or Limits())()


def loader_of(payload: bytes, kind: type[Value], limits: Limits) -> Make:
    """What loads the value of this type in a DUMP payload, each time anew. Raises BadData, and so
    does what it returns.
    """
    types = TypeRegistry()
    types.register(kind)
    body = dump_open(payload)

    def load() -> Value:
        value: Stored = restore(body, types, limits, now_ms=0)
        assert isinstance(value, kind)
        return value

    return load


def saved_and_loaded_it_is_equal(make: Make) -> None:
    """What is saved and loaded again has the same class, digest and, nearly, size."""
    value = make()
    loaded = loaded_as(dump(value), type(value))
    law("saved and loaded it is equal", digest_of(loaded), digest_of(value))
    size, expected = loaded.memory_usage(), value.memory_usage()
    if not HONEST_LOW <= size / expected <= HONEST_HIGH:
        raise LawBroken(f"loaded it says {size} bytes, before it was saved {expected}")


def saved_twice_it_gives_the_same_bytes(make: Make) -> None:
    """Saving changes nothing, and equal values are saved equally."""
    value = make()
    law("saved twice it gives the same bytes", dump(value), dump(value))


def a_cut_is_noticed(make: Make) -> None:
    """A payload that ends early is refused with BadData, wherever it ends."""
    value = make()
    body = dump_open(dump(value))
    for cut in range(1, len(body), max(1, len(body) // CUTS_MAX)):
        try:
            loaded_as(dump_seal(body[:cut]), type(value))
        except BadData:
            continue
        raise LawBroken(f"a value cut after {cut} of {len(body)} bytes was loaded all the same")


def a_change_changes_the_digest(make: Make, change: Change) -> None:
    """Values that differ have digests that differ."""
    value = make()
    before = digest_of(value)
    change(value)
    if digest_of(value) == before:
        raise LawBroken("a change left the digest as it was")


def a_copy_is_equal_and_apart(make: Make, change: Change) -> None:
    """A copy is equal; a change of either leaves the other as it was."""
    value = make()
    original, payload = digest_of(value), dump(value)
    copy = value.copy()
    law("a copy is of the same class", type(copy), type(value))
    law("a copy is equal", digest_of(copy), original)
    change(copy)
    law(
        "a change of the copy leaves the original",
        (digest_of(value), dump(value)),
        (original, payload),
    )
    copy = value.copy()
    change(value)
    law("a change of the original leaves the copy", digest_of(copy), original)


def its_commands_rebuild_it(server: InProcessServer, make: Make) -> None:
    """The commands of `aof_rewrite`, run on an empty key, make an equal value."""
    value = make()
    with server.client() as client:
        db = server.engine.databases[0]
        db.delete(KEY)
        for argv in value.aof_rewrite(KEY):
            try:
                client(*argv)
            except ReplyError as error:
                shown = b" ".join(argv)[:60]
                raise LawBroken(f"{shown!r}, from aof_rewrite, failed: {error}") from None
        rebuilt = db.get(KEY)
        if not isinstance(rebuilt, Value):
            raise LawBroken("the commands of aof_rewrite left no value at the key")
        law("its commands rebuild it", digest_of(rebuilt), digest_of(value))
        db.delete(KEY)


def its_size_follows_its_changes(make: Make, change: Change) -> None:
    """A changed value says the size that an equal value says that was made at once."""
    value = make()
    for _ in range(100):
        change(value)
    fresh = loaded_as(dump(value), type(value))
    size, expected = value.memory_usage(), fresh.memory_usage()
    if not HONEST_LOW <= size / expected <= HONEST_HIGH:
        raise LawBroken(f"after 100 changes it says {size} bytes, loaded anew {expected}")


def its_size_is_honest(make: Make) -> None:
    """The memory that many equal values take is about what they say."""
    value = make()
    claimed = value.memory_usage()
    load = loader_of(dump(value), type(value), Limits())
    if claimed < 1:
        raise LawBroken(f"it says {claimed} bytes")
    count = min(FILL_BYTES // claimed + 1, VALUES_MAX)
    give_memory_back()
    # Loaded, not copied: copies may share what never changes. The first ones fill the holes that
    # others have left in this process's memory; only what comes after them is measured, and where
    # there were more holes, what comes after that.
    kept = [load() for _ in range(3 * count)]
    for _ in range(MEASUREMENTS):
        before = resident_bytes()
        kept += [load() for _ in range(count)]
        taken = resident_bytes() - before
        if taken >= HONEST_LOW * claimed * count:
            break
    del kept
    give_memory_back()
    if not HONEST_LOW <= taken / (claimed * count) <= HONEST_HIGH:
        raise LawBroken(f"it says {claimed} bytes, but takes about {taken // count}")


def resident_bytes() -> int:
    """What of this process is in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def give_memory_back() -> None:
    """Return what was freed to the system, so that it is not taken for free later."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def law(what: str, found: object, expected: object) -> None:
    """Raise LawBroken unless two things are equal."""
    if found != expected:
        raise LawBroken(f"{what}: {str(found)[:200]} is not {str(expected)[:200]}")
