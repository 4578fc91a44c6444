"""The values of one property, of all nodes or of all edges, by their ids.

A value takes a tag of one byte and a cell of eight: integers, floats, booleans and strings of up to
seven bytes stand in the cell, longer strings in an arena beside, and all else is a Python object.
A property that few entities have is a dict.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

import json

import numpy as np

cdef extern from *:
    """
    #define balas_prefetch(place) __builtin_prefetch(place)
    """
    void prefetch "balas_prefetch"(void *place) noexcept nogil

# So far ahead values are fetched into the cache.
cdef Py_ssize_t AHEAD = 12

cdef enum:
    ABSENT = 0
    INTEGER = 1
    FLOAT = 2
    BOOLEAN = 3
    OBJECT = 4
    LONG_TEXT = 5
    TEXT = 8  # and 1 to 7 more: the bytes of a short string

# The lower bits of a long string's cell are its length, the upper its place.
cdef int LENGTH_BITS = 24
cdef int64_t LENGTH_MASK = (1 << 24) - 1
# More groups than so many are left to a dict, which grows.
cdef Py_ssize_t GROUPS_MAX = 1 << 20
# A dict of fewer entries stays one.
cdef Py_ssize_t SPARSE_MAX = 32
# A dict entry with its key, in bytes, as sys.getsizeof has it; a value is about as large.
cdef Py_ssize_t SPARSE_BYTES = 160
cdef Py_ssize_t OBJECT_BYTES = 120

OPERATORS = {"=": 0, "<>": 1, "<": 2, "<=": 3, ">": 4, ">=": 5}


cdef class Column:
    """Values by id."""

    def __cinit__(self):
        self.sparse = {}
        self.tags = NULL
        self.cells = NULL
        self.arena = NULL

    def __dealloc__(self):
        free(self.tags)
        free(self.cells)
        free(self.arena)

    cpdef Py_ssize_t memory(self):
        """Bytes."""
        if self.sparse is not None:
            return SPARSE_BYTES * len(self.sparse)
        cdef Py_ssize_t kept = len(self.objects) if self.objects is not None else 0
        return self.size * 9 + self.arena_size + kept * OBJECT_BYTES

    cdef object get(self, int32_t id):
        """The value of an entity, or None."""
        if self.sparse is not None:
            return self.sparse.get(id)
        if id >= self.size:
            return None
        cdef int tag = self.tags[id]
        cdef Cell *cell = &self.cells[id]
        if tag == ABSENT:
            return None
        if tag == INTEGER:
            return cell.whole
        if tag == FLOAT:
            return cell.real
        if tag == BOOLEAN:
            return cell.whole != 0
        if tag == OBJECT:
            return self.objects[cell.whole]
        if tag == LONG_TEXT:
            return PyUnicode_DecodeUTF8(
                self.arena + (cell.whole >> LENGTH_BITS), cell.whole & LENGTH_MASK, "surrogatepass"
            )
        return PyUnicode_DecodeUTF8(cell.text, tag - TEXT, "surrogatepass")

    def value(self, int32_t id):
        """The value of an entity, or None."""
        return self.get(id)

    cdef object put(self, int32_t id, object value, Py_ssize_t limit):
        """Set a value; `limit` is how many entities there are."""
        if self.sparse is not None:
            if id not in self.sparse:
                self.count += 1
            self.sparse[id] = value
            if len(self.sparse) >= SPARSE_MAX and len(self.sparse) * 8 >= limit:
                self.spread(max(limit, id + 1))
            return
        if id >= self.size:
            self.grow(id + 1)
        if self.tags[id] == ABSENT:
            self.count += 1
        else:
            self.forget_cell(id)
        self.write(id, value)

    cdef int write(self, int32_t id, object value) except -1:
        """Fill an empty cell."""
        cdef Cell *cell = &self.cells[id]
        cdef bytes data
        cdef Py_ssize_t length
        kind = type(value)
        if kind is int:
            cell.whole = value
            self.tags[id] = INTEGER
        elif kind is float:
            cell.real = value
            self.tags[id] = FLOAT
        elif kind is bool:
            cell.whole = 1 if value else 0
            self.tags[id] = BOOLEAN
        elif kind is str:
            data = (<str> value).encode("utf-8", "surrogatepass")
            length = PyBytes_GET_SIZE(data)
            if length < 8:
                cell.whole = 0
                memcpy(cell.text, PyBytes_AS_STRING(data), length)
                self.tags[id] = <uint8_t> (TEXT + length)
            elif length <= LENGTH_MASK:
                if self.arena_garbage > 4096 and self.arena_garbage * 2 > self.arena_used:
                    self.tidy()
                if self.arena_used + length > self.arena_size:
                    self.widen(self.arena_used + length)
                memcpy(self.arena + self.arena_used, PyBytes_AS_STRING(data), length)
                cell.whole = (<int64_t> self.arena_used << LENGTH_BITS) | length
                self.arena_used += length
                self.tags[id] = LONG_TEXT
            else:
                self.keep_object(id, value)
        else:
            self.keep_object(id, value)
        return 0

    cdef int keep_object(self, int32_t id, object value) except -1:
        """Keep what fits into no cell."""
        if self.objects is None:
            self.objects, self.free_objects = [], []
        if self.free_objects:
            place = self.free_objects.pop()
            self.objects[place] = value
        else:
            place = len(self.objects)
            self.objects.append(value)
        self.cells[id].whole = place
        self.tags[id] = OBJECT
        return 0

    cdef int forget_cell(self, int32_t id) except -1:
        """Let go of what a cell refers to."""
        if self.tags[id] == LONG_TEXT:
            self.arena_garbage += self.cells[id].whole & LENGTH_MASK
        elif self.tags[id] == OBJECT:
            self.objects[self.cells[id].whole] = None
            self.free_objects.append(self.cells[id].whole)
        self.tags[id] = ABSENT
        return 0

    cdef void forget(self, int32_t id):
        """Remove a value."""
        if self.sparse is not None:
            if self.sparse.pop(id, None) is not None:
                self.count -= 1
        elif id < self.size and self.tags[id] != ABSENT:
            self.forget_cell(id)
            self.count -= 1

    cdef int spread(self, Py_ssize_t limit) except -1:
        """Turn the dict into cells."""
        values, self.sparse = self.sparse, None
        self.grow(limit)
        for id, value in values.items():
            if id >= self.size:
                self.grow(id + 1)
            self.write(id, value)
        return 0

    cdef int grow(self, Py_ssize_t wanted) except -1:
        """Make room for more ids."""
        cdef Py_ssize_t size = max(wanted, self.size + (self.size >> 2) + 64)
        cdef uint8_t *tags = <uint8_t *> realloc(self.tags, size)
        if tags == NULL:
            raise MemoryError
        self.tags = tags
        cdef Cell *cells = <Cell *> realloc(self.cells, size * sizeof(Cell))
        if cells == NULL:
            raise MemoryError
        self.cells = cells
        memset(self.tags + self.size, ABSENT, size - self.size)
        self.size = size
        return 0

    cdef int widen(self, Py_ssize_t wanted) except -1:
        """Make room for more text."""
        cdef Py_ssize_t size = max(wanted, self.arena_size + (self.arena_size >> 2) + 256)
        cdef char *arena = <char *> realloc(self.arena, size)
        if arena == NULL:
            raise MemoryError
        self.arena, self.arena_size = arena, size
        return 0

    cdef int tidy(self) except -1:
        """Move the strings together."""
        cdef char *old = self.arena
        cdef Py_ssize_t size = self.arena_used - self.arena_garbage + 256, used = 0, length
        cdef char *arena = <char *> malloc(size)
        if arena == NULL:
            raise MemoryError
        cdef Py_ssize_t id
        for id in range(self.size):
            if self.tags[id] == LONG_TEXT:
                length = self.cells[id].whole & LENGTH_MASK
                memcpy(arena + used, old + (self.cells[id].whole >> LENGTH_BITS), length)
                self.cells[id].whole = (<int64_t> used << LENGTH_BITS) | length
                used += length
        free(old)
        self.arena, self.arena_size, self.arena_used, self.arena_garbage = arena, size, used, 0
        return 0

    def values(self, const int32_t[:] ids):
        """The values of many entities, as a list."""
        cdef Py_ssize_t i
        return [self.get(ids[i]) for i in range(ids.shape[0])]

    def totals(self, const int32_t[:] ids, const int64_t[:] groups, Py_ssize_t count):
        """For each of `count` groups how many values it has, their sum, the least and the greatest.

        None unless all values are integers, or all floats, whose sums a cell can hold.
        """
        if self.sparse is not None:
            return None
        found = np.zeros((4, count), np.int64)
        cdef int64_t[:, :] whole = found
        cdef double[:, :] real = found.view(np.float64)
        cdef Py_ssize_t i, group
        cdef int32_t id
        cdef int tag, kind = ABSENT
        cdef int64_t value, limit = INT64_MAX // max(1, ids.shape[0])
        cdef double number
        for i in range(ids.shape[0]):
            id, group = ids[i], groups[i]
            tag = self.tags[id] if id < self.size else ABSENT
            if tag == ABSENT:
                continue
            if kind == ABSENT:
                kind = tag
            if tag != kind:
                return None
            if tag == INTEGER:
                value = self.cells[id].whole
                if not -limit < value < limit:
                    return None
                whole[1, group] += value
                if whole[0, group] == 0 or value < whole[2, group]:
                    whole[2, group] = value
                if whole[0, group] == 0 or value > whole[3, group]:
                    whole[3, group] = value
            elif tag == FLOAT:
                number = self.cells[id].real
                if number != number:
                    return None
                real[1, group] += number
                if whole[0, group] == 0 or number < real[2, group]:
                    real[2, group] = number
                if whole[0, group] == 0 or number > real[3, group]:
                    real[3, group] = number
            else:
                return None
            whole[0, group] += 1
        return [found[0], *(found.view(np.float64) if kind == FLOAT else found)[1:]]

    def groups(self, const int32_t[:] ids):
        """The number of each entity's group, of those with the same value, in the order they come,
        and where the first of each group stands; None if there are others than integers, truths
        and strings, of which different ones may be the same.
        """
        if self.sparse is not None:
            return None
        cdef Py_ssize_t count = ids.shape[0], size = 64, i, slot, n_groups = 0
        while size < count * 2 and size < GROUPS_MAX * 2:
            size *= 2
        made, first = np.empty(count, np.int64), []
        cdef int64_t[:] numbers = made
        cdef int32_t *table = <int32_t *> malloc(size * sizeof(int32_t))
        cdef int32_t *owners = <int32_t *> malloc(size * sizeof(int32_t))
        cdef int32_t id
        cdef uint64_t code
        try:
            if table == NULL or owners == NULL:
                raise MemoryError
            memset(table, 0xFF, size * sizeof(int32_t))
            for i in range(count):
                if i + AHEAD < count and ids[i + AHEAD] < self.size:
                    prefetch(&self.tags[ids[i + AHEAD]])
                    prefetch(&self.cells[ids[i + AHEAD]])
                id = ids[i]
                if id < self.size and (self.tags[id] == FLOAT or self.tags[id] == OBJECT):
                    return None
                code = self.code(id)
                slot = <Py_ssize_t> (code & <uint64_t> (size - 1))
                while table[slot] >= 0 and not self.same(owners[table[slot]], id):
                    slot = (slot + 1) & (size - 1)
                if table[slot] < 0:
                    if n_groups * 2 >= size:
                        return None
                    table[slot] = <int32_t> n_groups
                    owners[n_groups] = id
                    first.append(i)
                    n_groups += 1
                numbers[i] = table[slot]
        finally:
            free(table)
            free(owners)
        return made, first

    cdef uint64_t code(self, int32_t id) noexcept:
        """A number that equal values share, mixed well."""
        if id >= self.size or self.tags[id] == ABSENT:
            return 0
        cdef Cell *cell = &self.cells[id]
        cdef uint64_t code = <uint64_t> cell.whole
        cdef Py_ssize_t length, i
        cdef char *text
        if self.tags[id] == LONG_TEXT:
            length = cell.whole & LENGTH_MASK
            text = self.arena + (cell.whole >> LENGTH_BITS)
            code = <uint64_t> length
            for i in range(length):
                code = code * 31 + <uint8_t> text[i]
        code = (code + self.tags[id]) * <uint64_t> 0x9E3779B97F4A7C15
        return code ^ (code >> 29)

    cdef bint same(self, int32_t one, int32_t other) noexcept:
        """Whether two values of these kinds are equal."""
        cdef int tag = self.tags[one] if one < self.size else ABSENT
        if tag != (self.tags[other] if other < self.size else ABSENT):
            return False
        if tag == ABSENT:
            return True
        if tag != LONG_TEXT:
            return self.cells[one].whole == self.cells[other].whole
        cdef int64_t left = self.cells[one].whole, right = self.cells[other].whole
        if left & LENGTH_MASK != right & LENGTH_MASK:
            return False
        return memcmp(
            self.arena + (left >> LENGTH_BITS), self.arena + (right >> LENGTH_BITS),
            left & LENGTH_MASK,
        ) == 0

    def test(self, const int32_t[:] ids, str operator, object wanted):
        """A mask of the entities whose value compares so with a constant.

        None if this takes more than a look into the cells.
        """
        kind = type(wanted)
        if self.sparse is not None or kind not in (int, float, str):
            return None
        cdef int op = OPERATORS[operator]
        mask = np.zeros(ids.shape[0], np.bool_)
        cdef uint8_t[:] found = mask.view(np.uint8)
        cdef Py_ssize_t i
        cdef int32_t id
        cdef int tag, order
        cdef int64_t whole = 0
        cdef double real = 0, mine
        cdef bytes text = b""
        cdef const char *piece
        cdef Py_ssize_t length, size = 0
        if kind is int:
            whole = wanted
            real = <double> whole
        elif kind is float:
            real = wanted
        else:
            text = wanted.encode("utf-8", "surrogatepass")
            size = PyBytes_GET_SIZE(text)
        piece = PyBytes_AS_STRING(text)
        cdef int wants = INTEGER if kind is int else FLOAT if kind is float else TEXT
        for i in range(ids.shape[0]):
            id = ids[i]
            tag = self.tags[id] if id < self.size else ABSENT
            if tag == ABSENT:
                continue
            if tag == OBJECT:
                return None
            if tag == INTEGER and wants == INTEGER:
                order = (self.cells[id].whole > whole) - (self.cells[id].whole < whole)
            elif tag <= FLOAT and wants <= FLOAT:
                mine = self.cells[id].real if tag == FLOAT else <double> self.cells[id].whole
                if mine != mine or real != real:
                    found[i] = op == 1
                    continue
                order = (mine > real) - (mine < real)
            elif tag >= LONG_TEXT and wants == TEXT:
                if tag == LONG_TEXT:
                    length = self.cells[id].whole & LENGTH_MASK
                    order = memcmp(
                        self.arena + (self.cells[id].whole >> LENGTH_BITS), piece,
                        min(length, size),
                    )
                else:
                    length = tag - TEXT
                    order = memcmp(self.cells[id].text, piece, min(length, size))
                if order == 0:
                    order = (length > size) - (length < size)
            else:
                # Of another type: not equal, and in no order.
                found[i] = op == 1
                continue
            found[i] = (
                order == 0 if op == 0 else order != 0 if op == 1 else order < 0 if op == 2
                else order <= 0 if op == 3 else order > 0 if op == 4 else order >= 0
            )
        return mask

    def state(self, pack):
        """The column as bytes objects, and `pack`ed objects: what `restored` reads."""
        if self.sparse is not None:
            pairs = [[id, pack(value)] for id, value in sorted(self.sparse.items())]
            return [json.dumps(pairs, separators=(",", ":")).encode()]
        self.tidy()
        kept = [[id, pack(self.get(id))] for id in range(self.size) if self.tags[id] == OBJECT]
        cdef Py_ssize_t size = self.size
        while size and self.tags[size - 1] == ABSENT:
            size -= 1
        return [
            (<char *> self.tags)[:size],
            (<char *> self.cells)[: size * sizeof(Cell)],
            self.arena[: self.arena_used] if self.arena != NULL else b"",
            json.dumps(kept, separators=(",", ":")).encode(),
        ]

    @staticmethod
    def restored(list parts, unpack, Py_ssize_t limit):
        """The column that `state` wrote; ValueError if it holds what cannot be."""
        cdef Column made = Column()
        if len(parts) == 1:
            for id, value in json.loads(parts[0]):
                if not (type(id) is int and 0 <= id < limit) or value is None:
                    raise ValueError("a value of no entity")
                made.sparse[id] = unpack(value)
            made.count = len(made.sparse)
            return made
        if len(parts) != 4:
            raise ValueError("a column of too many parts")
        cdef bytes tags = parts[0], cells = parts[1], arena = parts[2]
        cdef Py_ssize_t size = len(tags), id_, place, length
        if len(cells) != size * 8 or size > limit:
            raise ValueError("a column of the wrong size")
        made.sparse = None
        made.grow(max(size, 1))
        memcpy(made.cells, PyBytes_AS_STRING(cells), size * 8)
        if arena:
            made.widen(len(arena))
            memcpy(made.arena, PyBytes_AS_STRING(arena), len(arena))
            made.arena_used = len(arena)
        for id_ in range(size):
            made.tags[id_] = (<uint8_t> tags[id_])
            if made.tags[id_] == OBJECT:
                made.tags[id_] = ABSENT
            elif made.tags[id_] == LONG_TEXT:
                place = made.cells[id_].whole >> LENGTH_BITS
                length = made.cells[id_].whole & LENGTH_MASK
                if place < 0 or place + length > made.arena_used:
                    made.tags[id_] = ABSENT
                    raise ValueError("text outside of its column")
            elif made.tags[id_] >= TEXT + 8 or TEXT > made.tags[id_] > LONG_TEXT:
                raise ValueError("a value of no type")
            if made.tags[id_] != ABSENT:
                made.count += 1
        for id, value in json.loads(parts[3]):
            if not (type(id) is int and 0 <= id < size) or made.tags[id] != ABSENT:
                raise ValueError("a value of no entity")
            made.keep_object(id, unpack(value))
            made.count += 1
        return made
