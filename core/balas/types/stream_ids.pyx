"""Ids of stream entries: their text, and a map of them in order.

An id is written `ms-seq`, two unsigned numbers of 64 bits. Python sees it as one number,
`ms << 64 | seq`, which compares as ids do.

The map holds pointers by id in order: packed blocks by the id of their first entry, pending entries
by their own. Ids nearly always come at the end and go at the front, so the map is a row of chunks
of up to 256 ids, above which stands one array with the first id of each: a search is two binary
searches in plain arrays, 24 bytes an id is all that is stored, and what moves when a chunk comes or
goes is 24 bytes for 256 ids. A row of ids that only grows at its end fills its chunks.

The values are the owner's: the map frees none.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.string cimport memcpy, memmove, strchr, strlen

from balas.structures.blocks cimport block_cost
from balas.structures.numbers cimport string_to_int64

cdef extern from *:
    """
    #include <errno.h>
    #include <stdlib.h>

    /* Whether the C library reads the whole text as a number that is not too large. */
    static int balas_read_unsigned(const char *text, unsigned long long *number) {
        char *end = NULL;
        errno = 0;
        *number = strtoull(text, &end, 10);
        return errno == 0 && *text != 0 && *end == 0;
    }
    """
    bint balas_read_unsigned(const char *text, unsigned long long *number) noexcept nogil

SEQ_MAX = 2**64 - 1
ID_MAX = 2**128 - 1

cdef enum:
    CHUNK_MAX = 256       # ids in a chunk
    CHUNK_MIN = 4
    ID_TEXT_MAX = 127     # a longer text is no id

# How much of an id a text gives.
cdef enum IdForm:
    NO_ID
    TIME_ALONE
    TIME_AND_STAR
    WHOLE_ID


# --- text -----------------------------------------------------------------------------------------

cdef stream_id make_id(unsigned long long ms, unsigned long long seq) noexcept nogil:
    return (<stream_id>ms << 64) | <stream_id>seq


cdef unsigned long long id_ms(stream_id id) noexcept nogil:
    return <unsigned long long>(id >> 64)


cdef unsigned long long id_seq(stream_id id) noexcept nogil:
    return <unsigned long long>id


cdef size_t unsigned_to_text(unsigned long long number, char *text) noexcept nogil:
    """Write the digits of a number, up to 20; how many there were."""
    cdef char[20] digits
    cdef size_t at = 20
    while True:
        at -= 1
        digits[at] = <char>(48 + number % 10)
        number //= 10
        if number == 0:
            break
    memcpy(text, digits + at, 20 - at)
    return 20 - at


cdef bytes id_text(stream_id id):
    """The id as a reply shows it."""
    cdef char[41] text
    cdef size_t size = unsigned_to_text(id_ms(id), text)
    text[size] = 45
    size += 1
    size += unsigned_to_text(id_seq(id), text + size)
    return PyBytes_FromStringAndSize(text, <Py_ssize_t>size)


cdef bint text_to_unsigned(const char *text, unsigned long long *number) noexcept nogil:
    """Read a number as Redis does: strictly if it has a canonical form, else as the C library."""
    cdef int64_t strict
    if string_to_int64(text, strlen(text), &strict):
        if strict < 0:
            return False
        number[0] = <unsigned long long>strict
        return True
    return balas_read_unsigned(text, number)


cdef IdForm read_id(bytes text, stream_id *id) noexcept:
    """Read an id, as far as it is given; what is not is 0."""
    cdef char[ID_TEXT_MAX + 1] room
    cdef char *dash
    cdef unsigned long long ms, seq
    cdef size_t size = PyBytes_GET_SIZE(text)
    if size > ID_TEXT_MAX:
        return NO_ID
    memcpy(room, PyBytes_AS_STRING(text), size + 1)
    dash = strchr(room, 45)
    if dash != NULL:
        dash[0] = 0
    if not text_to_unsigned(room, &ms):
        return NO_ID
    id[0] = make_id(ms, 0)
    if dash == NULL:
        return TIME_ALONE
    if dash[1] == 42 and dash[2] == 0:
        return TIME_AND_STAR
    if not text_to_unsigned(dash + 1, &seq):
        return NO_ID
    id[0] = make_id(ms, seq)
    return WHOLE_ID


def parse_given_id(bytes text) -> tuple | None:
    """An id as XADD takes it, and whether its sequence is given: `ms-*` asks for one.

    None if the text is no id.
    """
    cdef stream_id id
    cdef IdForm form = read_id(text, &id)
    return None if form == NO_ID else (id, form != TIME_AND_STAR)


def parse_id(bytes text, missing_seq: int) -> int | None:
    """An id in full, or `ms` alone to be completed by a sequence; "-" and "+" are the least and the
    greatest. None if the text is no id.
    """
    cdef stream_id id
    cdef IdForm form
    if PyBytes_GET_SIZE(text) == 1:
        if text[0] == 45:
            return 0
        if text[0] == 43:
            return ID_MAX
    form = read_id(text, &id)
    if form == WHOLE_ID:
        return id
    if form != TIME_ALONE:
        return None
    return make_id(id_ms(id), <unsigned long long>missing_seq)


def format_id(id: int) -> bytes:
    """The id as a reply shows it."""
    return id_text(<stream_id>id)


cdef void id_to_bytes(stream_id id, unsigned char *out) noexcept nogil:
    """The 16 bytes that sort as ids do."""
    cdef int i
    for i in range(16):
        out[15 - i] = <unsigned char>(id & 0xff)
        id >>= 8


cdef stream_id id_from_bytes(const unsigned char *data) noexcept nogil:
    """The id of 16 such bytes."""
    cdef stream_id id = 0
    cdef int i
    for i in range(16):
        id = (id << 8) | <stream_id>data[i]
    return id


# --- the map --------------------------------------------------------------------------------------

cdef inline void **values_of(IdChunk *chunk) noexcept nogil:
    return <void **>(chunk.ids + chunk.room)


cdef inline size_t chunk_bytes(size_t room) noexcept nogil:
    return sizeof(IdChunk) + room * (sizeof(stream_id) + sizeof(void *))


cdef inline size_t first_not_below(const stream_id *ids, size_t count, stream_id id) noexcept nogil:
    """The place of the first id that is not below this one; `count` if all are."""
    cdef size_t low = 0, high = count, middle
    if count and ids[count - 1] < id:
        return count
    while low < high:
        middle = (low + high) >> 1
        if ids[middle] < id:
            low = middle + 1
        else:
            high = middle
    return low


cdef class Account:
    """What several parts of one value are charged to."""


cdef class IdMap:
    """Pointers by id. NULL is no value."""

    def __cinit__(self, Account account=None):
        self.account = Account() if account is None else account

    def __dealloc__(self):
        self.forget_all()

    cdef void forget_all(self) noexcept:
        """Let all ids go; their values are nobody's then."""
        while self.chunk_count:
            self.drop_chunk(self.chunk_count - 1)
        if self.chunk_room:
            self.account.memory -= block_cost(self.chunk_room * sizeof(void *))
            self.account.memory -= block_cost(self.chunk_room * sizeof(stream_id))
        PyMem_Free(self.chunks)
        PyMem_Free(self.firsts)
        self.chunks = NULL
        self.firsts = NULL
        self.chunk_room = 0

    # --- chunks -----------------------------------------------------------------------------------

    cdef int make_room(self) except -1:
        """See to it that one more chunk has its place."""
        cdef size_t room = max(self.chunk_room * 2, <size_t>1)
        cdef void *moved
        if self.chunk_count < self.chunk_room:
            return 0
        moved = PyMem_Realloc(self.chunks, room * sizeof(void *))
        if moved == NULL:
            raise MemoryError
        self.chunks = <IdChunk **>moved
        moved = PyMem_Realloc(self.firsts, room * sizeof(stream_id))
        if moved == NULL:
            raise MemoryError
        self.firsts = <stream_id *>moved
        if self.chunk_room:
            self.account.memory -= block_cost(self.chunk_room * sizeof(void *))
            self.account.memory -= block_cost(self.chunk_room * sizeof(stream_id))
        self.account.memory += block_cost(room * sizeof(void *))
        self.account.memory += block_cost(room * sizeof(stream_id))
        self.chunk_room = room
        return 0

    cdef IdChunk *new_chunk(self, size_t at, uint32_t room) except NULL:
        """An empty chunk before the one at `at`."""
        cdef IdChunk *chunk
        self.make_room()
        chunk = <IdChunk *>PyMem_Malloc(chunk_bytes(room))
        if chunk == NULL:
            raise MemoryError
        chunk.count = 0
        chunk.room = room
        self.account.memory += block_cost(chunk_bytes(room))
        memmove(
            self.chunks + at + 1, self.chunks + at, (self.chunk_count - at) * sizeof(void *)
        )
        memmove(
            self.firsts + at + 1, self.firsts + at, (self.chunk_count - at) * sizeof(stream_id)
        )
        self.chunks[at] = chunk
        self.chunk_count += 1
        return chunk

    cdef void drop_chunk(self, size_t at) noexcept:
        cdef IdChunk *chunk = self.chunks[at]
        cdef size_t after = self.chunk_count - at - 1
        self.account.memory -= block_cost(chunk_bytes(chunk.room))
        self.used -= chunk.count
        PyMem_Free(chunk)
        memmove(self.chunks + at, self.chunks + at + 1, after * sizeof(void *))
        memmove(self.firsts + at, self.firsts + at + 1, after * sizeof(stream_id))
        self.chunk_count -= 1

    cdef int resize_chunk(self, size_t at, uint32_t room) except -1:
        """Give a chunk another room, not below its count."""
        cdef IdChunk *chunk = self.chunks[at]
        cdef IdChunk *moved = <IdChunk *>PyMem_Malloc(chunk_bytes(room))
        if moved == NULL:
            raise MemoryError
        moved.count = chunk.count
        moved.room = room
        memcpy(moved.ids, chunk.ids, chunk.count * sizeof(stream_id))
        memcpy(values_of(moved), values_of(chunk), chunk.count * sizeof(void *))
        self.account.memory += block_cost(chunk_bytes(room)) - block_cost(chunk_bytes(chunk.room))
        PyMem_Free(chunk)
        self.chunks[at] = moved
        return 0

    cdef int split(self, IdCursor *cursor) except -1:
        """Make room in a full chunk for an id at the cursor, which is moved to its place.

        At the very end of the map a new chunk is begun, so that the full ones stay full.
        """
        cdef IdChunk *chunk = self.chunks[cursor.chunk]
        cdef IdChunk *behind
        cdef uint32_t kept = CHUNK_MAX // 2
        if cursor.place == chunk.count and cursor.chunk == self.chunk_count - 1:
            self.new_chunk(cursor.chunk + 1, CHUNK_MIN)
            cursor.chunk += 1
            cursor.place = 0
            return 0
        behind = self.new_chunk(cursor.chunk + 1, CHUNK_MAX)
        behind.count = chunk.count - kept
        memcpy(behind.ids, chunk.ids + kept, behind.count * sizeof(stream_id))
        memcpy(values_of(behind), values_of(chunk) + kept, behind.count * sizeof(void *))
        chunk.count = kept
        self.firsts[cursor.chunk + 1] = behind.ids[0]
        if cursor.place > kept:
            cursor.chunk += 1
            cursor.place -= kept
        return 0

    cdef void join(self, size_t at) noexcept:
        """Put a chunk's follower behind it, if both together are small."""
        cdef IdChunk *chunk
        cdef IdChunk *behind
        if at + 1 >= self.chunk_count:
            return
        chunk = self.chunks[at]
        behind = self.chunks[at + 1]
        if chunk.count + behind.count > min(chunk.room, <uint32_t>CHUNK_MAX // 2):
            return
        memcpy(chunk.ids + chunk.count, behind.ids, behind.count * sizeof(stream_id))
        memcpy(
            values_of(chunk) + chunk.count, values_of(behind), behind.count * sizeof(void *)
        )
        chunk.count += behind.count
        self.used += behind.count
        self.drop_chunk(at + 1)

    # --- places -----------------------------------------------------------------------------------

    cdef bint seek(self, stream_id id, IdCursor *cursor) noexcept:
        """Go to the first id that is not below this one; False if there is none."""
        cdef size_t chunk = first_not_below(self.firsts, self.chunk_count, id)
        cdef size_t place
        if chunk == self.chunk_count or self.firsts[chunk] != id:
            # It may stand in the chunk before, behind that one's first.
            if chunk == 0:
                cursor.chunk = 0
                cursor.place = 0
                return self.used > 0
            chunk -= 1
        place = first_not_below(self.chunks[chunk].ids, self.chunks[chunk].count, id)
        cursor.chunk = chunk
        cursor.place = <uint32_t>place
        if place < self.chunks[chunk].count:
            return True
        if chunk + 1 == self.chunk_count:
            return False
        cursor.chunk = chunk + 1
        cursor.place = 0
        return True

    cdef bint seek_at_most(self, stream_id id, IdCursor *cursor) noexcept:
        """Go to the last id that is not above this one; False if there is none."""
        if not self.seek(id, cursor):
            return self.seek_last(cursor)
        if self.id_at(cursor) == id:
            return True
        return self.previous(cursor)

    cdef bint seek_last(self, IdCursor *cursor) noexcept:
        """Go to the last id; False if there is none."""
        if self.chunk_count == 0:
            return False
        cursor.chunk = self.chunk_count - 1
        cursor.place = self.chunks[cursor.chunk].count - 1
        return True

    cdef bint next(self, IdCursor *cursor) noexcept:
        """Go on to the next id; False if there is none."""
        cursor.place += 1
        if cursor.place < self.chunks[cursor.chunk].count:
            return True
        cursor.chunk += 1
        cursor.place = 0
        return cursor.chunk < self.chunk_count

    cdef bint previous(self, IdCursor *cursor) noexcept:
        """Go back to the id before; False if there is none."""
        if cursor.place > 0:
            cursor.place -= 1
            return True
        if cursor.chunk == 0:
            return False
        cursor.chunk -= 1
        cursor.place = self.chunks[cursor.chunk].count - 1
        return True

    cdef stream_id id_at(self, const IdCursor *cursor) noexcept:
        return self.chunks[cursor.chunk].ids[cursor.place]

    cdef void *value_at(self, const IdCursor *cursor) noexcept:
        return values_of(self.chunks[cursor.chunk])[cursor.place]

    cdef void replace(self, const IdCursor *cursor, void *value) noexcept:
        """Put another value in the place of the one here."""
        values_of(self.chunks[cursor.chunk])[cursor.place] = value

    # --- one id -----------------------------------------------------------------------------------

    cdef void *get(self, stream_id id) noexcept:
        """The value of an id, or NULL."""
        cdef IdCursor cursor
        if self.seek(id, &cursor) and self.id_at(&cursor) == id:
            return self.value_at(&cursor)
        return NULL

    cdef bint put(self, stream_id id, void *value) except -1:
        """Add an id; False, and nothing happens, if it is there already."""
        cdef IdCursor cursor
        cdef IdChunk *chunk
        cdef uint32_t after
        if self.chunk_count == 0:
            self.new_chunk(0, CHUNK_MIN)
            cursor.chunk = 0
            cursor.place = 0
        elif self.seek(id, &cursor):
            if self.id_at(&cursor) == id:
                return False
            if cursor.place == 0 and cursor.chunk > 0:
                # Between two chunks: behind the last of the first one, which may have room.
                cursor.chunk -= 1
                cursor.place = self.chunks[cursor.chunk].count
        chunk = self.chunks[cursor.chunk]
        if chunk.count == CHUNK_MAX:
            self.split(&cursor)
            chunk = self.chunks[cursor.chunk]
        if chunk.count == chunk.room:
            self.resize_chunk(cursor.chunk, chunk.room * 2)
            chunk = self.chunks[cursor.chunk]
        after = chunk.count - cursor.place
        memmove(
            chunk.ids + cursor.place + 1, chunk.ids + cursor.place, after * sizeof(stream_id)
        )
        memmove(
            values_of(chunk) + cursor.place + 1,
            values_of(chunk) + cursor.place,
            after * sizeof(void *),
        )
        chunk.ids[cursor.place] = id
        values_of(chunk)[cursor.place] = value
        chunk.count += 1
        self.used += 1
        self.firsts[cursor.chunk] = chunk.ids[0]
        return True

    cdef void *take(self, stream_id id) noexcept:
        """Remove an id; its value, or NULL if it was not there."""
        cdef IdCursor cursor
        cdef IdChunk *chunk
        cdef void *value
        cdef uint32_t after
        if not self.seek(id, &cursor) or self.id_at(&cursor) != id:
            return NULL
        chunk = self.chunks[cursor.chunk]
        value = self.value_at(&cursor)
        after = chunk.count - cursor.place - 1
        memmove(
            chunk.ids + cursor.place, chunk.ids + cursor.place + 1, after * sizeof(stream_id)
        )
        memmove(
            values_of(chunk) + cursor.place,
            values_of(chunk) + cursor.place + 1,
            after * sizeof(void *),
        )
        chunk.count -= 1
        self.used -= 1
        if chunk.count == 0:
            self.drop_chunk(cursor.chunk)
            return value
        self.firsts[cursor.chunk] = chunk.ids[0]
        self.join(cursor.chunk)
        if cursor.chunk > 0:
            self.join(cursor.chunk - 1)
        return value

    # --- for tests --------------------------------------------------------------------------------

    def __len__(self):
        return self.used

    def __contains__(self, id):
        return self.get(<stream_id>id) != NULL

    @property
    def memory(self):
        """Bytes charged to the map's account."""
        return self.account.memory

    def add(self, id: int) -> bool:
        """Add an id with some value; False if it was there."""
        return self.put(<stream_id>id, <void *>self)

    def remove(self, id: int) -> bool:
        """Remove an id; False if it was not there."""
        return self.take(<stream_id>id) != NULL

    def ids(self, start: int = 0, backwards: bool = False) -> list:
        """All ids from `start` on, or down from it."""
        cdef IdCursor cursor
        cdef list found = []
        cdef bint back = backwards
        cdef bint more
        if back:
            more = self.seek_at_most(<stream_id>start, &cursor)
        else:
            more = self.seek(<stream_id>start, &cursor)
        while more:
            found.append(self.id_at(&cursor))
            more = self.previous(&cursor) if back else self.next(&cursor)
        return found

    def check_invariants(self) -> None:
        """Raise AssertionError unless order, counts and first ids agree."""
        cdef size_t i
        found = self.ids()
        assert found == sorted(set(found)), "the ids are not in order"
        assert len(found) == self.used, "the count is wrong"
        for i in range(self.chunk_count):
            assert self.chunks[i].count > 0, "a chunk is empty"
            assert self.firsts[i] == self.chunks[i].ids[0], "a first id is wrong"
