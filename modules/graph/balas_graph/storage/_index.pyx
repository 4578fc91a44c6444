"""Indexes of properties: the base of all kinds, and that of equal values and of ranges.

A range index is a dict of ids by values. For ranges it puts its values in order when it is first
asked, as arrays, and remembers what has changed since: a few changes are looked at one by one,
many let it begin again. An index has to find all that fits, and may find more: who asks for a
range tests what is found.
"""

from bisect import bisect_left, bisect_right

from libc.stdint cimport int32_t

import numpy as np

# Measured by sys.getsizeof: an entry of a dict with its key, and an id in a set.
cdef Py_ssize_t ENTRY_BYTES = 150
cdef Py_ssize_t MEMBER_BYTES = 80
# So many changes, and one more for so many values, are looked at one by one.
cdef Py_ssize_t PENDING_MIN = 256
cdef Py_ssize_t PENDING_SHARE = 64
# A degree of latitude is not shorter than this, in metres, on a sphere as `distance` has it.
cdef double DEGREE_MIN_M = 111000.0


cdef object index_key(object value):
    """What an index knows a value by: equal values share it, and lists can be kept."""
    if type(value) is bool:
        return ("bool", value)
    if type(value) is list:
        return ("list", tuple([index_key(item) for item in value]))
    if type(value) is float and value != value:
        return ("nan",)
    return value


def text_behind(str prefix):
    """The least text above all that begin so; None if there is none."""
    while prefix and ord(prefix[len(prefix) - 1]) == 0x10FFFF:
        prefix = prefix[: len(prefix) - 1]
    if not prefix:
        return None
    return prefix[: len(prefix) - 1] + chr(ord(prefix[len(prefix) - 1]) + 1)


cdef class Index:
    """Follows the values of one property, of the nodes of a label or the edges of a type."""

    kind = ""

    def __init__(self, bint edges, int32_t label, int32_t key):
        self.edges = edges
        self.label = label
        self.key = key

    cpdef int add(self, int32_t id, object value) except -1:
        """Take in the value of an entity that had none."""
        raise NotImplementedError

    cpdef int discard(self, int32_t id, object value) except -1:
        """Forget the value of an entity."""
        raise NotImplementedError

    def memory(self):
        """Bytes."""
        raise NotImplementedError


cdef class RangeIndex(Index):
    """Ids by values, and by ranges of numbers, of texts and of latitudes."""

    kind = "RANGE"

    def __init__(self, bint edges, int32_t label, int32_t key):
        super().__init__(edges, label, key)
        self.entries = {}
        self.count = 0

    cpdef int add(self, int32_t id, object value) except -1:
        """Take in the value of an entity that had none."""
        key = index_key(value)
        found = self.entries.get(key)
        if found is None:
            self.entries[key] = id
        elif type(found) is set:
            found.add(id)
        else:
            self.entries[key] = {found, id}
        self.count += 1
        if self.pending is not None:
            self.pending[id] = value
        return 0

    cpdef int discard(self, int32_t id, object value) except -1:
        """Forget the value of an entity."""
        key = index_key(value)
        found = self.entries.get(key)
        if found is None:
            return 0
        self.count -= 1
        if type(found) is set:
            found.discard(id)
            if len(found) == 1:
                self.entries[key] = found.pop()
        else:
            del self.entries[key]
        if self.pending is not None:
            self.pending[id] = None
        return 0

    def find(self, value):
        """The ids with a value, ascending."""
        found = self.entries.get(index_key(value))
        if found is None:
            return ()
        if type(found) is set:
            return sorted(found)
        return (found,)

    def settle(self):
        """Put the values in order, if too much has changed since."""
        if self.pending is not None and (
            len(self.pending) <= PENDING_MIN + self.count // PENDING_SHARE
        ):
            return
        cdef list numbers = [], number_ids = [], texts = [], points = [], point_ids = []
        for key, found in self.entries.items():
            kind = type(key)
            ids = found if type(found) is set else (found,)
            if kind is int or kind is float:
                numbers.extend([float(key)] * len(ids))
                number_ids.extend(ids)
            elif kind is str:
                texts.extend([(key, id) for id in ids])
            elif hasattr(key, "latitude"):
                points.extend([key.latitude] * len(ids))
                point_ids.extend(ids)
        self.numbers, self.number_ids = in_order(numbers, number_ids)
        self.latitudes, self.point_ids = in_order(points, point_ids)
        texts.sort()
        self.texts = [text for text, _ in texts]
        self.text_ids = np.array([id for _, id in texts], np.int32)
        self.pending = {}

    cdef object chosen(self, object ids, object inside):
        """The ids of a range, ascending, with what has changed since it was put in order."""
        if self.pending:
            changed = np.fromiter(self.pending.keys(), np.int32, len(self.pending))
            ids = ids[~np.isin(ids, changed)]
            more = [id for id, value in self.pending.items() if value is not None and inside(value)]
            ids = np.concatenate((ids, np.array(more, np.int32)))
        return np.sort(ids)

    def between(self, low, high):
        """The ids whose numbers, or texts, are in a closed range; a bound may be None."""
        self.settle()
        bound = high if low is None else low
        if type(bound) is str:
            start = 0 if low is None else bisect_left(self.texts, low)
            stop = len(self.texts) if high is None else bisect_right(self.texts, high)
            return self.chosen(
                self.text_ids[start:stop],
                lambda value: type(value) is str
                and (low is None or value >= low) and (high is None or value <= high),
            )
        start = 0 if low is None else np.searchsorted(self.numbers, float(low), "left")
        stop = len(self.numbers)
        if high is not None:
            stop = np.searchsorted(self.numbers, float(high), "right")
        return self.chosen(
            self.number_ids[start:stop],
            lambda value: type(value) in (int, float)
            and (low is None or value >= low) and (high is None or value <= high),
        )

    def starting(self, str prefix):
        """The ids whose texts begin so."""
        self.settle()
        behind = text_behind(prefix)
        start = bisect_left(self.texts, prefix)
        stop = len(self.texts) if behind is None else bisect_left(self.texts, behind)
        return self.chosen(
            self.text_ids[start:stop],
            lambda value: type(value) is str and value.startswith(prefix),
        )

    def near(self, double latitude, double metres):
        """The ids of points whose latitude is not further away than this."""
        self.settle()
        cdef double low = latitude - metres / DEGREE_MIN_M
        cdef double high = latitude + metres / DEGREE_MIN_M
        start = np.searchsorted(self.latitudes, low, "left")
        stop = np.searchsorted(self.latitudes, high, "right")
        return self.chosen(
            self.point_ids[start:stop],
            lambda value: hasattr(value, "latitude") and low <= value.latitude <= high,
        )

    def memory(self):
        """Bytes."""
        cdef Py_ssize_t shared = self.count - len(self.entries)
        cdef Py_ssize_t total = ENTRY_BYTES * len(self.entries) + MEMBER_BYTES * shared
        if self.pending is not None:
            total += ENTRY_BYTES * len(self.pending) + 12 * len(self.texts)
            total += 12 * (len(self.numbers) + len(self.latitudes))
        return total


cdef object in_order(list values, list ids):
    """Numbers ascending, without those that are none, and the ids they belong to."""
    numbers, owners = np.array(values, np.float64), np.array(ids, np.int32)
    known = ~np.isnan(numbers)
    numbers, owners = numbers[known], owners[known]
    places = np.argsort(numbers, kind="stable")
    return numbers[places], owners[places]
