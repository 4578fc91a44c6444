"""One index: what it knows of its documents, and how a document gets in and out.

Everything is keyed by document ids, which increase: a document that changes gets a new one. What
belonged to the old one stays in the postings until it is collected; queries leave it out because
the table of documents says that it is gone.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balas.api import ReplyError
from balas_search.analysis.languages import LANGUAGES, stemmer
from balas_search.analysis.phonetics import sounds
from balas_search.analysis.tokens import TextWriter
from balas_search.fields.base import BadField, FieldIndex
from balas_search.fields.geo import GeoIndex
from balas_search.fields.json_values import json_items
from balas_search.fields.numeric import NumericIndex
from balas_search.fields.spec import GEO, GEOSHAPE, NUMERIC, TAG, TEXT, VECTOR, FieldSpec
from balas_search.fields.tag import TagIndex
from balas_search.fields.text import TextIndex
from balas_search.fields.vector import VectorIndex
from balas_search.index.columns import Column, NumericColumn, ReadColumn, TextColumn
from balas_search.index.documents import DocumentReader
from balas_search.index.synonyms import Synonyms
from balas_search.index.tables import DocumentTable
from balas_search.index.vocabulary import Vocabulary
from balas_search.postings.termtable import MOVED_AT_ONCE, TermTable
from balas_search.results.plans import Plans
from balas_search.schema.definition import Definition
from balas_search.schema.words import shown

KINDS: dict[str, type[FieldIndex]] = {
    TEXT: TextIndex,
    TAG: TagIndex,
    NUMERIC: NumericIndex,
    GEO: GeoIndex,
    VECTOR: VectorIndex,
}


def field_index(kind: str) -> type[FieldIndex] | None:
    """What indexes fields of a kind. That of shapes is imported when it is asked for, for it brings
    a library that takes a while.
    """
    if kind == GEOSHAPE:
        from balas_search.fields.geoshape import GeoShapeIndex

        return GeoShapeIndex
    return KINDS.get(kind)


# So many ids must be unused, and as many as are used, before it is worth renumbering.
COLLECT_MIN = 1024
# So many documents of postings are looked at in one step of a purge, and so many get new ids.
PURGED_AT_ONCE = 4096
RENUMBERED_AT_ONCE = 4096
# What a JSON path has that may select several values.
SEVERAL = re.compile(rb"\.\.|\*|\[[^\]'\"]*[:,?]")
# Between the values of a text field with several no phrase reaches across.
MULTI_TEXT_SLOP = 100


@dataclass(slots=True)
class Failures:
    """Documents that could not be indexed."""

    count: int = 0
    error: str = "N/A"
    key: bytes = b"N/A"


class Index:
    """An index and all it holds."""

    def __init__(
        self,
        name: bytes,
        words: Sequence[bytes],
        definition: Definition,
        specs: list[FieldSpec],
        stem_length_min: int = 4,
    ) -> None:
        self.name = name
        self.words = list(words)
        self.definition = definition
        self.stem_length_min = stem_length_min
        self.specs: list[FieldSpec] = []
        self.fields: dict[bytes, FieldIndex] = {}
        self.columns: dict[bytes, Column] = {}
        self.synonyms = Synonyms()
        self.reader = DocumentReader(definition.on_json)
        self.failures = Failures()
        self.uses = 0
        # When it was last asked something, by the server's clock; for TEMPORARY.
        self.used_ms = 0
        self.dialects_used: set[int] = set()
        self.indexing_ms = 0.0
        self.scanning = False
        self.scanned_share = 1.0
        self.plans = Plans()
        self.collections = 0
        self.collected_bytes = 0
        self.collecting_ms = self.last_collecting_ms = 0.0
        self.clear()
        self.add_fields(specs)

    def clear(self) -> None:
        """Forget all documents."""
        self.documents = DocumentTable()
        self.terms = TermTable()
        self.vocabulary = Vocabulary()
        # The documents that lack a field with INDEXMISSING, by its name.
        self.missing = TermTable()
        self.records = 0
        # Fields that are not SORTABLE but were asked for, by their names in hashes.
        self.read_columns: dict[bytes, ReadColumn] = {}
        self.writer = TextWriter(
            self.terms,
            set(self.definition.stop_words),
            self.vocabulary.add,
            not self.definition.no_offsets,
        )
        specs, self.specs = self.specs, []
        self.add_fields(specs)

    # --- the schema ------------------------------------------------------------------------------

    def add_fields(self, specs: list[FieldSpec]) -> None:
        """Add fields to the schema."""
        self.plans.clear()
        for spec in specs:
            made = field_index(spec.kind)
            if made is None:
                raise ReplyError(f"Invalid field type for field `{shown(spec.name)}`")
            self.specs.append(spec)
            self.fields[spec.name] = made(spec)
            if spec.sortable:
                self.columns[spec.name] = NumericColumn() if spec.kind == NUMERIC else TextColumn()
        self._arrange()

    def adopt_default_fields(self) -> None:
        """Take language, score and payload from the fields that FT.ADD puts them in."""
        definition = self.definition
        if not (definition.language_field and definition.score_field and definition.payload_field):
            definition.language_field = definition.language_field or b"__language"
            definition.score_field = definition.score_field or b"__score"
            definition.payload_field = definition.payload_field or b"__payload"
            self._arrange()

    def _arrange(self) -> None:
        """Note what is read of every document."""
        self.identifiers = tuple(spec.identifier for spec in self.specs) + tuple(
            name
            for name in (
                self.definition.language_field,
                self.definition.score_field,
                self.definition.payload_field,
            )
            if name
        )
        if self.definition.filter is not None:
            known = {spec.name.decode("utf-8", "replace") for spec in self.specs}
            self.identifiers += tuple(
                name.encode() for name in self.definition.filter.fields if name not in known
            )
        # What every document goes through, in this order.
        self._plan = [(spec, self.fields[spec.name]) for spec in self.specs]
        texts = self.text_specs()
        # Text fields of several values in no order; those found by sound; those with a suffix trie.
        self.unordered_mask = sum(spec.mask for spec in texts if self._is_several(spec))
        self.phonetic_mask = sum(spec.mask for spec in texts if spec.phonetic)
        self.suffix_mask = sum(spec.mask for spec in texts if spec.suffix_trie)
        self.has_vectors = any(spec.kind == VECTOR for spec in self.specs)

    def _is_several(self, spec: FieldSpec) -> bool:
        return self.definition.on_json and SEVERAL.search(spec.identifier) is not None

    @property
    def stop_words(self) -> frozenset[bytes]:
        """The words that are left out."""
        return self.definition.stop_words

    def spec_of(self, name: bytes) -> FieldSpec | None:
        """The field of that name."""
        field = self.fields.get(name)
        return None if field is None else field.spec

    def text_specs(self) -> list[FieldSpec]:
        """The text fields, by their bits."""
        return [spec for spec in self.specs if spec.kind == TEXT]

    def mask_of(self, name: bytes) -> int:
        """The bit of a text field, as a mask; 0 if there is none of that name."""
        spec = self.spec_of(name)
        return spec.mask if spec is not None and spec.kind == TEXT else 0

    def check_missing(self, name: bytes) -> None:
        """Raise ReplyError unless ismissing() may ask for the field."""
        spec = self.spec_of(name)
        if spec is None:
            raise ReplyError(f"Unknown field `{shown(name)}`")
        if not spec.index_missing:
            raise ReplyError(
                f"'ismissing' requires field '{shown(name)}' to be defined with 'INDEXMISSING'"
            )

    def check_phonetic(self, mask: int) -> None:
        """Raise ReplyError unless one of the fields is matched by sound."""
        if not any(spec.phonetic and spec.mask & mask for spec in self.text_specs()):
            raise ReplyError("field does not support phonetics")

    # --- documents -------------------------------------------------------------------------------

    def put(self, key: bytes, values: Sequence[list[Any] | None]) -> bool:
        """Index a document; False if it cannot be, and then it is not in the index any more.

        `values` are what it has under each of `identifiers`, None where it has nothing.
        """
        prepared: list[Any] = []
        for (spec, field), found in zip(self._plan, values, strict=False):
            if found is None or (spec.no_index and not spec.sortable):
                prepared.append(None)
                continue
            try:
                if self.definition.on_json:
                    found = json_items(found, spec.kind)
                prepared.append(field.prepare(found) if found else None)
            except BadField as error:
                self._failed(key, spec, str(error))
                return False
        if self.definition.filter is not None and not self._accepted(key, values):
            self.remove(key)
            return False
        language, score, payload = self._extras(values)
        self.remove(key)
        doc = self.documents.put(key, score, payload)
        self._write(doc, prepared, values, language)
        return True

    def _failed(self, key: bytes, spec: FieldSpec, error: str) -> None:
        self.remove(key)
        self.failures.count += 1
        self.failures.error, self.failures.key = error, key
        spec.failures += 1
        spec.last_error, spec.last_error_key = error, key

    def _accepted(self, key: bytes, values: Sequence[list[Any] | None]) -> bool:
        """Whether the condition of the index holds."""
        condition = self.definition.filter
        assert condition is not None
        found = {
            name.decode("utf-8", "replace"): value[0]
            for name, value in zip(self.identifiers, values, strict=False)
            if value and isinstance(value[0], bytes)
        }
        found["__key"] = key
        for spec, value in zip(self.specs, values, strict=False):
            if value and isinstance(value[0], bytes):
                found[spec.name.decode("utf-8", "replace")] = value[0]
        return condition.accepts(found)

    def _extras(self, values: Sequence[list[Any] | None]) -> tuple[str, float, bytes | None]:
        """A document's own language, score and payload."""
        definition = self.definition
        language, score, payload = definition.language, definition.score, None
        at = len(self.specs)
        if definition.language_field:
            if found := values[at]:
                said = found[0].decode("utf-8", "replace").lower()
                language = said if said in LANGUAGES else language
            at += 1
        if definition.score_field:
            if found := values[at]:
                score = score_of(found[0], score)
            at += 1
        if definition.payload_field and (found := values[at]):
            payload = found[0]
        return language, score, payload

    def _write(
        self,
        doc: int,
        prepared: list[Any],
        values: Sequence[list[Any] | None],
        language: str,
    ) -> None:
        writer = self.writer
        writer.begin(doc)
        stem = stemmer(language, self.stem_length_min)
        records = 0
        for (spec, field), ready, found in zip(self._plan, prepared, values, strict=False):
            if ready is None:
                # A null of JSON is there, though it is not indexed.
                if spec.index_missing and not found:
                    self.missing.add_doc(spec.name, doc)
                continue
            if not spec.no_index:
                if spec.kind == TEXT:
                    self._write_text(spec, ready, stem, language)
                else:
                    records += field.add(doc, ready)
            if spec.sortable:
                value = field.sort_value(ready, found or [])
                if value is not None:
                    self.columns[spec.name].set(doc, value)
        self.documents.describe(doc, writer.length, writer.frequency_max)
        self.records += records + writer.records

    def _write_text(self, spec: FieldSpec, texts: list[bytes], stem: Any, language: str) -> None:
        writer = self.writer
        for number, text in enumerate(texts):
            if number:
                writer.skip(MULTI_TEXT_SLOP)
            if spec.index_empty and not text:
                writer.add_term(b"", spec.bit)
            writer.add(
                text,
                spec.bit,
                spec.weight,
                None if spec.no_stem else stem,
                language,
                sounds if spec.phonetic else None,
                self.synonyms.terms or None,
            )

    def remove(self, key: bytes) -> bool:
        """Take a document out; False if it was not in."""
        doc = self.documents.remove(key)
        if not doc:
            return False
        for field in self.fields.values():
            if field.wants_removals:
                field.remove(doc)
        return True

    # --- housekeeping ----------------------------------------------------------------------------

    @property
    def unused_ids(self) -> int:
        """Ids of documents that are gone."""
        return self.documents.last_id - len(self.documents)

    def wants_collection(self) -> bool:
        """Whether it is worth renumbering."""
        return self.unused_ids > max(COLLECT_MIN, len(self.documents))

    def upkeep(self) -> list[Iterator[None]]:
        """What fields are to do soon, each in many steps; once told, somebody does it."""
        if not self.has_vectors:
            return []
        return [steps for field in self.fields.values() if (steps := field.upkeep()) is not None]

    def tables(self) -> list[TermTable]:
        """All tables of postings."""
        fields = [field.values for field in self.fields.values() if isinstance(field, TagIndex)]
        return [self.terms, self.missing, *fields]

    def collect(self) -> None:
        """Give the documents new ids without gaps, and drop what belonged to others."""
        for _ in self.collected():
            pass

    def collected(self) -> Iterator[None]:
        """Do the same in many steps, between which documents may come and go.

        First the postings lose the documents that are gone, and then the others get their new ids
        in another table; all this is not seen from outside. Once that table has all, it stands in,
        and so do the columns; postings follow when somebody asks for them, or in the steps left.

        It ends early if the index is collected or cleared meanwhile.
        """
        began, before = time.perf_counter(), self.memory()
        documents, collections = self.documents, self.collections
        spent_ms = 0.0
        for _ in self._steps():
            spent_ms += (time.perf_counter() - began) * 1000
            yield
            if self.documents is not documents or self.collections != collections:
                return
            began = time.perf_counter()
        spent_ms += (time.perf_counter() - began) * 1000
        self.last_collecting_ms = spent_ms
        self.collecting_ms += spent_ms
        self.collected_bytes += max(before - self.memory(), 0)
        self.collections += 1

    def _steps(self) -> Iterator[None]:
        documents = self.documents
        # What another collection has left, that was cut short.
        yield from self._settled()
        # Documents that are gone now are in no posting once all are purged: no id is kept for them.
        documents.begin_renumbering()
        for table in self.tables():
            yield from table.purged(lambda: documents.alive, PURGED_AT_ONCE)
        while documents.renumber_some(RENUMBERED_AT_ONCE):
            yield
        self._renumber(documents.end_renumbering())
        yield
        for name, read in list(self.read_columns.items()):
            if len(read.texts) > 2 * len(documents) + COLLECT_MIN:
                del self.read_columns[name]
                yield
        yield from self._settled()
        for column in self.columns.values():
            yield from column.compacted(documents.all_ids)
        self.records = self.terms.entries

    def _renumber(self, new_ids: NDArray[np.uint32]) -> None:
        for table in (self.terms, self.missing):
            table.renumber(new_ids)
        for field in self.fields.values():
            field.renumber(new_ids)
        for column in (*self.columns.values(), *self.read_columns.values()):
            column.renumber(new_ids)

    def _settled(self) -> Iterator[None]:
        """Finish what renumbering has left to be done."""
        yield from self.terms.settled(self.vocabulary.forget, MOVED_AT_ONCE)
        yield from self.missing.settled(lambda name: None, MOVED_AT_ONCE)
        for field in self.fields.values():
            yield from field.settled()

    def memory(self) -> int:
        """Bytes it takes."""
        return (
            self.documents.memory()
            + self.terms.posting_bytes
            + self.missing.posting_bytes
            + sum([field.memory() for field in self.fields.values()])
            + sum([column.memory() for column in self.columns.values()])
            + sum([column.memory() for column in self.read_columns.values()])
            + self.vocabulary.memory()
        )

    def average_length(self) -> float:
        """The mean of the lengths of documents."""
        count = len(self.documents)
        return self.documents.total_length / count if count else 0.0


def score_of(value: Any, default: float) -> float:
    """A document's score, as its field says it."""
    try:
        score = float(value)
    except (TypeError, ValueError):
        return default
    return score if np.isfinite(score) else default
