"""A hash table of cache-line buckets with incremental rehashing.

The table stores pointers to entries that its owner allocates. All it knows of an entry is where the
key stands: `key_offset` bytes into it, its length in the four bytes before. So one table serves
keyspace entries, hash fields and set members.

Shape. A bucket is one cache line: seven slots, and for each the top byte of the hash. A look-up
reads one line, compares seven tags at once and follows a pointer only where a tag agrees, so that
it costs two cache misses: the bucket and the entry. A bucket that overflows turns its last slot
into a link to a further bucket.

Growth. When there are more than GROW_AT entries a bucket on average, a table of twice the size is
made and every operation moves one bucket over; nothing ever waits for the whole move. The rule a
reader would get wrong: while rehashing, entries whose bucket in the old table lies below
`rehash_index` are in the new table, new entries go to the new table always, and the old table's
pages are given back piece by piece, because returning them at once stops the program for
milliseconds.

Scanning. The cursor counts up with its bits reversed, high bits first. When a table doubles, the
bucket `b` splits into `b` and `b + size`, and a cursor that has passed `b` in this order has passed
both; when it halves, the two merge into one that is visited again. So every entry present from the
first call to the last is visited at least once, whatever happens in between, and some may be
visited twice. During a rehash the smaller table's bucket is visited with all the buckets of the
larger one that it expands to.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcmp, memset

from balas.structures.hashing cimport hash_bytes, prefetch

cdef extern from "<stdlib.h>" nogil:
    void *aligned_alloc(size_t alignment, size_t size)

cdef extern from "<sys/mman.h>" nogil:
    void *mmap(void *addr, size_t length, int prot, int flags, int fd, long offset)
    int munmap(void *addr, size_t length)
    int madvise(void *addr, size_t length, int advice)
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS, MADV_DONTNEED
    void *MAP_FAILED

cdef extern from *:
    int __builtin_ctzll(uint64_t) noexcept nogil
    int __builtin_popcount(unsigned int) noexcept nogil

cdef enum:
    SLOTS = 7
    LINKED = 0x80
    LAST = 6
    # Average entries a bucket that start a doubling. At six, one bucket in five has a link; at
    # seven it is half of them.
    GROW_AT = 6
    # Fewer entries than a sixteenth of the slots start a shrinking.
    SHRINK_AT = 16
    # Tables from this size on are mapped, so that their pages can be given back in pieces.
    MAPPED_FROM = 1 << 20
    RELEASE_STEP = 1 << 16
    TRIES_MAX = 200
    DRAWN_AT_ONCE = 8

cdef uint64_t ONES = 0x0101010101010101ULL
cdef uint64_t LOWS = 0x7F7F7F7F7F7F7F7FULL
# While a snapshot child shares the pages, growth waits until the buckets are this many times as
# full.
cdef uint64_t FORCED_GROWTH = 4


cdef inline uint64_t matches(const Bucket *bucket, uint64_t hashed) noexcept nogil:
    """Bit 7 of byte i + 1 is set where slot i is in use and its tag agrees."""
    cdef uint64_t word = (<const uint64_t *> bucket)[0]
    cdef uint64_t differ = word ^ (ONES * (hashed >> 56))
    cdef uint64_t equal = ~(((differ & LOWS) + LOWS) | differ | LOWS)
    return equal & ~(<uint64_t> 0xFF)


cdef inline unsigned int present(const Bucket *bucket) noexcept nogil:
    """The slots that hold entries, as bits."""
    return bucket.meta & (0x3F if bucket.meta & LINKED else 0x7F)


cdef inline Bucket *linked(const Bucket *bucket) noexcept nogil:
    return <Bucket *> bucket.slots[LAST] if bucket.meta & LINKED else NULL


cdef inline uint64_t reverse_bits(uint64_t v) noexcept nogil:
    v = ((v >> 1) & 0x5555555555555555ULL) | ((v & 0x5555555555555555ULL) << 1)
    v = ((v >> 2) & 0x3333333333333333ULL) | ((v & 0x3333333333333333ULL) << 2)
    v = ((v >> 4) & 0x0F0F0F0F0F0F0F0FULL) | ((v & 0x0F0F0F0F0F0F0F0FULL) << 4)
    v = ((v >> 8) & 0x00FF00FF00FF00FFULL) | ((v & 0x00FF00FF00FF00FFULL) << 8)
    v = ((v >> 16) & 0x0000FFFF0000FFFFULL) | ((v & 0x0000FFFF0000FFFFULL) << 16)
    return (v >> 32) | (v << 32)


cdef inline uint64_t next_cursor(uint64_t cursor, uint64_t mask) noexcept nogil:
    """Add one to the reversed cursor, within the bits of the mask."""
    cursor |= ~mask
    return reverse_bits(reverse_bits(cursor) + 1)


cdef inline uint64_t mix(uint64_t *state) noexcept nogil:
    """The next of a stream of random numbers that one seed starts (splitmix64)."""
    cdef uint64_t z
    state[0] += 0x9E3779B97F4A7C15ULL
    z = state[0]
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL
    return z ^ (z >> 31)


cdef Bucket *allocate(uint64_t count) except NULL:
    cdef size_t size = count * sizeof(Bucket)
    cdef void *memory
    if size >= MAPPED_FROM:
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        if memory == MAP_FAILED:
            raise MemoryError
        return <Bucket *> memory
    memory = aligned_alloc(sizeof(Bucket), size)
    if memory == NULL:
        raise MemoryError
    memset(memory, 0, size)
    return <Bucket *> memory


cdef void release(Bucket *table, uint64_t count) noexcept:
    cdef size_t size = count * sizeof(Bucket)
    if table == NULL:
        return
    if size >= MAPPED_FROM:
        munmap(table, size)
    else:
        free(table)


cdef class HashTable:
    """Entries by key. See the top of the file; owners are Cython classes that know the shape of
    their entries.
    """

    def __cinit__(self, uint32_t key_offset, uint64_t seed):
        self.main = allocate(1)
        self.main_mask = 0
        self.rehash_index = -1
        self.key_offset = key_offset
        self.seed = seed
        self.may_resize = True

    def __dealloc__(self):
        self.free_tables()

    cdef void free_tables(self) noexcept:
        cdef uint64_t i
        if self.children:
            for i in range(self.main_mask + 1):
                if self.rehash_index < 0 or i >= <uint64_t> self.rehash_index:
                    self.free_links(&self.main[i])
            if self.next != NULL:
                for i in range(self.next_mask + 1):
                    self.free_links(&self.next[i])
        release(self.main, self.main_mask + 1)
        release(self.next, self.next_mask + 1)
        self.main = self.next = NULL

    cdef void free_links(self, Bucket *bucket) noexcept:
        cdef Bucket *child = linked(bucket)
        cdef Bucket *after
        while child != NULL:
            after = linked(child)
            free(child)
            self.children -= 1
            child = after

    cdef inline bint same(self, const void *entry, const char *key, size_t size) noexcept nogil:
        cdef const char *own = <const char *> entry + self.key_offset
        return (<const uint32_t *> (own - 4))[0] == size and memcmp(own, key, size) == 0

    cdef uint64_t hash_of(self, const char *key, size_t size) noexcept nogil:
        return hash_bytes(key, size, self.seed)

    cdef inline uint64_t hash_entry(self, const void *entry) noexcept nogil:
        cdef const char *own = <const char *> entry + self.key_offset
        return hash_bytes(own, (<const uint32_t *> (own - 4))[0], self.seed)

    cdef bint rehashing(self) noexcept nogil:
        return self.rehash_index >= 0

    cdef uint64_t buckets(self) noexcept nogil:
        return self.main_mask + 1 + (self.next_mask + 1 if self.next != NULL else 0)

    cdef uint64_t memory(self) noexcept nogil:
        return (self.buckets() + self.children) * sizeof(Bucket)

    # --- look-up ----------------------------------------------------------------------------------

    cdef inline void **find_in(
        self, Bucket *bucket, const char *key, size_t size, uint64_t hashed
    ) noexcept:
        cdef uint64_t candidates
        cdef unsigned int slots
        cdef int i
        while bucket != NULL:
            candidates = matches(bucket, hashed)
            slots = present(bucket)
            while candidates:
                i = (__builtin_ctzll(candidates) >> 3) - 1
                if slots >> i & 1 and self.same(bucket.slots[i], key, size):
                    return &bucket.slots[i]
                candidates &= candidates - 1
            bucket = linked(bucket)
        return NULL

    cdef void **find(self, const char *key, size_t size, uint64_t hashed) noexcept:
        """The slot that holds the entry of this key, or NULL. Moves one bucket if a rehash is under
        way.
        """
        cdef void **slot
        if self.rehash_index >= 0:
            self.advance()
            if self.rehash_index >= 0:
                if (hashed & self.main_mask) >= <uint64_t> self.rehash_index:
                    slot = self.find_in(&self.main[hashed & self.main_mask], key, size, hashed)
                    if slot != NULL:
                        return slot
                return self.find_in(&self.next[hashed & self.next_mask], key, size, hashed)
        return self.find_in(&self.main[hashed & self.main_mask], key, size, hashed)

    cdef void prefetch_bucket(self, uint64_t hashed) noexcept nogil:
        """Ask for the bucket's cache line; first of the two steps of a batch."""
        if self.rehash_index >= 0:
            prefetch(&self.next[hashed & self.next_mask])
        prefetch(&self.main[hashed & self.main_mask])

    cdef void *prefetch_entry(self, uint64_t hashed) noexcept nogil:
        """Ask for the line of the entry that the tag points to; returns that entry, which may be
        another key's.
        """
        cdef Bucket *bucket = &self.main[hashed & self.main_mask]
        cdef uint64_t candidates
        cdef int i
        if self.rehash_index >= 0 and (hashed & self.main_mask) < <uint64_t> self.rehash_index:
            bucket = &self.next[hashed & self.next_mask]
        candidates = matches(bucket, hashed)
        if candidates:
            i = (__builtin_ctzll(candidates) >> 3) - 1
            if present(bucket) >> i & 1:
                prefetch(bucket.slots[i])
                prefetch(<char *> bucket.slots[i] + 64)
                return bucket.slots[i]
        elif bucket.meta & LINKED:
            prefetch(bucket.slots[LAST])
        return NULL

    # --- change -----------------------------------------------------------------------------------

    cdef inline void advance(self) noexcept:
        """Move one bucket of a rehash that is under way, unless it has to wait for a snapshot."""
        if self.may_resize or self.used > (self.next_mask + 1) * GROW_AT * FORCED_GROWTH:
            self.rehash_step(1)

    cdef int insert(self, void *entry, uint64_t hashed) except -1:
        """Add an entry whose key is known to be absent.

        Who knows it without having called `find` calls `advance` during a rehash, or the rehash
        would never end.
        """
        if self.rehash_index < 0 and self.used >= (self.main_mask + 1) * GROW_AT:
            if self.main_mask == 0 and self.used < SLOTS:
                pass  # a table of one bucket uses all its slots before it grows
            elif self.may_resize or self.used >= (self.main_mask + 1) * GROW_AT * FORCED_GROWTH:
                self.resize(self.used * 2)
        if self.rehash_index >= 0:
            self.put(&self.next[hashed & self.next_mask], entry, hashed)
        else:
            self.put(&self.main[hashed & self.main_mask], entry, hashed)
        self.used += 1
        return 0

    cdef int put(self, Bucket *bucket, void *entry, uint64_t hashed) except -1:
        cdef unsigned int empty
        cdef Bucket *child
        cdef int i
        while True:
            empty = ~present(bucket) & (0x3F if bucket.meta & LINKED else 0x7F)
            if empty:
                i = __builtin_ctzll(empty)
                bucket.slots[i] = entry
                bucket.tags[i] = <uint8_t> (hashed >> 56)
                bucket.meta |= <uint8_t> (1 << i)
                return 0
            if not bucket.meta & LINKED:
                child = allocate(1)
                self.children += 1
                child.slots[0] = bucket.slots[LAST]
                child.tags[0] = bucket.tags[LAST]
                child.meta = 1
                bucket.slots[LAST] = child
                bucket.meta = LINKED | 0x3F
            bucket = linked(bucket)

    cdef void *remove(self, const char *key, size_t size, uint64_t hashed) noexcept:
        """Take the entry of this key out of the table and return it, or NULL."""
        cdef Bucket *head
        cdef void *entry
        if self.find(key, size, hashed) == NULL:  # also takes the rehash a step on
            return NULL
        if self.rehash_index >= 0:
            entry = NULL
            if (hashed & self.main_mask) >= <uint64_t> self.rehash_index:
                entry = self.take(&self.main[hashed & self.main_mask], key, size, hashed)
            if entry == NULL:
                entry = self.take(&self.next[hashed & self.next_mask], key, size, hashed)
        else:
            head = &self.main[hashed & self.main_mask]
            entry = self.take(head, key, size, hashed)
        if entry != NULL:
            self.used -= 1
            self.shrink_if_sparse()
        return entry

    cdef void *take(self, Bucket *head, const char *key, size_t size, uint64_t hashed) noexcept:
        """Take an entry out of one chain, and close the gap with the chain's last entry."""
        cdef void **slot = self.find_in(head, key, size, hashed)
        cdef void *entry
        cdef Bucket *owner = head
        cdef Bucket *parent = NULL
        cdef Bucket *tail = head
        cdef int i, last
        if slot == NULL:
            return NULL
        entry = slot[0]
        while not (&owner.slots[0] <= slot <= &owner.slots[LAST]):
            owner = linked(owner)
        i = <int> (slot - &owner.slots[0])
        while tail.meta & LINKED:
            parent = tail
            tail = linked(tail)
        if tail == owner:
            owner.meta &= <uint8_t> ~(1 << i)
        else:
            last = __builtin_ctzll(present(tail))
            owner.slots[i] = tail.slots[last]
            owner.tags[i] = tail.tags[last]
            tail.meta &= <uint8_t> ~(1 << last)
        if parent != NULL and __builtin_popcount(present(tail)) <= 1:
            self.unlink_tail(parent, tail)
        return entry

    cdef void unlink_tail(self, Bucket *parent, Bucket *tail) noexcept:
        """Give up a tail bucket that holds at most one entry: the entry moves into the slot of the
        link.
        """
        cdef int last
        if present(tail):
            last = __builtin_ctzll(present(tail))
            parent.slots[LAST] = tail.slots[last]
            parent.tags[LAST] = tail.tags[last]
            parent.meta = <uint8_t> (present(parent) | (1 << LAST))
        else:
            parent.meta = <uint8_t> present(parent)
        free(tail)
        self.children -= 1

    cdef void replace(self, void *old, void *new, uint64_t hashed) noexcept:
        """Let the slot of an entry that has moved in memory point to its new place; `old` is only
        compared.
        """
        cdef Bucket *bucket
        cdef int table, i
        for table in range(2):
            if table == 0:
                bucket = &self.main[hashed & self.main_mask]
            elif self.rehash_index >= 0:
                bucket = &self.next[hashed & self.next_mask]
            else:
                return
            while bucket != NULL:
                for i in range(SLOTS):
                    if present(bucket) >> i & 1 and bucket.slots[i] == old:
                        bucket.slots[i] = new
                        return
                bucket = linked(bucket)

    cdef uint64_t drain(self, uint64_t position, visit_t visit, void *context) except? 0:
        """Take the entries of one bucket out of a table that is being given up.

        Begin with position 0 and go on with what is returned, until that is 0. `visit`, if not
        NULL, frees an entry. Pages are given back on the way, so that no step takes long; nothing
        else may be done with the table but `clear` it.
        """
        cdef Bucket *table = self.main
        cdef uint64_t index = position, size = self.main_mask + 1
        if position >= size:
            table = self.next
            index -= size
            size = self.next_mask + 1
        if index + 1 < size:
            self.prefetch_slots(&table[index + 1])
        if table != self.main or self.rehash_index < 0 or index >= <uint64_t> self.rehash_index:
            if visit != NULL:
                self.visit_chain(&table[index], visit, context)
            self.free_links(&table[index])
            table[index].meta = 0
        index += 1
        if not index * sizeof(Bucket) % RELEASE_STEP and size * sizeof(Bucket) >= MAPPED_FROM:
            madvise(<char *> &table[index] - RELEASE_STEP, RELEASE_STEP, MADV_DONTNEED)
        if index == size and (table != self.main or self.next == NULL):
            return 0
        return position + 1

    cdef void clear(self) noexcept:
        """Forget all entries (the owner frees them) and shrink to one bucket."""
        self.free_tables()
        self.main = allocate(1)
        self.main_mask = 0
        self.next_mask = 0
        self.rehash_index = -1
        self.used = 0

    # --- rehashing --------------------------------------------------------------------------------

    cdef int resize(self, uint64_t entries) except -1:
        """Start to move to a table for this many entries; nothing happens if one is under way or
        the size stays.
        """
        cdef uint64_t count = 1
        if self.rehash_index >= 0:
            return 0
        if entries > SLOTS:
            while count * GROW_AT < entries:
                count <<= 1
        if count == self.main_mask + 1:
            return 0
        self.next = allocate(count)
        self.next_mask = count - 1
        self.rehash_index = 0
        self.rehash_released = 0
        if self.used == 0:
            self.finish_rehash()
        return 0

    cdef void shrink_if_sparse(self) noexcept:
        if (
            self.main_mask > 0
            and self.rehash_index < 0
            and self.may_resize
            and self.used * SHRINK_AT < (self.main_mask + 1) * SLOTS
        ):
            self.resize(self.used + self.used // 2)

    cdef bint rehash_step(self, uint64_t buckets) noexcept:
        """Move this many buckets to the new table; True while there are more. Empty buckets count a
        tenth.
        """
        cdef Bucket *bucket
        cdef uint64_t empty_left = buckets * 10
        cdef uint64_t size = self.main_mask + 1
        if self.rehash_index < 0:
            return False
        while buckets:
            if <uint64_t> self.rehash_index >= size:
                self.finish_rehash()
                return False
            bucket = &self.main[self.rehash_index]
            if bucket.meta == 0:
                self.rehash_index += 1
                empty_left -= 1
                if empty_left == 0:
                    break
                continue
            self.move_chain(bucket)
            self.rehash_index += 1
            buckets -= 1
            if <uint64_t> self.rehash_index < size:
                self.prefetch_entries(&self.main[self.rehash_index])
        self.release_moved()
        if <uint64_t> self.rehash_index >= size:
            self.finish_rehash()
            return False
        return True

    cdef inline void prefetch_slots(self, Bucket *bucket) noexcept:
        """Ask for the beginning of all entries of a bucket."""
        cdef unsigned int slots = present(bucket)
        while slots:
            prefetch(bucket.slots[__builtin_ctzll(slots)])
            slots &= slots - 1

    cdef void prefetch_entries(self, Bucket *bucket) noexcept:
        """Ask for the keys of the bucket that the next step will move."""
        self.prefetch_slots(bucket)
        if <uint64_t> self.rehash_index < self.main_mask:
            prefetch(bucket + 1)

    cdef void move_chain(self, Bucket *head) noexcept:
        cdef Bucket *bucket = head
        cdef Bucket *after
        cdef unsigned int slots
        cdef uint64_t hashed
        cdef void *entry
        while bucket != NULL:
            slots = present(bucket)
            while slots:
                entry = bucket.slots[__builtin_ctzll(slots)]
                hashed = self.hash_entry(entry)
                self.put(&self.next[hashed & self.next_mask], entry, hashed)
                slots &= slots - 1
            after = linked(bucket)
            if bucket != head:
                free(bucket)
                self.children -= 1
            bucket = after
        head.meta = 0

    cdef void release_moved(self) noexcept:
        """Give back the pages of the old table that are empty for good."""
        cdef uint64_t moved = <uint64_t> self.rehash_index * sizeof(Bucket)
        if (self.main_mask + 1) * sizeof(Bucket) < MAPPED_FROM:
            return
        while self.rehash_released + RELEASE_STEP <= moved:
            madvise(<char *> self.main + self.rehash_released, RELEASE_STEP, MADV_DONTNEED)
            self.rehash_released += RELEASE_STEP

    cdef void finish_rehash(self) noexcept:
        release(self.main, self.main_mask + 1)
        self.main = self.next
        self.main_mask = self.next_mask
        self.next = NULL
        self.next_mask = 0
        self.rehash_index = -1

    # --- walking ----------------------------------------------------------------------------------

    cdef int visit_chain(self, Bucket *bucket, visit_t visit, void *context) except -1:
        cdef unsigned int slots
        while bucket != NULL:
            slots = present(bucket)
            while slots:
                visit(context, bucket.slots[__builtin_ctzll(slots)])
                slots &= slots - 1
            bucket = linked(bucket)
        return 0

    cdef uint64_t scan(self, uint64_t cursor, visit_t visit, void *context) except? 0:
        """Visit one bucket's worth of entries and return the next cursor; 0 when the walk is over.

        `visit` must not change the table.
        """
        cdef Bucket *small = self.main
        cdef Bucket *large = self.next
        cdef uint64_t small_mask = self.main_mask
        cdef uint64_t large_mask = self.next_mask
        if self.rehash_index < 0:
            self.visit_chain(&self.main[cursor & self.main_mask], visit, context)
            return next_cursor(cursor, self.main_mask)
        if small_mask > large_mask:
            small, large = large, small
            small_mask, large_mask = large_mask, small_mask
        self.visit_chain(&small[cursor & small_mask], visit, context)
        while True:
            self.visit_chain(&large[cursor & large_mask], visit, context)
            cursor = next_cursor(cursor, large_mask)
            if not cursor & (small_mask ^ large_mask):
                return cursor

    cdef int visit_all(self, visit_t visit, void *context) except -1:
        """Visit every entry once. `visit` must not change the table."""
        cdef uint64_t i, first = 0
        cdef unsigned int slots
        cdef Bucket *ahead
        if self.rehash_index > 0:
            first = <uint64_t> self.rehash_index
        for i in range(first, self.main_mask + 1):
            if i + 4 <= self.main_mask:
                # Four buckets ahead the entries are asked for, eight ahead the bucket itself.
                ahead = &self.main[i + 4]
                slots = present(ahead)
                while slots:
                    prefetch(ahead.slots[__builtin_ctzll(slots)])
                    slots &= slots - 1
            if i + 8 <= self.main_mask:
                prefetch(&self.main[i + 8])
            self.visit_chain(&self.main[i], visit, context)
        if self.next != NULL:
            for i in range(self.next_mask + 1):
                self.visit_chain(&self.next[i], visit, context)
        return 0

    cdef Bucket *random_bucket(self, uint64_t *state) noexcept:
        cdef uint64_t index
        if self.rehash_index < 0:
            return &self.main[mix(state) & self.main_mask]
        index = mix(state) % (self.main_mask + 1 + self.next_mask + 1)
        if index <= self.main_mask:
            return &self.main[index]
        return &self.next[index - self.main_mask - 1]

    cdef void *random(self, uint64_t chance) noexcept:
        """An entry by chance, NULL if there is none.

        A bucket is drawn and taken with a probability that grows with its entries, so that all
        entries of buckets with up to eight are equally likely. After many draws in vain (a table
        that is not allowed to shrink) the next bucket that holds entries is taken.

        A draw goes by the chance of the call before, so that the memory where it begins to look has
        been asked for by then: who draws once draws again (SPOP, eviction).
        """
        cdef uint64_t state = self.chance_ahead or chance
        cdef uint64_t ahead = chance, _
        cdef Bucket *drawn[DRAWN_AT_ONCE]
        cdef Bucket *bucket
        cdef Bucket *part
        cdef unsigned int entries, wanted, tries = 0, at = 0
        cdef unsigned int slots
        cdef uint64_t count
        if self.used == 0:
            return NULL
        # In a sparse table most draws are in vain: the lines of several are fetched together.
        count = min(1 + self.buckets() * 8 // self.used, <uint64_t> DRAWN_AT_ONCE)
        self.chance_ahead = ahead
        for _ in range(count):
            prefetch(self.random_bucket(&ahead))
        while True:
            if at % count == 0:
                for at in range(count):
                    drawn[at] = self.random_bucket(&state)
                    prefetch(drawn[at])
                at = 0
            bucket = drawn[at]
            at += 1
            if tries >= TRIES_MAX:
                bucket = self.next_in_use(bucket)
            tries += 1
            entries = 0
            part = bucket
            while part != NULL:
                entries += __builtin_popcount(present(part))
                part = linked(part)
            if entries == 0:
                continue
            if entries < 8 and tries <= TRIES_MAX and (mix(&state) & 7) >= entries:
                continue
            wanted = mix(&state) % entries
            part = bucket
            while True:
                slots = present(part)
                entries = __builtin_popcount(slots)
                if wanted < entries:
                    while wanted:
                        slots &= slots - 1
                        wanted -= 1
                    return part.slots[__builtin_ctzll(slots)]
                wanted -= entries
                part = linked(part)

    cdef Bucket *next_in_use(self, Bucket *bucket) noexcept:
        """The first bucket that holds entries, from this one on and round; there must be one."""
        while bucket.meta == 0:
            if bucket == &self.main[self.main_mask]:
                bucket = self.next if self.next != NULL else self.main
            elif self.next != NULL and bucket == &self.next[self.next_mask]:
                bucket = self.main
            else:
                bucket += 1
        return bucket

    cdef size_t sample(self, void **out, size_t count, uint64_t chance) noexcept:
        """Up to `count` entries from neighbouring buckets, from a random place on.

        The place is one among the entries of a bucket, not its first: entries that came late stand
        in the last slots and must be found as often. Fewer are returned if the table is sparse.
        """
        cdef uint64_t state = chance
        cdef uint64_t index, steps = count * 10, table
        cdef Bucket *bucket
        cdef unsigned int slots
        cdef size_t found = 0, skip
        if self.used == 0:
            return 0
        index = mix(&state)
        skip = mix(&state) % SLOTS
        while found < count and steps:
            steps -= 1
            for table in range(2):
                if table == 0:
                    bucket = &self.main[index & self.main_mask]
                elif self.rehash_index >= 0:
                    bucket = &self.next[index & self.next_mask]
                else:
                    break
                while bucket != NULL:
                    slots = present(bucket)
                    while slots and found < count:
                        if skip:
                            skip -= 1
                            slots &= slots - 1
                            continue
                        out[found] = bucket.slots[__builtin_ctzll(slots)]
                        found += 1
                        slots &= slots - 1
                    bucket = linked(bucket)
                    if found == count:
                        return found
            index += 1
            skip = 0
        return found

    # --- for tests --------------------------------------------------------------------------------

    def check_invariants(self) -> None:
        """Raise AssertionError unless every entry is where a look-up would find it and the counts
        agree.
        """
        cdef uint64_t i, seen = 0, links = 0
        cdef Bucket *bucket
        cdef unsigned int slots
        cdef int slot, table
        for table in range(2):
            if table == 1 and self.next == NULL:
                break
            for i in range((self.next_mask if table else self.main_mask) + 1):
                if not table and self.rehash_index >= 0 and i < <uint64_t> self.rehash_index:
                    continue  # moved; the pages may be gone
                bucket = &self.next[i] if table else &self.main[i]
                while bucket != NULL:
                    slots = present(bucket)
                    while slots:
                        slot = __builtin_ctzll(slots)
                        hashed = self.hash_entry(bucket.slots[slot])
                        mask = self.next_mask if table else self.main_mask
                        assert hashed & mask == i, "an entry in a foreign bucket"
                        assert bucket.tags[slot] == hashed >> 56, "a wrong tag"
                        seen += 1
                        slots &= slots - 1
                    if bucket.meta & LINKED:
                        links += 1
                    bucket = linked(bucket)
        assert seen == self.used, f"{seen} entries, {self.used} counted"
        assert links == self.children, f"{links} links, {self.children} counted"
