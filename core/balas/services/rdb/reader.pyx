"""Reads the RDB format: out of memory (bytes, mmap) or out of a file of any size, chunk by chunk.

`take_...` are for compiled code; `read_...` are the same for Python. A string that `take_string`
gives is lent: it stays where it is only until the next read. Whatever the data, nothing is read
beyond them, no room is made for lengths that are merely claimed, and everything that makes no sense
raises `BadData` with the offset.

Knows nothing of keyspaces and value types: whoever builds them calls the methods in the right
order.
"""

from cpython.buffer cimport (
    PyBUF_SIMPLE, PyBUF_WRITE, PyBuffer_Release, PyObject_CheckBuffer, PyObject_GetBuffer
)
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.math cimport INFINITY, NAN
from libc.stdint cimport int8_t, int16_t, int32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove

from balas.errors import BadData

from balas.services.rdb.format cimport (
    EXPIRE_MS, EXPIRE_S, FREQUENCY, IDLE, ITEM_DOUBLE, ITEM_END, ITEM_FLOAT, ITEM_SIGNED,
    ITEM_STRING, ITEM_UNSIGNED, LENGTH_14_BITS, LENGTH_32_BITS, LENGTH_64_BITS, RDB_VERSION,
    RDB_VERSION_MIN, SLOT_INFO, STRING_INT16, STRING_INT32, STRING_INT8, STRING_LZF
)
from balas.structures.crc64 cimport crc64_update
from balas.structures.lzf cimport lzf_decompress, lzf_plausible
from balas.structures.numbers cimport int64_to_string, string_to_double
from balas.types.items cimport ItemReader
from balas.types.limits cimport Limits


cdef enum:
    # What a file is read in. A multiple of the page size, small enough to stay in the cache.
    CHUNK_BYTES = 128 * 1024
    # A chunk holds at least the longest item that is read in one piece: a length, a number, a
    # header.
    CHUNK_BYTES_MIN = 32
    # Room for a string is first made for this much, and doubled as the bytes turn out to be there.
    PIECE_BYTES = 1 << 20


cdef int grow(unsigned char **room, size_t *size, size_t wanted) except -1:
    """Make a piece of memory larger; what is in it stays."""
    cdef void *moved
    if size[0] < wanted:
        moved = realloc(room[0], wanted)
        if moved == NULL:
            raise MemoryError
        room[0] = <unsigned char *>moved
        size[0] = wanted
    return 0


