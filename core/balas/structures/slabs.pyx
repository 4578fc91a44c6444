"""Memory for very many small blocks: slabs of sixteen kilobytes, each cut into blocks of one size.

Why not malloc? It puts eight bytes in front of each block and rounds up to sixteen, a tenth of a
small key. Worse, it puts work off: blocks that were freed are joined, or pages returned to the
system, within some later call that cannot know, and after a million keys have expired that call
takes a tenth of a second. Here every call does a handful of steps, and memory is returned when
`give_back` is called, as much at a time as the caller likes.

A slab that has lost blocks is filled again before a new one is begun. The rule a reader would get
wrong: the size of a block is not stored, so who releases a block must know the size it was asked
with.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

cdef extern from "<sys/mman.h>" nogil:
    void *mmap(void *addr, size_t length, int prot, int flags, int fd, long offset)
    int munmap(void *addr, size_t length)
    int madvise(void *addr, size_t length, int advice)
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS, MADV_DONTNEED
    void *MAP_FAILED

cdef enum:
    # Memory is asked for in regions; the system gives it page by page as they are used.
    REGION_BYTES = 1 << 22
    # So many empty slabs keep their memory, for what comes next.
    KEPT = 64


cdef inline size_t class_of_size(size_t size) noexcept nogil:
    return (size + BLOCK_STEP - 1) // BLOCK_STEP if size else 1


cdef inline Slab *slab_of(const void *block) noexcept nogil:
    return <Slab *> (<size_t> block & ~<size_t> (SLAB_BYTES - 1))


cdef inline bint is_full(const Slab *slab) noexcept nogil:
    return slab.freed == NULL and slab.fresh + slab.block_bytes > SLAB_BYTES


cdef class Slabs:
    """The blocks of one owner; all go when it goes, whether they were released or not."""

    def __dealloc__(self):
        cdef uint64_t i
        for i in range(self.region_count):
            munmap(self.regions[i], REGION_BYTES + SLAB_BYTES)
        free(self.regions)
        free(self.bare)

    cdef void *allocate(self, size_t size) except NULL:
        """A block of at least this size, with any content, aligned to eight bytes."""
        cdef Slab *slab
        cdef void *block
        cdef size_t size_class
        if size > SLAB_BLOCK_MAX:
            block = malloc(size)
            if block == NULL:
                raise MemoryError
            return block
        size_class = class_of_size(size)
        slab = self.with_room[size_class]
        if slab == NULL:
            slab = self.new_slab(size_class)
        block = slab.freed
        if block != NULL:
            slab.freed = (<void **> block)[0]
        else:
            block = <char *> slab + slab.fresh
            slab.fresh += slab.block_bytes
        slab.used += 1
        if is_full(slab):
            self.close_slab(slab)
            self.full[size_class] += 1
        return block

    cdef void release(self, void *block, size_t size) noexcept:
        """Take back a block that was asked for with this size."""
        cdef Slab *slab
        if size > SLAB_BLOCK_MAX:
            free(block)
            return
        slab = slab_of(block)
        (<void **> block)[0] = slab.freed
        slab.freed = block
        slab.used -= 1
        if not slab.open:
            self.full[slab.block_bytes // BLOCK_STEP] -= 1
            self.open_slab(slab)
        elif slab.used == 0 and (slab.next != NULL or slab.previous != NULL):
            # The last one of its class stays, or a single block that comes and goes would take a
            # new slab each time.
            self.close_slab(slab)
            slab.next = self.empty
            self.empty = slab
            self.empty_count += 1

    cdef void *resize(self, void *block, size_t size, size_t wanted) except NULL:
        """A block of `wanted` bytes with the content of one of `size` bytes, which may be the same
        block, and is released otherwise.
        """
        cdef void *other
        if size > SLAB_BLOCK_MAX and wanted > SLAB_BLOCK_MAX:
            other = realloc(block, wanted)
            if other == NULL:
                raise MemoryError
            return other
        if room_of(size) == room_of(wanted):
            return block
        other = self.allocate(wanted)
        memcpy(other, block, size if size < wanted else wanted)
        self.release(block, size)
        return other

    # --- slabs ------------------------------------------------------------------------------------

    cdef Slab *new_slab(self, size_t size_class) except NULL:
        """A slab without blocks for this class."""
        cdef Slab *slab = self.unused_slab()
        slab.freed = NULL
        slab.used = 0
        slab.fresh = SLAB_HEADER
        slab.block_bytes = <uint32_t> (size_class * BLOCK_STEP)
        self.open_slab(slab)
        return slab

    cdef Slab *unused_slab(self) except NULL:
        """A slab that nobody uses, best one that has its memory; nothing in it can be relied on."""
        cdef Slab *slab = self.empty
        if slab != NULL:
            self.empty = slab.next
            self.empty_count -= 1
            return slab
        if self.bare_count:
            self.bare_count -= 1
            return self.bare[self.bare_count]
        if self.uncut == self.region_end:
            self.map_region()
        slab = <Slab *> self.uncut
        self.uncut += SLAB_BYTES
        self.cut += 1
        return slab

    cdef int map_region(self) except -1:
        """Get a new region to cut slabs from."""
        cdef void *memory
        cdef void **regions = <void **> realloc(
            self.regions, (self.region_count + 1) * sizeof(void *)
        )
        if regions == NULL:
            raise MemoryError
        self.regions = regions
        memory = mmap(
            NULL, REGION_BYTES + SLAB_BYTES, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0,
        )
        if memory == MAP_FAILED:
            raise MemoryError
        self.regions[self.region_count] = memory
        self.region_count += 1
        self.uncut = <char *> (
            (<size_t> memory + SLAB_BYTES - 1) & ~<size_t> (SLAB_BYTES - 1)
        )
        self.region_end = self.uncut + REGION_BYTES
        return 0

    cdef void open_slab(self, Slab *slab) noexcept:
        """Put a slab that has room at the head of the list of its class."""
        cdef Slab *head = self.with_room[slab.block_bytes // BLOCK_STEP]
        slab.open = True
        slab.previous = NULL
        slab.next = head
        if head != NULL:
            head.previous = slab
        self.with_room[slab.block_bytes // BLOCK_STEP] = slab

    cdef void close_slab(self, Slab *slab) noexcept:
        """Take a slab out of the list of its class."""
        slab.open = False
        if slab.previous != NULL:
            slab.previous.next = slab.next
        else:
            self.with_room[slab.block_bytes // BLOCK_STEP] = slab.next
        if slab.next != NULL:
            slab.next.previous = slab.previous

    # --- giving memory back -----------------------------------------------------------------------

    @property
    def memory(self):
        """Bytes of all slabs that have memory."""
        return (self.cut - self.bare_count) * SLAB_BYTES

    def give_back(self, count: int) -> bool:
        """Return the memory of up to `count` empty slabs to the system; True if there is more."""
        cdef uint64_t left = count
        cdef Slab *slab
        cdef Slab **bare
        while left and self.empty_count > KEPT:
            if self.bare_count == self.bare_room:
                bare = <Slab **> realloc(
                    self.bare, (2 * self.bare_room + KEPT) * sizeof(Slab *)
                )
                if bare == NULL:
                    raise MemoryError
                self.bare = bare
                self.bare_room = 2 * self.bare_room + KEPT
            slab = self.empty
            self.empty = slab.next
            self.empty_count -= 1
            madvise(slab, SLAB_BYTES, MADV_DONTNEED)
            self.bare[self.bare_count] = slab
            self.bare_count += 1
            left -= 1
        return self.empty_count > KEPT

    # --- for tests --------------------------------------------------------------------------------

    def take(self, size: int) -> int:
        """The address of a new block."""
        return <size_t> self.allocate(size)

    def give(self, address: int, size: int) -> None:
        """Release a block by its address."""
        self.release(<void *> <size_t> address, size)

    def change(self, address: int, size: int, wanted: int) -> int:
        """Resize a block by its address; the new address."""
        return <size_t> self.resize(<void *> <size_t> address, size, wanted)

    def check_invariants(self, blocks: int) -> None:
        """Raise AssertionError unless all lists are whole and `blocks` blocks are handed out."""
        cdef Slab *slab
        cdef Slab *before
        cdef void *block
        cdef uint64_t used = 0, empties = 0, freed
        cdef size_t i
        for i in range(1, SIZE_CLASSES):
            used += self.full[i] * ((SLAB_BYTES - SLAB_HEADER) // (i * BLOCK_STEP))
            slab, before = self.with_room[i], NULL
            while slab != NULL:
                assert slab.open and slab.previous == before and slab.block_bytes == i * BLOCK_STEP
                assert not is_full(slab)
                block, freed = slab.freed, 0
                while block != NULL:
                    assert slab_of(block) == slab
                    freed += 1
                    block = (<void **> block)[0]
                assert slab.used + freed == (slab.fresh - SLAB_HEADER) // slab.block_bytes
                used += slab.used
                slab, before = slab.next, slab
        slab = self.empty
        while slab != NULL:
            assert slab.used == 0 and not slab.open
            empties += 1
            slab = slab.next
        assert empties == self.empty_count
        assert used == blocks, f"{used} blocks in use, {blocks} expected"
