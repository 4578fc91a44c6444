"""FT.SEARCH, once its arguments are read: find, sort, load, reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from balas.api import Context, Pairs, Reply, ReplyError, Status
from balas_search.aggregate.columns import Numbers, Texts
from balas_search.aggregate.rows import Rows, Source
from balas_search.aggregate.steps import sorted_places
from balas_search.evaluation.cursors import Docs, TermCursor
from balas_search.evaluation.evaluation import Limits
from balas_search.evaluation.scorers import idf, idf_of
from balas_search.fields.spec import NUMERIC, FieldSpec
from balas_search.index.columns import NumericColumn
from balas_search.index.index import Index
from balas_search.postings.posting import Posting
from balas_search.postings.ranking import best_keys
from balas_search.query.tree import Token, Union
from balas_search.results.deadline import TimeUp, late_check, raising
from balas_search.results.excerpts import Excerpter, Hits, named_fields
from balas_search.results.explaining import explain_score
from balas_search.results.loading import Loader
from balas_search.results.order import Loaded, SortColumn, by_keys, number_text
from balas_search.results.pages import ChosenRows, WholeRows
from balas_search.results.plans import Plan
from balas_search.results.query import Found, run, tree_of
from balas_search.results.terms import terms_matched
from balas_search.schema.words import shown

NO_OFFSETS = "Cannot use highlight/summarize because NOOFSETS was specified at index level"
# So many rows are filled before time is looked at again.
ROWS_AT_ONCE = 256
TIME_IS_UP = "Timeout limit was reached"
# A word may stand for so many terms, to be looked up the short way.
WORD_TERMS_MAX = 2
BEING_FILLED = "The index is being filled: results are incomplete"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a query may take unless it says so itself, and whether it fails then."""

    timeout_ms: int
    fails: bool


@dataclass(slots=True)
class Row:
    """One document of a reply."""

    key: bytes
    score: Any = None
    payload: bytes | None = None
    sort_key: bytes | None = None
    fields: list[tuple[bytes, Any]] | None = None


