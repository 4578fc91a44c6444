"""The rows of an aggregation: columns by name, read and computed no sooner than they are wanted.

A step behind the search adds names to the rows, or leaves some of the rows out. Loaded fields and
applied expressions wait until something asks for them, so that of ten rows that are left in the end
no more than ten are read. What an expression cannot compute cuts the rows off: `failure` is the
error, and only the rows before it are left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from balas_search.aggregate.columns import (
    Arrays,
    Column,
    Numbers,
    Places,
    Repeated,
    Texts,
    column_of,
)
from balas_search.aggregate.expressions import Expression
from balas_search.aggregate.kernels import read_fields
from balas_search.aggregate.values import ABSENT
from balas_search.aggregate.vectors import Frame, evaluate
from balas_search.evaluation.cursors import Docs
from balas_search.fields.numeric import NumericIndex
from balas_search.fields.spec import NUMERIC, FieldSpec
from balas_search.index.columns import UNREAD, ReadColumn, TextColumn
from balas_search.index.index import Index
from balas_search.postings import sets
from balas_search.results.deadline import TimeUp
from balas_search.results.loading import Loader
from balas_search.results.query import Found
from balas_search.results.terms import terms_of

ReadFields = Callable[[bytes, tuple[bytes, ...]], list[bytes | None] | None]
SCORE, KEY = b"__score", b"__key"
# Fields of so many documents are kept once they were read, unless they have more distinct texts, or
# take more bytes, than that.
KEPT_MIN = 1024
KEPT_TEXTS_MAX = 100_000
KEPT_BYTES_MAX = 16 << 20
# Of so many documents the keys are looked up at once, to be read.
KEYS_AT_ONCE = 16384
# Of so many rows there is something to show though the time is over.
LATE_ROWS = 1024


@dataclass(slots=True)
class Source:
    """Where documents are read. `read` gives fields of a hash; `late` tells that time is over."""

    index: Index
    loader: Loader
    read: ReadFields
    late: Callable[[], bool] = lambda: False


@dataclass(slots=True)
class Rows:
    """Rows: documents at first, groups later.

    `keys` are those of the documents, None for groups. `names` are what is shown, in order, and
    `columns` what is known of it. `loads` has the paths of fields that are yet to be read, and
    `pending` the expressions that are yet to be computed, by name.
    """

    source: Source
    size: int
    docs: Docs | None = None
    keys: list[bytes] | None = None
    found: Found | None = None
    names: dict[bytes, None] = field(default_factory=dict)
    columns: dict[bytes, Column] = field(default_factory=dict)
    loads: dict[bytes, bytes] = field(default_factory=dict)
    pending: list[tuple[bytes, Expression]] = field(default_factory=list)
    whole: bool = False
    failure: str = ""
    timed_out: bool = False
    read_until: int | None = None

    # --- adding names ----------------------------------------------------------------------------

    def add_load(self, path: bytes, label: bytes) -> None:
        """Read a field under a name, unless that name is computed."""
        if label in self.names and self._computed(label):
            return
        self.columns.pop(label, None)
        self.names[label] = None
        if path == KEY:
            self.columns[label] = self.key_column()
        elif self.found is None or path not in self.found.yielded:
            self.loads[label] = path

    def _computed(self, label: bytes) -> bool:
        index = self.source.index
        return (
            any(name == label for name, _ in self.pending)
            or (label in self.columns and label not in index.fields)
            or label == SCORE
        )

    def add_expression(self, label: bytes, root: Expression) -> None:
        """Compute an expression under a name, later if the name is new."""
        replaces = label in self.names or label in self.source.index.fields
        if replaces:
            self.settle()
        self.names[label] = None
        self.pending.append((label, root))
        if replaces:
            self.settle()

    def use(self, name: bytes) -> None:
        """Show a property, because a step names it."""
        self.names[name] = None

    # --- columns ---------------------------------------------------------------------------------

    def column(self, name: bytes) -> Column:
        """The values of a property."""
        known = self.columns.get(name)
        if known is None:
            known = self.columns[name] = self._made(name)
        return known

    def _made(self, name: bytes) -> Column:
        path = self.loads.get(name)
        if path is not None:
            self._read([name])
            return self.columns[name]
        if any(label == name for label, _ in self.pending):
            self.settle()
            return self.columns[name]
        if self.docs is None:
            return Repeated(ABSENT, self.size)
        assert self.found is not None
        if name in self.found.yielded:
            return self._measured(name)
        spec = self.source.index.spec_of(name)
        if spec is None:
            return Repeated(ABSENT, self.size)
        kept = None if self.whole else self.kept(spec)
        if kept is not None:
            return kept
        self.loads[name] = name
        self._read([name])
        return self.columns[name]

    def _measured(self, name: bytes) -> Column:
        """The distances of a vector query."""
        assert self.found is not None
        assert self.docs is not None
        docs, distances = self.found.yielded[name]
        at = np.minimum(np.searchsorted(docs, self.docs), max(len(docs) - 1, 0))
        there = docs[at] == self.docs if len(docs) else np.zeros(self.size, bool)
        data = np.where(there, distances[at], np.nan) if len(docs) else np.zeros(self.size)
        return Numbers(data.astype(float), None, ~there)

    def kept(self, spec: FieldSpec) -> Column | None:
        """What the index keeps of a field: its column, or all numbers; None if it keeps nothing."""
        if self.docs is None:
            return None
        index = self.source.index
        column = index.columns.get(spec.name)
        if isinstance(column, TextColumn):
            return Texts(column.codes_at(self.docs), column.texts, column.ranks)
        if column is not None:
            data = column.at(self.docs)
        else:
            field = index.fields[spec.name]
            if not isinstance(field, NumericIndex) or spec.no_index or index.definition.on_json:
                return None
            data = field.pairs.at(self.docs)
        return Numbers(data, None, np.isnan(data))

    def key_column(self) -> Column:
        """The keys of the documents."""
        return Texts(np.arange(self.size), self.all_keys())

    def all_keys(self) -> list[bytes]:
        """The keys of the documents."""
        if self.keys is None:
            docs: Docs | list[int] = [] if self.docs is None else self.docs
            self.keys = [key or b"" for key in self.source.index.documents.keys_of(docs)]
        return self.keys

    def matched_terms(self, most: int) -> Column:
        """The terms of the query that each document has; null for groups."""
        if self.found is None or self.docs is None:
            return Repeated(None, self.size)
        terms = list(dict.fromkeys(terms_of(self.found.cursor)))
        masks = np.zeros(self.size, object)
        for bit, term in enumerate(terms):
            masks[sets.contains(term.docs, self.docs).astype(bool)] |= 1 << bit
        known: dict[int, Any] = {}
        for mask in masks.tolist():
            if mask not in known:
                texts = [term.posting.term for bit, term in enumerate(terms) if mask >> bit & 1]
                known[mask] = texts[:most] or None
        return column_of([known[mask] for mask in masks.tolist()])

    # --- reading ---------------------------------------------------------------------------------

    def _read(self, labels: list[bytes], expand: bool = False) -> None:
        """Read fields of the documents; if the time is over, what is left is cut off."""
        self._read_kept(labels)
        left = [label for label in labels if label in self.loads]
        if not left:
            return
        if self.source.index.definition.on_json:
            self._read_json(left, expand)
            return
        specs = [self.source.index.spec_of(self.loads[label]) for label in left]
        names = tuple(
            self.loads[label] if spec is None else spec.identifier
            for label, spec in zip(left, specs, strict=True)
        )
        for label, spec, column in zip(left, specs, self._texts(names), strict=True):
            if spec is not None and spec.kind == NUMERIC and not self.whole:
                column = as_numbers(column)
            self.columns[label] = column
            del self.loads[label]

    def _texts(self, names: tuple[bytes, ...]) -> list[Column]:
        """Fields of the hashes."""
        source = self.source
        if self.docs is None or self.size < KEPT_MIN:
            done, found = read_fields(source.read, self.all_keys(), names, source.late)
            self._stopped_reading(done)
            return [Texts(codes, texts) for codes, texts in found]
        known = source.index.read_columns
        kept = [known.get(name) or ReadColumn() for name in names]
        unread = np.zeros(self.size, bool)
        for column in kept:
            unread |= column.codes_at(self.docs) == UNREAD
        places = np.flatnonzero(unread)
        docs = self.docs[places]
        for begin in range(0, len(docs), KEYS_AT_ONCE):
            part = docs[begin : begin + KEYS_AT_ONCE]
            keys = [key or b"" for key in source.index.documents.keys_of(part)]
            done, found = read_fields(source.read, keys, names, source.late)
            for column, (codes, texts) in zip(kept, found, strict=True):
                column.put(part[:done], codes[:done], texts)
            if done < len(part):
                self._stopped_reading(int(places[begin + done]))
                break
        for name, column in zip(names, kept, strict=True):
            column.used_ms = source.loader.now_ms
            if len(column.texts) <= KEPT_TEXTS_MAX and column.memory() <= KEPT_BYTES_MAX:
                known[name] = column
            else:
                known.pop(name, None)
        return [Texts(np.maximum(column.codes_at(self.docs), -1), column.texts) for column in kept]

    def _stopped_reading(self, done: int) -> None:
        """Note that only the first rows could be read."""
        if done < self.size:
            self.timed_out = True
            self.read_until = done if self.read_until is None else min(done, self.read_until)

    def _read_kept(self, labels: list[bytes]) -> None:
        """Take numbers from the index, which has them as they are."""
        for label in labels:
            spec = self.source.index.spec_of(self.loads[label])
            if spec is not None and spec.kind == NUMERIC and not self.whole:
                kept = self.kept(spec)
                if kept is not None:
                    self.columns[label] = kept
                    del self.loads[label]

    def _read_json(self, labels: list[bytes], expand: bool) -> None:
        """Read fields of JSON documents."""
        loader = self.source.loader
        values: list[list[Any]] = [[] for _ in labels]
        for place, key in enumerate(self.all_keys()):
            value = loader.value(key)
            for found, label in zip(values, labels, strict=True):
                path = self.loads[label]
                found.append(ABSENT if value is None else self._of_json(value, path, expand))
            if place % 256 == 255 and self.source.late():
                self._stopped_reading(place + 1)
                break
        for found, label in zip(values, labels, strict=True):
            found += [ABSENT] * (self.size - len(found))
            column = column_of(found)
            if loader.dialect > 2 and not expand and isinstance(column, Texts):
                column = Arrays(column.codes, column.texts, column.ranks)
            self.columns[label] = column
            del self.loads[label]

    def _of_json(self, value: Any, path: bytes, expand: bool) -> Any:
        loader = self.source.loader
        spec = self.source.index.spec_of(path)
        name = path if spec is None else spec.identifier
        selected = loader.reader.fields(value, (name,), loader.now_ms)[0]
        if not selected:
            return ABSENT
        if loader.dialect < 3 and not expand:
            first = selected[0]
            if first is None or isinstance(first, bool):
                return None if first is None else b"%d" % first
        shown = loader.reader.shown(value, name, loader.now_ms, loader.dialect, expand)
        if spec is not None and spec.kind == NUMERIC and loader.dialect < 3 and not expand:
            return number_or_text(shown)
        return shown

    def settle(self) -> None:
        """Compute what is pending, one expression after another."""
        while self.pending:
            label, root = self.pending.pop(0)
            frame, self.columns[label] = self.evaluated(root)
            self.loads.pop(label, None)
            self.stop_at(frame)

    def evaluated(self, root: Expression) -> tuple[Frame, Column]:
        """The values of an expression; once the time is over, of the first rows alone, which are
        all that is left then.
        """
        try:
            frame = Frame(self)
            return frame, evaluate(root, frame)
        except TimeUp:
            self.shorten()
            frame = Frame(self)
            return frame, evaluate(root, frame)

    def shorten(self) -> None:
        """Keep no more rows than can be worked on though the time is over."""
        self.trim()
        self.timed_out = True
        self.cut(LATE_ROWS)

    def check_time(self) -> None:
        """Raise TimeUp once the time is over, unless the rows are cut off for it already."""
        if not self.timed_out and self.late():
            raise TimeUp

    def trim(self) -> None:
        """Leave out the rows that there was no time to read."""
        if self.read_until is not None:
            self.cut(self.read_until)
            self.read_until = None

    def stop_at(self, frame: Frame) -> None:
        """Leave out the first row without a value, and all behind it."""
        self.trim()
        if frame.failure is not None and frame.failure[0] < self.size:
            place, self.failure = frame.failure
            self.cut(place)

    def late(self) -> bool:
        """Whether the time is over."""
        return self.source.late()

    def load_all(self) -> None:
        """Read all that is yet to be read."""
        self.settle()
        if self.loads:
            self._read(list(self.loads), self.source.loader.expand)
        self.trim()

    # --- leaving rows out ------------------------------------------------------------------------

    def cut(self, size: int) -> None:
        """Keep the first rows only."""
        if size < self.size:
            self.keep(np.arange(size))

    def keep(self, places: Places) -> None:
        """Keep these rows, in this order."""
        self.columns = {name: column.take(places) for name, column in self.columns.items()}
        if self.docs is not None:
            self.docs = self.docs[places]
        if self.keys is not None:
            keys = self.keys
            self.keys = [keys[place] for place in places.tolist()]
        self.size = len(places)

    def picked(self, places: Places) -> Rows:
        """Some of the rows, as rows of their own."""
        made = Rows(
            self.source,
            self.size,
            self.docs,
            self.keys,
            self.found,
            dict(self.names),
            dict(self.columns),
            dict(self.loads),
            list(self.pending),
            self.whole,
        )
        made.timed_out = self.timed_out
        made.keep(places)
        return made

    def detach(self) -> None:
        """Become independent of document ids, which change: what the index keeps is read now."""
        if self.docs is None:
            return
        self.all_keys()
        self.settle()
        for name in self.names:
            if name not in self.loads:
                self.column(name)
        self._read_kept(list(self.loads))
        self.docs = None

    # --- what is shown ---------------------------------------------------------------------------

    def shown(self) -> tuple[list[bytes], list[list[Any]]]:
        """The names that are shown, and for each the values of all rows."""
        self.load_all()
        names = list(self.names)
        columns = [self.column(name) for name in names]
        if self.source.loader.expand:
            values = [[typed(item) for item in column.items()] for column in columns]
        else:
            values = [column.replies() for column in columns]
        if self.whole:
            extra = self._whole_documents(set(names))
            names += extra
            values += extra.values()
        return names, values

    def _whole_documents(self, known: set[bytes]) -> dict[bytes, list[Any]]:
        """The fields of whole documents that have no column."""
        found: dict[bytes, list[Any]] = {}
        for place, key in enumerate(self.all_keys()):
            for name, value in self.source.loader.whole(key) or ():
                if name not in known:
                    if name not in found:
                        found[name] = [ABSENT] * self.size
                    found[name][place] = value
        return found


def as_numbers(column: Column) -> Column:
    """Texts as numbers; texts that are none are left as they are."""
    numbers, there = column.numbers()
    absent = column.absent()
    if (there if absent is None else there | absent).all():
        return Numbers(numbers, None, absent)
    return column


def typed(value: Any) -> Any:
    """A value as FORMAT EXPAND shows it: numbers as such, whole ones without a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def number_or_text(value: Any) -> Any:
    """A JSON text as a number, if it is one."""
    if value is None:
        return ABSENT
    try:
        return float(value)
    except (TypeError, ValueError):
        return value
