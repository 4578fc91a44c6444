"""Finds what a path selects.

Matches come in the order of RedisJSON: a descendant step `..` applies its selectors to a value
first, then to the value's children one after the other.
"""

import re

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport INT64_MAX, int64_t
from libc.string cimport memcmp, memcpy

from balas_json._cells cimport (
    NO, OBJECT, PACKED, YES, block_of, cell_at, child, count_of, double_of, equal, int64_of,
    integer_cell, is_array, is_container, is_number, is_string, kind_of, member, text_of, unpack,
)
from balas_json._names cimport NO_NAME, find_name
from balas_json._paths cimport (
    ALL, AND, COUNT, CURRENT, EQ, FILTER, GE, GT, INDEX, KEY, LE, LITERAL, LT, MATCH,
    MATCHES, NE, NOT, OR, ROOT, SEARCH, SLICE, TRUTH, VALUE, Condition, Operation, Selector, Source,
    Step, Term,
)

from balas.api import ReplyError

cdef enum:
    # `$..*..*..*` of a small document selects more than any memory holds.
    MATCHES_MAX = 5000000
    # And `$..*..*..*.x` looks at more values than there is time for: about a second of work.
    LOOKS_MAX = 50000000


cdef class Found:
    """The matches of a search."""

    def __cinit__(self):
        self.items = self.first
        self.capacity = 4
        self.limit = MATCHES_MAX + 1

    def __dealloc__(self):
        if self.items != self.first:
            PyMem_Free(self.items)


cdef int add(Found found, const Match *match) except -1:
    cdef Match *moved
    if found.size == MATCHES_MAX:
        raise ReplyError("ERR the path selects too many values")
    if found.size == found.capacity:
        moved = <Match *>PyMem_Malloc(found.capacity * 2 * sizeof(Match))
        if moved == NULL:
            raise MemoryError
        memcpy(moved, found.items, found.size * sizeof(Match))
        if found.items != found.first:
            PyMem_Free(found.items)
        found.items = moved
        found.capacity *= 2
    found.items[found.size] = match[0]
    found.size += 1
    return 0


cdef inline int64_t place_in_array(int64_t index, int64_t count) noexcept:
    """An index as a place: from the end if it is negative, but not before the first item."""
    return index if index >= 0 else max(index + count, <int64_t>0)