cdef class RdbReader(ItemReader):
    """Reads items from `source`: anything with a buffer, or a binary file (it needs `readinto`).

    A file is read from where it stands, and ahead by up to `chunk_bytes`; `position` tells what was
    used. `limits` and `now_ms` are those of the server that values are read for.
    """

    def __cinit__(
        self, source not None, *, bint checksum=True, size_t chunk_bytes=CHUNK_BYTES,
        Limits limits=None, int64_t now_ms=0,
    ):
        self.source = source
        self.limits = Limits() if limits is None else limits
        self.now_ms = now_ms
        self.checksum = checksum
        self.is_file = not PyObject_CheckBuffer(source)
        if not self.is_file:
            PyObject_GetBuffer(source, &self.view, PyBUF_SIMPLE)
            self.data = <const unsigned char *>self.view.buf
            self.end = self.view.len
            return
        self.chunk_bytes = max(chunk_bytes, <size_t>CHUNK_BYTES_MIN)
        self.chunk = <unsigned char *>malloc(self.chunk_bytes)
        if self.chunk == NULL:
            raise MemoryError
        self.data = self.chunk

    def __dealloc__(self):
        if not self.is_file:
            PyBuffer_Release(&self.view)
        free(self.chunk)
        free(self.text)
        free(self.packed)

    @property
    def position(self):
        """How many bytes of the source have been used."""
        return self.base + <int64_t>self.at

    cdef object bad(self, str what):
        """The error for data that make no sense."""
        return BadData(f"{what} at offset {self.position}")

    cdef object cut_short(self):
        """The error for data that end too early; the offset is that of their end."""
        return BadData(f"unexpected end of data at offset {self.base + <int64_t>self.end}")

    # Bytes on their way in

    cdef int retire(self) except -1:
        """Sum, capture and drop the used part of the chunk; move the rest to the front."""
        if self.checksum:
            self.crc = crc64_update(self.crc, self.data + self.summed, self.at - self.summed)
        if self.captured is not None:
            self.captured += (<const char *>self.data + self.capture_from)[
                : self.at - self.capture_from
            ]
            self.capture_from = 0
        memmove(self.chunk, self.chunk + self.at, self.end - self.at)
        self.base += <int64_t>self.at
        self.end -= self.at
        self.at = self.summed = 0
        return 0

    cdef int refill(self) except -1:
        """Read on behind what is left in the chunk; `BadData` at the end of the source."""
        cdef Py_ssize_t count = 0
        if self.is_file:
            self.retire()
            count = self.source.readinto(
                PyMemoryView_FromMemory(
                    <char *>self.chunk + self.end, self.chunk_bytes - self.end, PyBUF_WRITE
                )
            )
        if count <= 0:
            raise self.cut_short()
        self.end += <size_t>count
        return 0

    cdef int need(self, size_t n) except -1:
        """See to it that `n` bytes are at hand in one piece; from a file, no more than a chunk."""
        while self.end - self.at < n:
            self.refill()
        return 0

    cdef int copy_out(self, void *to, size_t n) except -1:
        """Read `n` bytes into memory that has room for them."""
        cdef size_t piece
        while n > 0:
            if self.at == self.end:
                self.refill()
            piece = min(n, self.end - self.at)
            memcpy(to, self.data + self.at, piece)
            self.at += piece
            to = <char *>to + piece
            n -= piece
        return 0

    cdef int collect(self, size_t n, unsigned char **room, size_t *room_size) except -1:
        """Read `n` bytes, more than a chunk, into room that grows as they turn out to be there."""
        cdef size_t got = 0, piece
        while got < n:
            piece = min(n - got, max(got, <size_t>PIECE_BYTES))
            grow(room, room_size, got + piece)
            self.copy_out(room[0] + got, piece)
            got += piece
        return 0

    cdef int skip(self, uint64_t n) except -1:
        """Step over `n` bytes."""
        while n > self.end - self.at:
            n -= self.end - self.at
            self.at = self.end
            self.refill()
        self.at += n
        return 0

    # Items

    cdef int take_byte(self) except -1:
        if self.at == self.end:
            self.refill()
        self.at += 1
        return self.data[self.at - 1]

    cdef int take_size(self, uint64_t *n) except -1:
        """Read a length; or, if that comes instead, return the form of a string in disguise."""
        cdef int head = self.take_byte()
        cdef int size, i
        if head < LENGTH_14_BITS:
            n[0] = head
            return 0
        if head < LENGTH_32_BITS:
            n[0] = (<uint64_t>(head & 0x3f) << 8) | <uint64_t>self.take_byte()
            return 0
        if head >= STRING_INT8:
            return head
        if head > LENGTH_64_BITS:
            raise self.bad(f"unknown length encoding {head}")
        size = 4 if head == LENGTH_32_BITS else 8
        self.need(size)
        n[0] = 0
        for i in range(size):
            n[0] = (n[0] << 8) | self.data[self.at + i]
        self.at += size
        return 0

    cdef int take_length(self, uint64_t *n) except -1:
        """Read a length or a count."""
        if self.take_size(n) != 0:
            raise self.bad("a string where a length should be")
        return 0

    cdef int take_string(self, const char **text, size_t *n) except -1:
        """Read a string of any form; `text` is lent until the next read."""
        cdef uint64_t size
        cdef int form = self.take_size(&size)
        if form == STRING_LZF:
            return self.take_compressed(text, n)
        if form != 0:
            return self.take_integer(form, text, n)
        n[0] = size
        if self.is_file and size > self.chunk_bytes:
            self.collect(size, &self.text, &self.text_size)
            text[0] = <const char *>self.text
            return 0
        self.need(size)
        text[0] = <const char *>self.data + self.at
        self.at += size
        return 0

    cdef int take_integer(self, int form, const char **text, size_t *n) except -1:
        """Read the rest of a string that is written as an integer."""
        cdef int8_t tiny
        cdef int16_t small
        cdef int32_t value
        grow(&self.text, &self.text_size, 32)
        if form == STRING_INT8:
            self.copy_out(&tiny, 1)
            value = tiny
        elif form == STRING_INT16:
            self.copy_out(&small, 2)
            value = small
        elif form == STRING_INT32:
            self.copy_out(&value, 4)
        else:
            raise self.bad(f"unknown string encoding {form & 0x3f}")
        n[0] = int64_to_string(value, <char *>self.text)
        text[0] = <const char *>self.text
        return 0

    cdef int take_compressed(self, const char **text, size_t *n) except -1:
        """Read the rest of a compressed string."""
        cdef uint64_t packed_size, size
        cdef const unsigned char *packed
        self.take_length(&packed_size)
        self.take_length(&size)
        if not lzf_plausible(packed_size, size):
            raise self.bad("impossible size of a compressed string")
        if self.is_file and packed_size > self.chunk_bytes:
            self.collect(packed_size, &self.packed, &self.packed_size)
            packed = self.packed
        else:
            self.need(packed_size)
            packed = self.data + self.at
            self.at += packed_size
        grow(&self.text, &self.text_size, size)
        if not lzf_decompress(packed, packed_size, self.text, size):
            raise self.bad("corrupt compressed string")
        text[0] = <const char *>self.text
        n[0] = size
        return 0

    cdef int skip_string(self) except -1:
        """Step over a string without making it."""
        cdef uint64_t n, size
        cdef int form = self.take_size(&n)
        if form == 0:
            return self.skip(n)
        if form == STRING_LZF:
            self.take_length(&n)
            self.take_length(&size)
            return self.skip(n)
        if form > STRING_LZF:
            raise self.bad(f"unknown string encoding {form & 0x3f}")
        return self.skip(1 << (form - STRING_INT8))

    cdef int take_double(self, double *value) except -1:
        return self.copy_out(value, 8)

    cdef int take_entry_header(self, EntryHeader *header) except -1:
        """Read the attributes of a key and the kind of its value, or an opcode that is no key's."""
        cdef int32_t expire_s
        cdef uint64_t n
        cdef int _hint
        header.expire_ms = header.idle_s = header.frequency = -1
        while True:
            header.kind = self.take_byte()
            if header.kind == EXPIRE_MS:
                self.copy_out(&header.expire_ms, 8)
            elif header.kind == EXPIRE_S:
                self.copy_out(&expire_s, 4)
                header.expire_ms = <int64_t>expire_s * 1000
            elif header.kind == IDLE:
                self.take_length(&n)
                header.idle_s = <int64_t>min(n, <uint64_t>0xffffffffU)
            elif header.kind == FREQUENCY:
                header.frequency = self.take_byte()
            elif header.kind == SLOT_INFO:
                # Sizes of a cluster's slot: a hint that nobody here has use for.
                for _hint in range(3):
                    self.take_length(&n)
            else:
                return 0

    # The same for Python

    def read_raw(self, size_t n):
        """The next `n` bytes."""
        if n <= self.end - self.at or not self.is_file or n <= self.chunk_bytes:
            self.need(n)
            self.at += n
            return (<const char *>self.data + self.at - n)[:n]
        self.collect(n, &self.text, &self.text_size)
        return (<const char *>self.text)[:n]

    def read_byte(self):
        """The next byte, as an int."""
        return self.take_byte()

    def read_length(self):
        """A length or a count."""
        cdef uint64_t n
        self.take_length(&n)
        return n

    def read_string(self):
        """A string of any form, as bytes."""
        cdef const char *text
        cdef size_t n
        self.take_string(&text, &n)
        return text[:n]

    def pass_string(self):
        """Step over a string."""
        self.skip_string()

    def read_double(self):
        """A double in eight bytes."""
        cdef double value
        self.take_double(&value)
        return value

    def read_text_double(self):
        """A double as text, as very old sorted sets have them; may be NaN."""
        cdef double value
        cdef int n = self.take_byte()
        if n == 253:
            return NAN
        if n >= 254:
            return INFINITY if n == 254 else -INFINITY
        text = self.read_raw(n)
        if not string_to_double(text, n, &value):
            raise self.bad(f"a score that is no number: {text!r}")
        return value

    def read_time_ms(self):
        """A Unix time in milliseconds, in eight bytes."""
        cdef int64_t at_ms
        self.copy_out(&at_ms, 8)
        return at_ms

    def read_header(self):
        """Check the first nine bytes of a file, and return its version, 1 to 12."""
        magic = self.read_raw(9)
        if not magic.startswith(b"REDIS") or not magic[5:].isdigit():
            raise BadData("not an RDB file: wrong signature at offset 0")
        self.version = int(magic[5:])
        if not RDB_VERSION_MIN <= self.version <= RDB_VERSION:
            raise BadData(f"cannot handle RDB version {self.version} at offset 5")
        return self.version

    def read_entry_header(self):
        """What stands before a key: (kind of value, expiry in Unix ms, idle seconds, frequency).

        -1 stands for attributes that are not there. The kind may be an opcode of 245 and above that
        is no key's: then the first item of that opcode comes next.
        """
        cdef EntryHeader header
        self.take_entry_header(&header)
        return header.kind, header.expire_ms, header.idle_s, header.frequency

    def read_end(self):
        """Read and verify the checksum, after the opcode END; a sum of 0 says there is none."""
        cdef uint64_t expected
        if self.version < 5:
            return
        if self.checksum:
            self.crc = crc64_update(self.crc, self.data + self.summed, self.at - self.summed)
            self.summed = self.at
        actual = self.crc
        self.copy_out(&expected, 8)
        if self.checksum and expected not in (0, actual):
            raise self.bad(f"wrong checksum: {expected:016x} instead of {actual:016x}")

    def begin_module_value(self):
        """The stream for a module's value; its type's id has been read by `read_length`."""
        cdef ModuleReader items = ModuleReader.__new__(ModuleReader)
        items.source = self
        return items

    def capture_module_value(self):
        """All items of a module's value and its end, as bytes that `write_raw` takes later.

        So a value whose module is not there is kept. The same goes for what follows the id after
        the opcode MODULE_AUX.
        """
        self.captured = bytearray()
        self.capture_from = self.at
        try:
            self.skip_items()
            self.captured += (<const char *>self.data + self.capture_from)[
                : self.at - self.capture_from
            ]
            return bytes(self.captured)
        finally:
            self.captured = None

    cdef int skip_items(self) except -1:
        cdef uint64_t item, n
        while True:
            self.take_length(&item)
            if item == ITEM_END:
                return 0
            if item == ITEM_SIGNED or item == ITEM_UNSIGNED:
                self.take_length(&n)
            elif item == ITEM_FLOAT:
                self.skip(4)
            elif item == ITEM_DOUBLE:
                self.skip(8)
            elif item == ITEM_STRING:
                self.skip_string()
            else:
                raise self.bad(f"unknown item {item} in a module's value")