class Searcher:
    """One FT.SEARCH."""

    def __init__(
        self,
        ctx: Context,
        index: Index,
        plan: Plan,
        limits: Limits,
        timing: Timing,
    ) -> None:
        self.ctx = ctx
        self.index = index
        self.plan = plan
        self.options = plan.options
        self.limits = limits
        self.timing = timing
        given_ms = self.options.timeout_ms
        self.late = late_check(timing.timeout_ms if given_ms is None else given_ms)
        self.warnings = [BEING_FILLED] if index.scanning else []
        self.found: Found | None = None
        self._best: Any = None
        # The fields that came up so far, and their places: rows show them all in one order.
        self._known: dict[bytes, int] = {}
        self._loader: Loader | None = None

    @property
    def loader(self) -> Loader:
        """Reads the documents."""
        if self._loader is None:
            ctx, options = self.ctx, self.options
            self._loader = Loader(
                self.index,
                ctx.peek_any,
                ctx.read_fields,
                ctx.now_ms,
                options.dialect,
                options.expand_format,
            )
        return self._loader

    def reply(self, query: bytes, short_ways: bool = False) -> Reply:
        """Everything; raises ReplyError. On a short way it does not show how it was found."""
        self.check()
        plan, options = self.plan, self.options
        if short_ways and plan.tree is None and options.sort_by is None and not options.scorer:
            # Whether there is one depends on it.
            plan.tree = tree_of(self.index, query, options)
        if self.ctx.resp != 3 and self.options.keys_alone:
            return self.keys_alone(query)
        if self.ctx.resp == 3:
            return self.as_map(*self.find(query))
        if options.plain and not self.index.definition.on_json:
            return self.plain_page(query)
        return self.as_list(*self.find(query))

    def stages(self) -> list[str]:
        """What is done with documents after they are found."""
        options = self.options
        made = ["Index"]
        if self.found is not None and self.found.yielded:
            made.append("Metrics Applier")
        if options.sort_by is None or options.with_scores:
            made.append("Scorer")
        made.append("Sorter")
        if not options.no_content:
            made.append("Loader")
        if options.highlight is not None or options.summarize is not None:
            made.append("Highlighter")
        return made

    def check(self) -> None:
        """Raise ReplyError where the options do not go with the index."""
        options = self.options
        if options.expand_format:
            if self.ctx.resp != 3:
                raise ReplyError("EXPAND format is only supported with RESP3")
            if not self.index.definition.on_json:
                raise ReplyError("EXPAND format is only supported with JSON")
        if self.index.definition.no_highlights and (options.highlight or options.summarize):
            raise ReplyError(NO_OFFSETS)
        self.index.dialects_used.add(options.dialect)

    def find(self, query: bytes) -> tuple[int, list[Row]]:
        """How many documents match, and the rows that are wanted."""
        short = self.find_single_word()
        if short is not None:
            return short
        found = self.run(query)
        return (0, []) if found is None else self.rows_of(found)

    def rows_of(self, found: Found) -> tuple[int, list[Row]]:
        """The same, once documents are found."""
        options = self.options
        total = len(found.docs)
        if options.count == 0 or options.offset >= total:
            return total, []
        self._known = {name: place for place, name in enumerate(dict.fromkeys(self.ahead()))}
        places, column = self.places_in_time(found)
        scores = self.scores(found, places) if options.with_scores else [None] * len(places)
        docs = found.docs[places]
        keys = self.index.documents.keys_of(docs)
        rows = [Row(key or b"", score) for key, score in zip(keys, scores, strict=True)]
        if options.with_payloads:
            payloads = self.index.documents.payloads
            for row, doc in zip(rows, docs.tolist(), strict=True):
                row.payload = payloads.get(doc)
        if options.with_sort_keys:
            for row, place in zip(rows, places.tolist(), strict=True):
                row.sort_key = self.sort_key(found, place, column)
        if not options.no_content:
            self.fill_in_time(rows, found, docs)
        return total, rows

    def time_is_up(self) -> None:
        """Note that the time is over; raises ReplyError if that is an error."""
        if self.timing.fails:
            raise ReplyError(TIME_IS_UP)
        if TIME_IS_UP not in self.warnings:
            self.warnings.append(TIME_IS_UP)

    def fill_in_time(self, rows: list[Row], found: Found | None, docs: Docs) -> None:
        """Give the rows their fields, and leave out those that there is no time for."""
        for begin in range(0, len(rows), ROWS_AT_ONCE):
            if begin and self.late():
                self.time_is_up()
                del rows[begin:]
                return
            end = begin + ROWS_AT_ONCE
            self.fill(rows[begin:end], found, docs[begin:end])

    def best_of_single_word(self) -> list[Any] | None:
        """For a query of a single word how many documents match, and the keys of those wanted; None
        where there is no short way to them.
        """
        options = self.options
        if (
            options.sort_by is not None
            or options.scorer
            or options.with_scores
            or options.no_content
            or options.highlight is not None
            or options.summarize is not None
        ):
            return None
        terms = self.single_word()
        if not terms:
            return None
        return best_keys(self.index.documents, terms, options.offset, options.count)

    def plain_page(self, query: bytes) -> Reply:
        """The reply in RESP2 that has hashes as they are."""
        options = self.options
        best = self.best_of_single_word()
        if best is None:
            found = self.run(query)
            if found is None:
                return [0]
            if found.yielded:
                return self.as_list(*self.rows_of(found))
            best = [len(found.docs)]
            if options.count and options.offset < len(found.docs):
                self._known = {name: at for at, name in enumerate(dict.fromkeys(self.ahead()))}
                places, _ = self.places_in_time(found)
                best += self.index.documents.keys_of(found.docs[places])
        made: list[Reply] = [best[0]]
        page = self.page()
        for begin in range(1, len(best), ROWS_AT_ONCE):
            if begin > 1 and self.late():
                self.time_is_up()
                break
            page.add(made, best[begin : begin + ROWS_AT_ONCE])
        return made

    def page(self) -> WholeRows | ChosenRows:
        """What appends rows of hashes to a reply in RESP2."""
        index, loader, returned = self.index, self.loader, self.options.returned
        if returned is None:
            return WholeRows(loader.peek, loader.now_ms, self._known, loader.hidden)
        fields: list[tuple[bytes, bytes, bytes, bool, NumericColumn | None]] = []
        for field in returned:
            spec = index.spec_of(field.name)
            if spec is None:
                fields.append((field.name, field.label, field.name, False, None))
                continue
            column = index.columns.get(spec.name)
            kept = column if isinstance(column, NumericColumn) else None
            is_number = spec.kind == NUMERIC
            fields.append((field.name, field.label, spec.identifier, is_number, kept))
        return ChosenRows(loader.read, index.documents, fields, loader.hidden)

    def find_single_word(self) -> tuple[int, list[Row]] | None:
        """The short way to the rows of a single word; None where it cannot be gone."""
        options = self.options
        documents = self.index.documents
        best = self.best_of_single_word()
        if best is None:
            return None
        keys = [key for key in best if isinstance(key, bytes)]
        docs = np.array([documents.id_of(key) for key in keys], np.uint32)
        rows = [Row(key) for key in keys]
        if options.with_payloads:
            for row, doc in zip(rows, docs.tolist(), strict=True):
                row.payload = documents.payloads.get(doc)
        self.fill_in_time(rows, None, docs)
        return cast(int, best[0]), rows

    def keys_alone(self, query: bytes) -> Reply:
        """The reply in RESP2 that has nothing but keys: the short way to it."""
        options = self.options
        if options.sort_by is None and not options.scorer:
            terms = self.single_word()
            if terms:
                best = best_keys(self.index.documents, terms, options.offset, options.count)
                if best is not None:
                    return list(best)
        found = self.run(query)
        if found is None:
            return [0]
        made: list[Reply] = [len(found.docs)]
        if options.count and options.offset < len(found.docs):
            places, _ = self.places_in_time(found)
            made += self.index.documents.keys_of(found.docs[places])
        return made

    def single_word(self) -> list[tuple[Posting, int, float]]:
        """The one or two terms that a query of one word looks for: the word and its stem.

        With each its fields, and what it is worth. Empty if there is more to the query, or its tree
        is not known yet.
        """
        tree = self.plan.tree
        tokens = tree.children if isinstance(tree, Union) and tree.weight == 1 else [tree]
        total = len(self.index.documents)
        terms: list[tuple[Posting, int, float]] = []
        for token in tokens:
            if not isinstance(token, Token) or token.weight != 1:
                return []
            posting = self.index.terms.get(token.text)
            if posting is not None:
                if not posting.offsets_bytes():
                    return []
                terms.append((posting, token.mask, idf(total, len(posting))))
        return terms if len(terms) <= WORD_TERMS_MAX else []

    def run(self, query: bytes) -> Found | None:
        """What the query finds; None if the time is over, and that is no error."""
        options = self.options
        check_time = raising(self.late)
        try:
            found = run(self.index, query, options, self.limits, check_time, self.plan.tree)
        except TimeUp:
            self.time_is_up()
            return None
        self.found = found
        found.late = self.late
        self.plan.tree = found.tree
        if options.count:
            if options.sort_by is not None:
                self.check_sort_field(found)
            self.check_excerpts()
        return found

    def check_sort_field(self, found: Found) -> None:
        """Raise ReplyError unless the documents can be sorted so."""
        options = self.options
        for name in (options.sort_by or b"", *(name for name, _ in options.then_by)):
            if self.index.spec_of(name) is None and name not in found.yielded:
                raise ReplyError(f"Property `{shown(name)}` not loaded nor in schema")

    def check_excerpts(self) -> None:
        """Raise ReplyError if whole documents are to be shown with hits in unknown fields."""
        options = self.options
        if options.no_content or options.returned is not None:
            return
        for name in named_fields(options.summarize, options.highlight):
            if self.index.spec_of(name) is None:
                raise ReplyError(f"No such property `{shown(name)}`")

    def places_in_time(self, found: Found) -> tuple[Any, SortColumn | None]:
        """The same as `places`; once the time is over, of the first documents found alone."""
        try:
            chosen = self.places(found)
            if self.late():
                self.time_is_up()
        except TimeUp:
            self.time_is_up()
            found.shorten()
            chosen = self.places(found)
        return chosen

    def check_time(self) -> None:
        """Raise TimeUp once the time is over, unless that is noted already."""
        if TIME_IS_UP not in self.warnings and self.late():
            raise TimeUp

    def places(self, found: Found) -> tuple[Any, SortColumn | None]:
        """The places of the wanted rows among the documents found; raises TimeUp."""
        options = self.options
        name = options.sort_by
        if name is None:
            places, self._best = found.best(options.offset, options.count)
            return places, None
        if options.then_by:
            return self.places_by_several(found), None
        if name in found.yielded:
            keys = self.distances(found, name)
            found_places = by_keys(
                keys, options.descending, options.offset, options.count, self.check_time
            )
            return found_places, None
        spec = self.index.spec_of(name)
        assert spec is not None
        loaded = None if spec.sortable else self.loaded(found, spec)
        column = SortColumn(self.index, spec, found.docs, loaded)
        places = by_keys(
            column.keys, options.descending, options.offset, options.count, self.check_time
        )
        return places, column

    def loaded(self, found: Found, spec: FieldSpec) -> Loaded:
        """A field that is not SORTABLE, of all documents found."""
        if not self.loader.reader.on_json:
            rows = self.rows(found)
            column = rows.column(spec.name)
            if rows.read_until is not None:
                found.shorten(rows.read_until)
                self.time_is_up()
                column = column.take(np.arange(len(found.docs)))
            if isinstance(column, Numbers if spec.kind == NUMERIC else Texts):
                return column
        return self.loader.column(found.docs, spec, self.check_time)

    def rows(self, found: Found) -> Rows:
        """The documents found, as rows whose fields are read when they are asked for."""
        source = Source(self.index, self.loader, self.ctx.read_fields, self.late)
        return Rows(source, len(found.docs), found.docs, found=found)

    def places_by_several(self, found: Found) -> Any:
        """The same, where SORTBY is given more than once."""
        options = self.options
        rows = self.rows(found)
        keys = [(options.sort_by or b"", options.descending), *options.then_by]
        for name, _ in keys:
            rows.column(name)
        if rows.read_until is not None:
            found.shorten(rows.read_until)
            rows.trim()
            self.time_is_up()
        columns = [(rows.column(name), descending) for name, descending in keys]
        return sorted_places(columns, rows.size, options.offset, options.count, self.check_time)

    def distances(self, found: Found, name: bytes) -> Any:
        """The distances under a name, for the documents found; NaN where there is none."""
        docs, distances = found.yielded[name]
        if docs is found.docs:
            return distances
        keys = np.full(len(found.docs), np.nan)
        at = np.searchsorted(docs, found.docs)
        at[at == len(docs)] = 0
        if len(docs):
            there = docs[at] == found.docs
            keys[there] = distances[at[there]]
        return keys

    # --- rows ------------------------------------------------------------------------------------

    def scores(self, found: Found, places: Any) -> list[Any]:
        """The scores of the wanted rows, perhaps with how they came about."""
        scores = self._best
        if scores is None:
            # Documents are scored in the order of their ids.
            order = np.argsort(places)
            scores = np.empty(len(places))
            scores[order] = found.scores(found.docs[places[order]])
        if not self.options.explain_score:
            return list(scores.tolist())
        scorer = self.options.scorer or b"TFIDF"
        return [
            [value, explain_score(self.index, found.cursor, found.docs[[place]], scorer, value)]
            for place, value in zip(places.tolist(), scores.tolist(), strict=True)
        ]

    def sort_key(self, found: Found, place: int, column: SortColumn | None) -> bytes | None:
        """What WITHSORTKEYS shows of a document."""
        if column is not None:
            return column.shown(place)
        name = self.options.sort_by
        if name not in found.yielded:
            return None
        distance = dict(self.measured(found, int(found.docs[place]))).get(name)
        return None if distance is None else b"#" + distance

    def fill(self, rows: list[Row], found: Found | None, docs: Docs) -> None:
        """Give the rows the fields of their documents that are wanted, as they are to be shown."""
        options = self.options
        yielded = {} if found is None else found.yielded
        labels: dict[bytes, bytes] | None = None
        if options.returned is not None:
            labels = {field.name: field.label for field in options.returned}
            read = [field for field in options.returned if field.name not in yielded]
            contents = self.loader.chosen([row.key for row in rows], docs, read)
        else:
            contents = [
                self.ordered(self.with_sort_field(self.loader.whole(row.key), doc, row.key))
                for row, doc in zip(rows, docs.tolist(), strict=True)
            ]
        shows = options.highlight is not None or options.summarize is not None
        excerpters = self.excerpters(found, docs) if shows and found else [None] * len(rows)
        columns = zip(rows, contents, docs.tolist(), excerpters, strict=True)
        for row, fields, doc, excerpter in columns:
            if fields is None:
                continue
            if excerpter is not None:
                fields = [
                    (name, excerpter.show(name, text) if isinstance(text, bytes) else text)
                    for name, text in fields
                ]
            if found is not None and yielded:
                extra = self.measured(found, doc)
                if labels is not None:
                    extra = [(labels[name], value) for name, value in extra if name in labels]
                fields = extra + fields
            row.fields = fields

    def with_sort_field(
        self, fields: list[tuple[bytes, Any]] | None, doc: int, key: bytes
    ) -> list[tuple[bytes, Any]] | None:
        """Of JSON, the field that was sorted by stands beside the document."""
        name = self.options.sort_by
        if fields is None or name is None or not self.loader.reader.on_json:
            return fields
        shown = self.loader.field(self.loader.value(key), doc, name)
        return fields if shown is None else [(name, shown), *fields]

    def ordered(self, fields: list[tuple[bytes, Any]] | None) -> list[tuple[bytes, Any]] | None:
        """Fields in the order in which they came up first in any row."""
        if fields is None:
            return None
        known = self._known
        last = -1
        in_order = True
        for name, _ in fields:
            place = known.setdefault(name, len(known))
            in_order = in_order and place > last
            last = place
        return fields if in_order else sorted(fields, key=lambda pair: known[pair[0]])

    def measured(self, found: Found, doc: int) -> list[tuple[bytes, Any]]:
        """The distances of a document."""
        made: list[tuple[bytes, Any]] = []
        for name, (docs, distances) in found.yielded.items():
            at = int(np.searchsorted(docs, doc))
            if at < len(docs) and docs[at] == doc:
                made.append((name, number_text(float(distances[at]))))
        return made

    def ahead(self) -> list[bytes]:
        """Names of fields that come before the others."""
        options = self.options
        names = [] if options.sort_by is None else [options.sort_by]
        for excerpts in (options.summarize, options.highlight):
            if excerpts is not None and excerpts.fields is not None:
                names += excerpts.fields
        specs = [(name, self.index.spec_of(name)) for name in names]
        return [name if spec is None else spec.identifier for name, spec in specs]

    def excerpters(self, found: Found, docs: Docs) -> list[Excerpter]:
        """For each document what shows the words that it matches by."""
        order = np.argsort(docs)
        matched = terms_matched(found.cursor, docs[order], np.ones(len(docs), bool))
        # Values of tags are no words of a text.
        known_terms = self.index.terms
        terms = [
            (term, there)
            for term, there in matched
            if known_terms.get(term.posting.term) is term.posting
        ]
        matches = np.zeros((len(docs), len(terms)), bool)
        for at, (_, there) in enumerate(terms):
            matches[order, at] = there
        known: dict[bytes, Excerpter] = {}
        made = []
        for own in matches:
            pattern = own.tobytes()
            if pattern not in known:
                shown_terms = [term for (term, _), there in zip(terms, own, strict=True) if there]
                known[pattern] = self.excerpter(shown_terms)
            made.append(known[pattern])
        return made

    def excerpter(self, terms: list[TermCursor]) -> Excerpter:
        """Shows these terms."""
        hits = Hits({term.posting.term: idf_of(term) for term in terms})
        language = self.options.language or self.index.definition.language
        options = self.options
        chosen = options.returned is not None
        return Excerpter(self.index, hits, options.summarize, options.highlight, language, chosen)

    # --- replies ---------------------------------------------------------------------------------

    def as_list(self, total: int, rows: list[Row]) -> Reply:
        """The reply in RESP2."""
        options = self.options
        made: list[Reply] = [total]
        for row in rows:
            made.append(row.key)
            if options.with_scores:
                made.append(row.score)
            if options.with_payloads:
                made.append(row.payload)
            if options.with_sort_keys:
                made.append(row.sort_key)
            if not options.no_content:
                flat = [part for pair in row.fields or () for part in pair]
                made.append(None if row.fields is None else flat)
        return made

    def as_map(self, total: int, rows: list[Row]) -> Reply:
        """The reply in RESP3."""
        return {
            Status("attributes"): [],
            Status("total_results"): total,
            Status("format"): Status("EXPAND" if self.options.expand_format else "STRING"),
            Status("results"): [self.row_map(row) for row in rows],
            Status("warning"): list(self.warnings),
        }

    def row_map(self, row: Row) -> Reply:
        """A row of it."""
        options = self.options
        made: list[tuple[Reply, Reply]] = [(Status("id"), row.key)]
        if options.with_scores:
            made.append((Status("score"), row.score))
        if options.with_payloads:
            made.append((Status("payload"), row.payload))
        if options.with_sort_keys:
            made.append((Status("sortkey"), row.sort_key))
        if not options.no_content:
            fields = None if row.fields is None else Pairs(row.fields)
            made.append((Status("extra_attributes"), fields))
        made.append((Status("values"), []))
        return Pairs(made)