@cython.final
cdef class Search:
    """One search in one document. In a search for writing every match has a place."""

    cdef Doc *doc
    cdef Found found
    cdef bint writing
    cdef uint64_t looks
    cdef uint64_t *all_looks      # those of the search that this one is a part of

    cdef inline int look(self) except -1:
        """Count a value that is looked at."""
        self.all_looks[0] += 1
        if self.all_looks[0] > LOOKS_MAX:
            raise ReplyError("ERR the path takes too much time")
        return 0

    cdef inline int step_into(self, const Match *here, uint32_t index, Match *to) except -1:
        """The match of a child; `to` may be `here`."""
        cdef Cell container = here.cell
        to.cell = child(self.doc, container, index)
        to.parent = here.at
        to.at = NOWHERE
        if kind_of(container) != PACKED:
            to.at = block_of(container) + 8 * <uint64_t>index
        to.index = index
        to.depth = here.depth + 1
        return 0

    cdef int64_t chosen(self, const Match *here, const Selector *selector) noexcept:
        """The child that a KEY or INDEX chooses, or -1."""
        cdef uint32_t name
        cdef int64_t index
        if selector.choice == KEY:
            if kind_of(here.cell) != OBJECT:
                return -1
            name = find_name(selector.key, selector.length, selector.hashed)
            return -1 if name == NO_NAME else member(self.doc, here.cell, name)
        if not is_array(here.cell):
            return -1
        index = place_in_array(selector.start, count_of(self.doc, here.cell))
        return index if index < count_of(self.doc, here.cell) else -1

    cdef inline int give_places(self, Path path, uint32_t number, Match *here) except -1:
        """In a search for writing, unpack an array whose items may become matches."""
        if self.writing and kind_of(here.cell) == PACKED:
            if number + 1 == path.count or path.filters:
                unpack(self.doc, here.at)
                here.cell = cell_at(self.doc, here.at)[0]
        return 0

    cdef int walk(self, Path path, uint32_t number, Match here) except -1:
        """Take the steps from this one on."""
        cdef Step *step
        cdef int64_t index
        self.look()
        while number < path.count:
            step = &path.steps[number]
            if step.deep:
                return self.descend(path, number, &here)
            self.give_places(path, number, &here)
            if step.count != 1 or path.selectors[step.first].choice > INDEX:
                return self.branch(path, number, &here)
            index = self.chosen(&here, &path.selectors[step.first])
            if index < 0:
                return 0
            self.step_into(&here, <uint32_t>index, &here)
            number += 1
        return add(self.found, &here)

    cdef int descend(self, Path path, uint32_t number, Match *here) except -1:
        """A step among all descendants."""
        cdef Match below
        cdef uint32_t i
        self.look()
        self.give_places(path, number, here)
        self.branch(path, number, here)
        if not is_container(here.cell) or (kind_of(here.cell) == PACKED and not path.filters):
            return 0
        for i in range(count_of(self.doc, here.cell)):
            if self.found.size >= self.found.limit:
                return 0
            self.step_into(here, i, &below)
            if is_container(below.cell) or path.filters:
                self.descend(path, number, &below)
        return 0

    cdef int branch(self, Path path, uint32_t number, const Match *here) except -1:
        """Follow every selector of a step to every child it chooses.

        A filter may choose a scalar itself, which has no children, as in RedisJSON.
        """
        cdef Step *step = &path.steps[number]
        cdef Selector *selector
        cdef Match below
        cdef int64_t index
        cdef uint32_t i
        if not is_container(here.cell):
            for i in range(step.count if path.filters else 0):
                selector = &path.selectors[step.first + i]
                if selector.choice == FILTER:
                    if self.fulfils(<Condition>selector.condition, here):
                        self.walk(path, number + 1, here[0])
            return 0
        for i in range(step.count):
            if self.found.size >= self.found.limit:
                return 0
            selector = &path.selectors[step.first + i]
            if selector.choice <= INDEX:
                index = self.chosen(here, selector)
                if index >= 0:
                    self.step_into(here, <uint32_t>index, &below)
                    self.walk(path, number + 1, below)
            elif selector.choice == SLICE:
                self.slice(path, number, here, selector)
            else:
                self.every(path, number, here, selector)
        return 0

    cdef int every(
        self, Path path, uint32_t number, const Match *here, const Selector *selector
    ) except -1:
        """All children, or those that fulfil a condition."""
        cdef Match below
        cdef uint32_t i
        for i in range(count_of(self.doc, here.cell)):
            if self.found.size >= self.found.limit:
                return 0
            self.step_into(here, i, &below)
            if selector.choice == ALL or self.fulfils(<Condition>selector.condition, &below):
                self.walk(path, number + 1, below)
        return 0

    cdef int slice(
        self, Path path, uint32_t number, const Match *here, const Selector *selector
    ) except -1:
        cdef int64_t count = count_of(self.doc, here.cell)
        cdef int64_t step = selector.step
        cdef int64_t start = 0, stop = count
        cdef Match below
        if not is_array(here.cell):
            return 0
        if step > 0:
            if selector.has_start:
                start = place_in_array(selector.start, count)
            if selector.has_stop:
                stop = min(place_in_array(selector.stop, count), count)
        else:
            start = count - 1
            stop = -1
            if selector.has_start:
                start = selector.start + (count if selector.start < 0 else 0)
                start = min(start, count - 1)
            if selector.has_stop:
                stop = max(selector.stop + (count if selector.stop < 0 else 0), <int64_t>-1)
        while (start < stop) if step > 0 else (start > stop):
            if start >= 0:
                self.step_into(here, <uint32_t>start, &below)
                self.walk(path, number + 1, below)
            if step > INT64_MAX // 2 or step < -(INT64_MAX // 2):
                return 0
            start += step
        return 0

    # --- filters --------------------------------------------------------------------------------

    cdef bint fulfils(self, Condition condition, const Match *here) except -1:
        """Whether a value fulfils a condition."""
        cdef Operation operation = condition.operation
        if operation == AND:
            return self.fulfils(condition.left, here) and self.fulfils(condition.right, here)
        if operation == OR:
            return self.fulfils(condition.left, here) or self.fulfils(condition.right, here)
        if operation == NOT:
            return not self.fulfils(condition.left, here)
        if operation == TRUTH:
            return self.truth(condition.one, here)
        if operation == MATCHES:
            return self.matches(condition.one, condition.other, here, False)
        return self.compares(condition, here)

    cdef bint truth(self, Term term, const Match *here) except -1:
        cdef Cell cell
        cdef Doc *doc
        if term.source == MATCH or term.source == SEARCH:
            return self.matches(term.first, term.second, here, term.source == MATCH)
        if not self.value_of(term, here, &doc, &cell):
            return False
        return term.source != LITERAL or cell != NO

    cdef bint compares(self, Condition condition, const Match *here) except -1:
        cdef Cell one, other
        cdef Doc *doc
        cdef Doc *other_doc
        cdef Operation operation = condition.operation
        cdef bint there = self.value_of(condition.one, here, &doc, &one)
        if not self.value_of(condition.other, here, &other_doc, &other) or not there:
            return operation == NE
        if is_number(one) and is_number(other):
            return ordered(operation, compare_numbers(doc, one, other_doc, other))
        if is_string(one) and is_string(other):
            return ordered(operation, compare_texts(doc, &one, other_doc, &other))
        if equal(doc, one, other_doc, other):
            return operation == EQ or operation == LE or operation == GE
        return operation == NE

    cdef bint value_of(self, Term term, const Match *here, Doc **doc, Cell *cell) except -1:
        """The value of a term; False if it has none."""
        cdef Source source = term.source
        cdef uint64_t length
        cdef Found found
        doc[0] = self.doc
        if source == LITERAL:
            doc[0] = &term.doc
            cell[0] = cell_at(doc[0], 0)[0]
            return True
        if source == CURRENT or source == ROOT:
            return self.only(term, here, cell)
        if source == COUNT:
            if term.first.path is None:
                return False
            found = self.selected(term.first, here, MATCHES_MAX + 1)
            cell[0] = integer_cell(found.size)
            return True
        if source == MATCH or source == SEARCH:
            cell[0] = YES if self.truth(term, here) else NO
            return True
        if not self.value_of(term.first, here, doc, cell):
            return False
        if source == VALUE:
            return True
        if is_container(cell[0]):
            cell[0] = integer_cell(count_of(doc[0], cell[0]))
            return True
        if not is_string(cell[0]):
            return False
        text = text_of(doc[0], cell, &length)
        cell[0] = integer_cell(len(text[:length].decode("utf-8", "replace")))
        return True

    cdef bint only(self, Term term, const Match *here, Cell *cell) except -1:
        """The one value that a path selects; False if there are none or several."""
        cdef Found found
        if not term.path.count:
            cell[0] = here.cell if term.source == CURRENT else cell_at(self.doc, 0)[0]
            return True
        found = self.selected(term, here, 2)
        if found.size != 1:
            return False
        cell[0] = found.items[0].cell
        return True

    cdef Found selected(self, Term term, const Match *here, Py_ssize_t limit):
        """What a term's path selects, up to `limit` matches or a little more."""
        cdef Search inner = Search.__new__(Search)
        inner.doc = self.doc
        inner.all_looks = self.all_looks
        inner.found = Found.__new__(Found)
        inner.found.limit = limit
        inner.walk(term.path, 0, here[0] if term.source == CURRENT else root_of(self.doc))
        return inner.found

    cdef bint matches(self, Term one, Term other, const Match *here, bint whole) except -1:
        """Whether a regular expression is found in a string; `whole`: is the whole of it."""
        cdef Cell cell, pattern
        cdef Doc *doc
        cdef Doc *pattern_doc
        if not self.value_of(one, here, &doc, &cell) or not is_string(cell):
            return False
        if not self.value_of(other, here, &pattern_doc, &pattern) or not is_string(pattern):
            return False
        if other.source != LITERAL or other.pattern is None:
            try:
                other.pattern = re.compile(decoded(pattern_doc, &pattern))
            except re.error:
                other.pattern = False
        if other.pattern is False:
            return False
        text = decoded(doc, &cell)
        return (other.pattern.fullmatch(text) if whole else other.pattern.search(text)) is not None