cdef class ModuleReader:
    """The `LoadStream` of a module's value, got from an `RdbReader`."""

    cdef int expect(self, uint64_t item) except -1:
        cdef uint64_t found
        self.source.take_length(&found)
        if found != item:
            raise self.source.bad(
                f"{item_name(found)} where a module's value should have {item_name(item)}"
            )
        return 0

    cpdef uint64_t load_unsigned(self) except? 0:
        """Load a whole number from 0 to 2**64 - 1."""
        cdef uint64_t value
        self.expect(ITEM_UNSIGNED)
        self.source.take_length(&value)
        return value

    cpdef int64_t load_signed(self) except? 0:
        """Load a whole number of 64 bits."""
        cdef uint64_t value
        self.expect(ITEM_SIGNED)
        self.source.take_length(&value)
        return <int64_t>value

    cpdef double load_double(self) except? -1:
        """Load a 64-bit float."""
        cdef double value
        self.expect(ITEM_DOUBLE)
        self.source.copy_out(&value, 8)
        return value

    cpdef float load_float(self) except? -1:
        """Load a 32-bit float."""
        cdef float value
        self.expect(ITEM_FLOAT)
        self.source.copy_out(&value, 4)
        return value

    cdef int take_text(self, const char **text, size_t *n) except -1:
        """Load a string; `text` is lent until the next read."""
        self.expect(ITEM_STRING)
        return self.source.take_string(text, n)

    def load_string(self):
        """Load bytes."""
        cdef const char *text
        cdef size_t n
        self.take_text(&text, &n)
        return text[:n]

    def end(self):
        """Close the value: `BadData` if there are more items in it."""
        self.expect(ITEM_END)


cdef str item_name(uint64_t item):
    names = ("its end", "a signed number", "an unsigned number", "a float", "a double", "a string")
    return names[item] if item < 6 else f"an unknown item ({item})"
