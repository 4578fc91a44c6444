"""Which series there are in each database, by key and by label.

The registry follows what happens to keys: by commands of this module, which tell it, and by all
others, whose events it listens to. While there has been no series and no question after any, it
does not listen, for every write of every client pays for that; a series that RESTORE brings in the
meantime is found when the first command of this module comes to it.

Rules name the other end by its key. Here these names are kept true: a rule follows both its ends
when they are renamed, and ends when one of them is gone, moves to another database, or is replaced.

That a series was overwritten by something else is not listened to, either. So the registry's word
that a key holds a series is checked where it is relied upon (`series_at`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from balas.api import Attachment, Change, Following
from balas_timeseries.labels import Labels
from balas_timeseries.rule import Rule
from balas_timeseries.series import Series

# What may make a series come, go or change its key, of the events that other commands have.
GOING = {"del", "expired", "evicted", "rename_from", "move_from"}
COMING = {"restore", "rename_to", "copy_to", "move_to"}
# What overwrites a series with something else goes unheard: SET would pay for it. Every so many ms
# some series are looked at, whether they are still there.
SWEEP_MS = 1000
SWEEP_STEP = 1000
SCAN_STEP = 1000


class Registry:
    """The series of one server."""

    def __init__(self) -> None:
        self._known: dict[int, dict[bytes, Series]] = {}
        self._labels: dict[int, Labels] = {}
        self._server: Attachment | None = None
        self._following: Following | None = None
        # Databases in which no series can be that is not known.
        self._seen: set[int] = set()
        self._expected = 0
        self._had_series = False
        self._sweeping: Iterator[tuple[int, bytes]] = iter(())

    def attach(self, server: Attachment) -> None:
        """Begin to follow the keys of a server."""
        self._server = server
        self._following = server.on_change(self._changed, GOING | COMING)
        server.every(SWEEP_MS, self.sweep)

    @property
    def server(self) -> Attachment:
        """The server; there is one before any command runs."""
        assert self._server is not None
        return self._server

    # --- asked by commands -----------------------------------------------------------------------

    def series_at(self, db: int, key: bytes) -> Series | None:
        """The series at a key, if that is still what the key holds."""
        series = self._known.get(db, {}).get(key)
        if series is not None and self.server.peek(key, db) is not series:
            self._check(db, [key])
            series = self._known.get(db, {}).get(key)
        return series

    def known(self, db: int) -> dict[bytes, Series]:
        """The series of a database by key, some of which may have been overwritten meanwhile."""
        return self._known.setdefault(db, {})

    def labels(self, db: int) -> Labels:
        """The labels of a database."""
        if db not in self._seen:
            self._listen()
            self._scan(db)
        return self._labels.setdefault(db, Labels())

    # --- told by commands ------------------------------------------------------------------------

    def add(self, db: int, key: bytes, series: Series) -> None:
        """A series that is new at its key, or that nobody has seen come."""
        if series.place is None and (series.rules or series.source) and not series.keeps_rules:
            self._forget_rules(series)
        previous = self._known.setdefault(db, {}).get(key)
        if previous is not None and previous is not series:
            self._remove(db, key)
        self._listen()
        self._place(db, key, series)

    def relabel(self, series: Series, labels: Iterable[tuple[bytes, bytes]]) -> None:
        """Give a series other labels."""
        assert series.place is not None
        db, key = series.place
        index = self._labels.setdefault(db, Labels())
        index.remove(key, series.labels)
        series.label(tuple(labels))
        index.add(key, series.labels)

    # --- what happens ----------------------------------------------------------------------------

    def count(self) -> int:
        """How many series are known."""
        return sum(map(len, self._known.values()))

    def expect(self, count: int) -> None:
        """A snapshot brings so many series; those that are there already are looked for now."""
        self._expected = count
        self._look()

    def settle(self) -> None:
        """All keys are there. Without a series among them there is nothing to listen to."""
        if self._expected:
            self._look()
            self._expected = 0
        if not self.count() and self._following is not None:
            self._following.pause()
            self._had_series = False
            self._seen.clear()

    def _look(self) -> None:
        """Look for series in all databases."""
        self._listen()
        self._known.clear()
        self._labels.clear()
        for db in range(int(self.server.option("databases"))):
            self._scan(db)

    def reload_database(self, db: int) -> None:
        """All keys of one database may be others."""
        self._known.pop(db, None)
        self._labels.pop(db, None)
        self._seen.discard(db)
        if self._had_series:
            self._scan(db)

    def _listen(self) -> None:
        if self._following is not None:
            self._following.resume()

    def _scan(self, db: int) -> None:
        self._seen.add(db)
        cursor = 0
        while self.server.key_count(db):
            cursor, keys = self.server.scan(cursor, SCAN_STEP, db)
            for key in keys:
                series = self.server.peek(key, db)
                if isinstance(series, Series):
                    self._place(db, key, series)
            if not cursor:
                break

    def sweep(self) -> None:
        """Look at some series, whether they are still there."""
        looked_at = 0
        for db, key in islice(self._sweeping, SWEEP_STEP):
            self.series_at(db, key)
            looked_at += 1
        if looked_at < SWEEP_STEP:
            self._sweeping = iter([(db, key) for db, keys in self._known.items() for key in keys])

    def _changed(self, changes: list[Change]) -> None:
        for db, key, event in changes:
            if event in COMING or key in self._known.get(db, ()):
                break
        else:
            return
        for db in {db for db, _, _ in changes}:
            restored = {key for one, key, event in changes if one == db and event == "restore"}
            self._check(db, [key for one, key, _ in changes if one == db], restored)

    def _check(self, db: int, keys: Iterable[bytes], restored: Iterable[bytes] = ()) -> None:
        """See what some keys hold now. Renamed series come first, since they are not gone."""
        found = {key: self.server.peek(key, db) for key in keys}
        series = {key: value for key, value in found.items() if isinstance(value, Series)}
        for key, one in series.items():
            if one.place is not None and one.place != (db, key):
                self._move(one, db, key)
        known = self._known.get(db, {})
        for key in found:
            if key in known and known[key] is not series.get(key):
                self._remove(db, key)
        for key, one in series.items():
            if one.place is None:
                self.add(db, key, one)
        for key in restored:
            if key in series:
                series[key].keeps_rules = False

    def _move(self, series: Series, db: int, key: bytes) -> None:
        assert series.place is not None
        old_db, old_key = series.place
        if self._known.get(db, {}).get(key) is not None:
            self._remove(db, key)
        if self._known.get(old_db, {}).get(old_key) is series:
            del self._known[old_db][old_key]
            self._labels[old_db].remove(old_key, series.labels)
        if db != old_db:
            self._unlink(old_db, old_key, series)
        else:
            for source, rule in self._ends_at(db, old_key, series):
                rule.destination = key
                source.resize()
            for rule in series.rules:
                other = self._known[db].get(rule.destination)
                if other is not None and other.source == old_key:
                    other.source = key
        self._place(db, key, series)

    def _ends_at(self, db: int, key: bytes, series: Series) -> Iterator[tuple[Series, Rule]]:
        source = self._known.get(db, {}).get(series.source) if series.source is not None else None
        rule = source.rule_to(key) if source is not None else None
        if source is not None and rule is not None:
            yield source, rule

    def _place(self, db: int, key: bytes, series: Series) -> None:
        self._had_series = True
        series.place = (db, key)
        series.resize()
        self._known.setdefault(db, {})[key] = series
        self._labels.setdefault(db, Labels()).add(key, series.labels)

    def _remove(self, db: int, key: bytes) -> None:
        series = self._known[db].pop(key)
        self._labels[db].remove(key, series.labels)
        series.place = None
        self._unlink(db, key, series)

    def _unlink(self, db: int, key: bytes, series: Series) -> None:
        """End all rules from and to a series that was at this key."""
        for source, _ in list(self._ends_at(db, key, series)):
            source.drop_rule(key)
        for rule in series.rules:
            other = self._known.get(db, {}).get(rule.destination)
            if other is not None and other.source == key:
                other.source = None
        self._forget_rules(series)

    def _forget_rules(self, series: Series) -> None:
        series.rules = []
        series.source = None
        series.resize()
