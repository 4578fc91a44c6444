"""Posting lists by their terms: a dict in parts, so that none of them is ever long to enlarge.

A part that has got too many terms is split in two by the next bit of their hashes. The table also
knows what its postings take, which whoever adds to one of them tells it.
"""

from collections.abc import Iterator

cimport cython

from balas_search.postings.posting cimport BLOCK_DOCS, Posting

# So many documents of postings are moved to their new ids in one step.
MOVED_AT_ONCE = 16384

cdef enum:
    # A little less than a dict of 8192 slots takes before it is made larger.
    PART_MAX = 5400
    # Looking at a posting costs as much as at so many of its documents.
    POSTING_COST = 16
    # No more bits than a hash has here.
    BITS_MAX = 31
    # The epoch of a posting that is in no table any more.
    DROPPED = 0xFFFFFFFF


@cython.final
cdef class TermTable:
    """The postings of an index or a field, by their terms."""

    def __cinit__(self):
        self.clear()

    def clear(self) -> None:
        """Forget all terms."""
        self.places = [{}]
        self.depths = [0]
        self.bits = 0
        self.count = self.posting_bytes = self.position_bytes = self.blocks = self.entries = 0

    def __len__(self) -> int:
        return self.count

    def __contains__(self, bytes term not None) -> bool:
        return self.find(term) is not None

    def __getitem__(self, bytes term not None) -> Posting:
        cdef Posting found = self.find(term)
        if found is None:
            raise KeyError(term)
        return found

    def get(self, bytes term not None) -> Posting | None:
        """The posting of a term, None if it has none."""
        return self.find(term)

    def add(self, Posting posting not None) -> None:
        """Take in the posting of a term that is not there yet, with all it holds."""
        self.put(posting)
        self.posting_bytes -= posting.held()
        self.count_in(posting, 1)

    cdef void count_in(self, Posting posting, int sign) noexcept:
        self.posting_bytes += sign * posting.held()
        self.entries += sign * posting.size
        self.position_bytes += sign * posting.offsets_size
        self.blocks += sign * ((posting.size + BLOCK_DOCS - 1) // BLOCK_DOCS)

    def add_doc(self, bytes term not None, uint32_t doc) -> bool:
        """Note that a document holds a term, without saying where; tells whether it is new."""
        cdef Posting posting = self.find(term)
        cdef bint new = posting is None
        cdef Py_ssize_t before
        if new:
            posting = Posting(term)
            self.put(posting)
        before = posting.size
        self.posting_bytes -= posting.held()
        posting.add(doc, 1, 0, 0, False)
        self.posting_bytes += posting.held()
        if posting.size != before:
            self.entries += 1
            self.blocks += before % BLOCK_DOCS == 0
        return new

    cdef int put(self, Posting posting) except -1:
        """Take in a posting, of which only the bytes are counted."""
        cdef Py_ssize_t at = <Py_ssize_t> (bits_of(posting.term) >> (32 - self.bits))
        cdef dict part = self.places[at]
        part[posting.term] = posting
        posting.epoch = self.epoch
        self.count += 1
        self.posting_bytes += posting.held()
        if len(part) > PART_MAX and <int> self.depths[at] < BITS_MAX:
            self.split(at)
        return 0

    cdef int split(self, Py_ssize_t at) except -1:
        """Make two parts of the one in a place."""
        cdef dict part = self.places[at]
        cdef int depth = <int> self.depths[at] + 1
        cdef dict low = {}
        cdef dict high = {}
        cdef bytes term
        cdef Py_ssize_t first, size, i
        for term, posting in part.items():
            if bits_of(term) >> (32 - depth) & 1:
                high[term] = posting
            else:
                low[term] = posting
        if depth > self.bits:
            self.places = [one for one in self.places for _ in range(2)]
            self.depths = [one for one in self.depths for _ in range(2)]
            self.bits += 1
            at *= 2
        # The places that the part covers are as many as the bits leave open, side by side.
        size = <Py_ssize_t> 1 << (self.bits - depth + 1)
        first = at // size * size
        for i in range(size):
            self.places[first + i] = low if i < size // 2 else high
            self.depths[first + i] = depth
        return 0

    def values(self) -> Iterator[Posting]:
        """All postings, in no order. Nothing is to be added meanwhile."""
        cdef Py_ssize_t at = 0
        while at < len(self.places):
            for posting in self.places[at].values():
                self.settle(posting)
                yield posting
            at += self.span(at)

    def __iter__(self) -> Iterator[bytes]:
        for posting in self.values():
            yield posting.term

    def in_parts(self) -> Iterator[list[Posting]]:
        """All postings, a part after the other; whatever is added meanwhile may be among them."""
        cdef double begun = 0
        cdef Py_ssize_t at
        while begun < 1:
            # Splits move places, but not the share of all hashes that is before them.
            at = <Py_ssize_t> (begun * len(self.places))
            begun = <double> (at + self.span(at)) / len(self.places)
            yield list(self.places[at].values())

    def renumber(self, const uint32_t[::1] new_ids not None) -> None:
        """Have document i be new_ids[i] from now on.

        There must be an id for every document that a posting holds, and `settled` must have been
        gone through since the last time. `new_ids` must keep the order, and is kept until then.
        """
        self.epoch += 1
        self.new_ids = new_ids

    cdef int settle(self, Posting posting) except -1:
        """Move a posting to the new ids, if that was not done."""
        if posting.epoch != self.epoch and posting.epoch != DROPPED:
            posting.renumber(self.new_ids)
            posting.epoch = self.epoch
        return 0

    def settled(self, forget, Py_ssize_t at_once) -> Iterator[None]:
        """Move all postings that `renumber` has left, in steps of about `at_once` documents.

        Terms without documents are forgotten: `forget(term)` is told of each.
        """
        cdef Posting posting
        cdef Py_ssize_t seen = 0
        cdef list part
        if self.new_ids is None:
            return
        for part in self.in_parts():
            for posting in part:
                if posting.epoch != self.epoch:
                    seen += posting.size
                    self.settle(posting)
                if not posting.size and posting.epoch != DROPPED:
                    self.drop(posting)
                    forget(posting.term)
                seen += POSTING_COST
                if seen >= at_once:
                    yield
                    seen = 0
        self.new_ids = None

    cdef int drop(self, Posting posting) except -1:
        """Forget a posting that is empty."""
        cdef Py_ssize_t at = <Py_ssize_t> (bits_of(posting.term) >> (32 - self.bits))
        del (<dict> self.places[at])[posting.term]
        self.count -= 1
        self.count_in(posting, -1)
        posting.epoch = DROPPED
        return 0

    cdef Posting stem_of(self, Posting posting):
        """The stem that was noted of a term, None if it is not known any more."""
        cdef Posting stem = posting.stem
        if stem.epoch != self.epoch:
            if stem.epoch == DROPPED:
                return None
            self.settle(stem)
        return stem

    def purged(self, alive_now, Py_ssize_t at_once) -> Iterator[None]:
        """Leave out documents that are gone, in steps that look at about `at_once` of them.

        `alive_now()` gives a flag for each id (uint8). Documents may come between two steps.
        """
        cdef Posting posting
        cdef Py_ssize_t seen = 0
        cdef list part
        cdef const uint8_t[::1] alive = alive_now()
        for part in self.in_parts():
            for posting in part:
                seen += posting.size + POSTING_COST
                if not posting.all_in(alive):
                    self.count_in(posting, -1)
                    for _ in posting.purged(alive_now, at_once):
                        self.count_in(posting, 1)
                        yield
                        self.count_in(posting, -1)
                        seen = 0
                    self.count_in(posting, 1)
                    alive = alive_now()
                if seen >= at_once:
                    yield
                    alive = alive_now()
                    seen = 0

    def emptied(self) -> Iterator[None]:
        """Forget all terms in steps, a few of them in each; nothing else is to be asked."""
        cdef dict part
        cdef int _
        while self.places:
            part = self.places.pop()
            while part:
                for _ in range(min(256, len(part))):
                    part.popitem()
                yield
        self.clear()

    cdef Py_ssize_t span(self, Py_ssize_t at):
        """How many places the part in a place covers."""
        return <Py_ssize_t> 1 << (self.bits - <int> self.depths[at])