cdef str decoded(const Doc *doc, const Cell *cell):
    cdef uint64_t length
    cdef const char *text = text_of(doc, cell, &length)
    return text[:length].decode("utf-8", "replace")


cdef inline bint ordered(Operation operation, int order) noexcept:
    """Whether a comparison holds of two values in this order: negative, zero or positive."""
    if operation == EQ:
        return order == 0
    if operation == NE:
        return order != 0
    if operation == LT:
        return order < 0
    if operation == LE:
        return order <= 0
    return order > 0 if operation == GT else order >= 0


cdef int compare_numbers(const Doc *doc, Cell one, const Doc *other_doc, Cell other) noexcept:
    cdef int64_t whole, other_whole
    cdef double value, other_value
    if int64_of(doc, one, &whole) and int64_of(other_doc, other, &other_whole):
        return (whole > other_whole) - (whole < other_whole)
    value = double_of(doc, one)
    other_value = double_of(other_doc, other)
    return (value > other_value) - (value < other_value)


cdef int compare_texts(
    const Doc *doc, const Cell *one, const Doc *other_doc, const Cell *other
) noexcept:
    cdef uint64_t length, other_length
    cdef const char *text = text_of(doc, one, &length)
    cdef const char *other_text = text_of(other_doc, other, &other_length)
    cdef int order = memcmp(text, other_text, min(length, other_length))
    return order if order else (length > other_length) - (length < other_length)


cdef Match root_of(Doc *doc) noexcept:
    """The match of the root."""
    cdef Match root
    root.cell = cell_at(doc, 0)[0]
    root.at = 0
    root.parent = NOWHERE
    root.index = 0
    root.depth = 0
    return root


cdef Found search(Doc *doc, Path path, bint writing, Py_ssize_t limit):
    """What a path selects of a document; not much more than `limit` matches, unless it is 0."""
    cdef Search made = Search.__new__(Search)
    made.doc = doc
    made.found = Found.__new__(Found)
    made.writing = writing
    made.all_looks = &made.looks
    if limit:
        made.found.limit = limit
    made.walk(path, 0, root_of(doc))
    return made.found
