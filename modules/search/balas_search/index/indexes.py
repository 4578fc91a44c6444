"""All indexes of a server: by name, by alias, and by the keys they hold.

They follow the keyspace through one listener. It sees every change of a key, looks which indexes
the key belongs to, and puts the document in anew or takes it out: so an index is in step with the
keys after every command, whatever the command was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from balas.api import Attachment, Change, Following, ReplyError
from balas_search.index.index import Index
from balas_search.index.retirement import emptying
from balas_search.schema.words import shown

# What happens to a key without changing what it holds.
NO_CHANGE = frozenset({"expire", "persist", "keymiss", "new", "overwritten", "type_changed"})
# A slice of a scan takes so long, or looks at so many keys; and the pause between two. The first
# one looks at some keys in any case, so that an index of few documents is complete at once.
SCAN_SLICE_S = 0.001
SCAN_SLICE = 1000
SCAN_FIRST = 200
SCAN_STEP = 10
SCAN_PAUSE_MS = 1
# What a dropped index held is freed in slices of this length, and graphs are built anew.
STEPS_SLICE_S = 0.0005
STEPS_PAUSE_MS = 1
# An index with fewer records, and ids, is renumbered at once.
COLLECTED_AT_ONCE = 10_000
# How long fields that were read are kept after their last use.
READ_KEPT_MS = 60_000


class Indexes:
    """Holds the indexes of one server."""

    def __init__(self) -> None:
        self.by_name: dict[bytes, Index] = {}
        self.aliases: dict[bytes, Index] = {}
        self.server: Attachment | None = None
        self._following: Following | None = None
        self._hashes: list[tuple[tuple[bytes, ...], Index]] = []
        self.changed_since = True
        # The names of those that are being renumbered.
        self._collecting: set[bytes] = set()

    def attach(self, server: Attachment) -> None:
        """Begin to follow the keys of a server."""
        self.server = server
        self._following = server.on_change(self.follow)
        self._sort_out()

    # --- names -----------------------------------------------------------------------------------

    def find(self, name: bytes) -> Index | None:
        """The index of that name or alias."""
        return self.by_name.get(name) or self.aliases.get(name)

    def named(self, name: bytes, error: str = "Unknown index name") -> Index:
        """The index of that name or alias; raises ReplyError."""
        found = self.find(name)
        if found is None:
            raise ReplyError(error)
        return found

    def for_query(self, name: bytes) -> Index:
        """The index that a query is put to; raises ReplyError."""
        found = self.find(name)
        if found is None:
            raise ReplyError(f"{shown(name)}: no such index")
        found.uses += 1
        if self.server is not None:
            found.used_ms = self.server.now_ms
        return found

    def add(self, index: Index) -> None:
        """Add an index; it is not filled by this."""
        if self.server is not None:
            index.used_ms = self.server.now_ms
        self.by_name[index.name] = index
        self._sort_out()

    def drop(self, index: Index) -> None:
        """Forget an index and its aliases."""
        del self.by_name[index.name]
        self.aliases = {alias: other for alias, other in self.aliases.items() if other is not index}
        self._sort_out()
        self._retire(index)

    def clear(self) -> None:
        """Forget all."""
        dropped = list(self.by_name.values())
        self.by_name.clear()
        self.aliases.clear()
        self._sort_out()
        for index in dropped:
            self._retire(index)

    def _sort_out(self) -> None:
        self._hashes = [
            (tuple(index.definition.prefixes), index) for index in self.by_name.values()
        ]
        self.changed_since = True
        if self._following is not None:
            if self.by_name:
                self._following.resume()
            else:
                self._following.pause()

    # --- following the keys ----------------------------------------------------------------------

    def follow(self, changes: list[Change]) -> None:
        """Bring the indexes up to date with changes of keys."""
        if not self._hashes:
            return
        if len(changes) == 1:
            db, key, event = changes[0]
            if db == 0 and event not in NO_CHANGE:
                self.refresh(key)
            return
        for key in {key: None for db, key, event in changes if db == 0 and event not in NO_CHANGE}:
            self.refresh(key)

    def refresh(self, key: bytes) -> None:
        """Index a key as it is now, wherever it belongs."""
        value: object = None
        known = False
        for prefixes, index in self._hashes:
            if key.startswith(prefixes):
                if not known:
                    assert self.server is not None
                    value, known = self.server.peek(key), True
                self.put(index, key, value)

    def put(self, index: Index, key: bytes, value: object) -> None:
        """Index a value, or take its document out if the value is not of the kind."""
        self.changed_since = True
        if not index.reader.is_document(value):
            index.remove(key)
            return
        started = time.perf_counter()
        assert self.server is not None
        index.put(key, index.reader.fields(value, index.identifiers, self.server.now_ms))
        index.indexing_ms += (time.perf_counter() - started) * 1000

    # --- scanning --------------------------------------------------------------------------------

    def scan(self, index: Index) -> None:
        """Fill an index with the keys that are there, in slices; the first one at once."""
        index.scanning = True
        self._scan_slice(index, 0, 0)

    def _scan_slice(self, index: Index, cursor: int, seen: int) -> None:
        server = self.server
        if server is None or self.by_name.get(index.name) is not index:
            return
        prefixes = tuple(index.definition.prefixes)
        until = seen + SCAN_SLICE
        end_s = time.perf_counter() + SCAN_SLICE_S
        while True:
            cursor, keys = server.scan(cursor, SCAN_STEP)
            seen += len(keys)
            for key in keys:
                if key.startswith(prefixes) and key not in index.documents:
                    value = server.peek(key)
                    if index.reader.is_document(value):
                        self.put(index, key, value)
            if not cursor or seen >= until:
                break
            if seen >= SCAN_FIRST and time.perf_counter() >= end_s:
                break
        if cursor:
            index.scanned_share = min(seen / max(server.key_count(), 1), 0.99)
            server.after(SCAN_PAUSE_MS, self._next_slice(index, cursor, seen))
        else:
            index.scanning = False
            index.scanned_share = 1.0

    def _next_slice(self, index: Index, cursor: int, seen: int) -> Callable[[], None]:
        return lambda: self._scan_slice(index, cursor, seen)

    def refill(self, index: Index) -> None:
        """Index all documents anew, because the schema has changed."""
        for field in index.fields.values():
            field.close()
        index.clear()
        self.scan(index)

    def _drop_unused(self) -> None:
        """Drop temporary indexes that nobody has asked for as long as they were to last."""
        if self.server is None:
            return
        for index in list(self.by_name.values()):
            lasts_ms = index.definition.temporary_s * 1000
            if lasts_ms and self.server.now_ms - index.used_ms > lasts_ms:
                self.drop(index)

    def _forget_read(self) -> None:
        """Drop what was read of documents and is not used any more."""
        if self.server is None:
            return
        for index in self.by_name.values():
            for name, column in list(index.read_columns.items()):
                if self.server.now_ms - column.used_ms > READ_KEPT_MS:
                    del index.read_columns[name]
                    self.changed_since = True

    # --- slices ----------------------------------------------------------------------------------

    def _retire(self, index: Index) -> None:
        """Have what an index held freed in slices, beginning after this command."""
        self._in_slices(emptying(index))

    def _in_slices(self, steps: Iterator[None]) -> None:
        if self.server is not None:
            self.server.after(STEPS_PAUSE_MS, partial(self._slice, steps))

    def _slice(self, steps: Iterator[None]) -> None:
        """Do a slice, and see to the next."""
        end_s = time.perf_counter() + STEPS_SLICE_S
        for _ in steps:
            if time.perf_counter() >= end_s:
                self._in_slices(steps)
                return
        self.changed_since = True

    def _collect(self, index: Index) -> None:
        """Renumber an index: a small one at once, a large one in slices."""
        if index.name in self._collecting:
            return
        if max(index.records, index.documents.last_id) < COLLECTED_AT_ONCE:
            index.collect()
        else:
            self._collecting.add(index.name)
            self._in_slices(self._collected(index))

    def _collected(self, index: Index) -> Iterator[None]:
        try:
            for _ in index.collected():
                yield
                if self.by_name.get(index.name) is not index:
                    return
        finally:
            self._collecting.discard(index.name)

    # --- housekeeping ----------------------------------------------------------------------------

    def tidy(self) -> None:
        """Drop what nobody asks, collect what is left of documents, and tell the memory used."""
        self._drop_unused()
        self._forget_read()
        if not self.changed_since or self.server is None:
            return
        self.changed_since = False
        for index in self.by_name.values():
            if index.wants_collection():
                self._collect(index)
            for steps in index.upkeep():
                self._in_slices(steps)
        self.server.count_memory(sum(index.memory() for index in self.by_name.values()))
