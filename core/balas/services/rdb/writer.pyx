"""Writes the RDB format: to memory, to a file descriptor, or to a callable that takes chunks.

`put_...` are for compiled code: they take raw pointers and cost some nanoseconds a call;
`write_...` are the same for Python. The CRC-64 is computed over whole chunks as they leave, never
per item. A writer whose target failed (OSError, or whatever the callable raised) has lost data and
must be thrown away.

Knows nothing of keyspaces and value types: whoever walks them calls the methods in the right order.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from libc cimport errno
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy
from posix.unistd cimport fdatasync, write

from balas.services.rdb.format cimport (
    AUX, END, EXPIRE_MS, FREQUENCY, FUNCTION, IDLE, ITEM_DOUBLE, ITEM_END, ITEM_FLOAT,
    ITEM_SIGNED, ITEM_STRING, ITEM_UNSIGNED, LENGTH_14_BITS, LENGTH_32_BITS, LENGTH_64_BITS,
    LENGTH_6_BITS, MODULE_AUX, RDB_VERSION, RESIZE_DB, SELECT_DB, STRING_INT16, STRING_INT32,
    STRING_INT8, STRING_LZF
)
from balas.structures.crc64 cimport crc64_update
from balas.structures.lzf cimport lzf_compress
from balas.structures.numbers cimport int64_to_string, string_to_int64
from balas.types.items cimport ItemWriter


cdef enum:
    # Strings up to 11 bytes may be 32-bit integers, written as such.
    INTEGER_TEXT_MAX = 11
    # Compression is tried on strings longer than this; shorter ones gain nothing.
    PLAIN_MAX = 20
    # The room for compressed strings is kept for the next one, unless it grew beyond this.
    SCRATCH_KEEP_MAX = 1 << 20
    CHUNK_BYTES = 128 * 1024
    # A target gets chunks of this size at least, but for the last one and the one before a huge
    # string.
    CHUNK_BYTES_MIN = 64 * 1024


cdef class RdbWriter(ItemWriter):
    """Writes items to `target`.

    `target` is a file descriptor (int), a callable that takes bytes, or None to collect everything
    in memory until `take`. `sync_bytes`, if not 0, asks the system to bring the file to disk every
    so many bytes, so that the final sync has little left to do.
    """

    def __cinit__(self):
        self.buffer = NULL
        self.scratch = NULL

    def __init__(self, target=None, *, compress=True, checksum=True, int64_t sync_bytes=0):
        self.fd = target if isinstance(target, int) else -1
        self.sink = None if isinstance(target, int) else target
        self.compress = compress
        self.checksum = checksum
        self.sync_bytes = sync_bytes
        self.used = self.summed = self.crc = self.flushed = self.unsynced = 0
        free(self.buffer)
        self.capacity = 512 if target is None else CHUNK_BYTES
        self.buffer = <unsigned char *>malloc(self.capacity)
        if self.buffer == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.buffer)
        free(self.scratch)

    @property
    def written(self):
        """Bytes written so far, those that wait in the buffer included."""
        return self.flushed + <int64_t>self.used

    # Bytes on their way out

    cdef bint in_memory(self) noexcept:
        return self.fd < 0 and self.sink is None

    cdef int make_room(self, size_t n) except -1:
        """See to it that `n` bytes, at most CHUNK_BYTES_MIN of them to a target, fit the buffer."""
        cdef size_t wanted
        cdef void *moved
        if self.capacity - self.used >= n:
            return 0
        if not self.in_memory():
            return self.empty_buffer()
        wanted = max(self.used + n, 2 * self.capacity)
        moved = realloc(self.buffer, wanted)
        if moved == NULL:
            raise MemoryError
        self.buffer = <unsigned char *>moved
        self.capacity = wanted
        return 0

    cdef int put(self, const void *data, size_t n) except -1:
        """Write bytes as they are."""
        if self.capacity - self.used < n:
            if n > CHUNK_BYTES_MIN and not self.in_memory():
                self.empty_buffer()
                return self.deliver(<const unsigned char *>data, n)
            self.make_room(n)
        memcpy(self.buffer + self.used, data, n)
        self.used += n
        return 0

    cdef void sum_up(self) noexcept:
        if self.checksum:
            self.crc = crc64_update(self.crc, self.buffer + self.summed, self.used - self.summed)
        self.summed = self.used

    cdef int empty_buffer(self) except -1:
        """Let the target take the buffer."""
        cdef size_t n = self.used
        self.sum_up()
        self.used = self.summed = 0
        self.flushed += <int64_t>n
        return self.hand_over(self.buffer, n)

    cdef int deliver(self, const unsigned char *data, size_t n) except -1:
        """Let the target take a long string straight from where it lies."""
        if self.checksum:
            self.crc = crc64_update(self.crc, data, n)
        self.flushed += <int64_t>n
        return self.hand_over(data, n)

    cdef int hand_over(self, const unsigned char *data, size_t n) except -1:
        if n == 0:
            return 0
        if self.sink is not None:
            self.sink((<const char *>data)[:n])
            return 0
        write_all(self.fd, data, n)
        self.unsynced += <int64_t>n
        if 0 < self.sync_bytes <= self.unsynced:
            self.unsynced = 0
            sync(self.fd)
        return 0

    # Items

    cdef int put_byte(self, unsigned char byte) except -1:
        self.make_room(1)
        self.buffer[self.used] = byte
        self.used += 1
        return 0

    cdef int put_length(self, uint64_t n) except -1:
        """Write a length, in 1, 2, 5 or 9 bytes."""
        cdef unsigned char *at
        cdef int i, size
        self.make_room(9)
        at = self.buffer + self.used
        if n < 1 << 6:
            at[0] = <unsigned char>(LENGTH_6_BITS | n)
            self.used += 1
            return 0
        if n < 1 << 14:
            at[0] = <unsigned char>(LENGTH_14_BITS | (n >> 8))
            at[1] = <unsigned char>(n & 0xff)
            self.used += 2
            return 0
        size = 4 if n <= 0xffffffffU else 8
        at[0] = LENGTH_32_BITS if size == 4 else LENGTH_64_BITS
        for i in range(size):
            at[size - i] = <unsigned char>((n >> (8 * i)) & 0xff)
        self.used += size + 1
        return 0

    cdef int put_integer(self, int64_t value) except -1:
        """Write an integer as the string that it is: in 2, 3 or 5 bytes if 32 bits hold it."""
        cdef char[20] text
        cdef unsigned char *at
        cdef size_t n
        cdef int i, size
        if not -0x80000000 <= value <= 0x7fffffff:
            n = int64_to_string(value, text)
            self.put_length(n)
            return self.put(text, n)
        self.make_room(5)
        at = self.buffer + self.used
        if -0x80 <= value <= 0x7f:
            at[0] = STRING_INT8
            size = 1
        elif -0x8000 <= value <= 0x7fff:
            at[0] = STRING_INT16
            size = 2
        else:
            at[0] = STRING_INT32
            size = 4
        for i in range(size):
            at[i + 1] = <unsigned char>((value >> (8 * i)) & 0xff)
        self.used += size + 1
        return 0

    cdef int put_string(self, const char *text, size_t n) except -1:
        """Write a string: as an integer if it is one, else compressed or plain."""
        cdef int64_t value
        if n <= INTEGER_TEXT_MAX:
            if string_to_int64(text, n, &value) and -0x80000000 <= value <= 0x7fffffff:
                return self.put_integer(value)
        elif self.compress and n > PLAIN_MAX and self.put_compressed(text, n):
            return 0
        self.put_length(n)
        return self.put(text, n)

    cdef int put_compressed(self, const char *text, size_t n) except -1:
        """Write a string compressed; 0, and nothing written, if that does not save four bytes."""
        cdef size_t size
        cdef void *moved
        if self.scratch_size < n:
            moved = realloc(self.scratch, n)
            if moved == NULL:
                raise MemoryError
            self.scratch = <unsigned char *>moved
            self.scratch_size = n
        size = lzf_compress(<const unsigned char *>text, n, self.scratch, n - 4)
        if size > 0:
            self.put_byte(STRING_LZF)
            self.put_length(size)
            self.put_length(n)
            self.put(self.scratch, size)
        if self.scratch_size > SCRATCH_KEEP_MAX:
            free(self.scratch)
            self.scratch = NULL
            self.scratch_size = 0
        return size > 0

    cdef int put_attributes(self, int64_t expire_ms, int64_t idle_s, int frequency) except -1:
        """Write what stands before a key: Unix time of its end, idle time, frequency, if not -1."""
        if expire_ms != -1:
            self.put_byte(EXPIRE_MS)
            self.put(&expire_ms, 8)
        if idle_s != -1:
            self.put_byte(IDLE)
            self.put_length(<uint64_t>idle_s)
        if frequency != -1:
            self.put_byte(FREQUENCY)
            self.put_byte(<unsigned char>frequency)
        return 0

    cdef int put_entry(
        self, int kind, const char *key, size_t n, int64_t expire_ms, int64_t idle_s, int frequency
    ) except -1:
        """Write all of a key but its value: attributes (-1 for none), kind of value, name."""
        if expire_ms != -1 or idle_s != -1 or frequency != -1:
            self.put_attributes(expire_ms, idle_s, frequency)
        self.put_byte(<unsigned char>kind)
        return self.put_string(key, n)

    cdef ModuleWriter put_module(self, uint64_t module_id):
        """Begin the value of a module's type, after `put_entry` with the kind MODULE."""
        cdef ModuleWriter items = ModuleWriter.__new__(ModuleWriter)
        self.put_length(module_id)
        items.out = self
        return items

    # The same for Python

    def write_raw(self, data not None):
        """Write bytes as they are: a value kept from another file."""
        cdef Py_buffer view
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            self.put(view.buf, view.len)
        finally:
            PyBuffer_Release(&view)

    def write_byte(self, unsigned char byte):
        """Write one byte, such as an opcode or a kind of value."""
        self.put_byte(byte)

    def write_length(self, uint64_t n):
        """Write a count or a length below 2**64."""
        self.put_length(n)

    def write_string(self, data not None):
        """Write a string (bytes, bytearray, memoryview), or an int as the string that it is."""
        cdef Py_buffer view
        if isinstance(data, int):
            self.put_integer(data)
            return
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            self.put_string(<const char *>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)

    def write_double(self, double value):
        """Write the eight bytes of a double."""
        self.put(&value, 8)

    def write_time_ms(self, int64_t at_ms):
        """Write the eight bytes of a Unix time in milliseconds, as for the fields of a hash."""
        self.put(&at_ms, 8)

    def write_header(self):
        """Write the first nine bytes of a file: the magic word and the version."""
        self.write_raw(b"REDIS%04d" % RDB_VERSION)

    def write_aux(self, key not None, value not None):
        """Write a remark on the file; those that nobody knows are passed over when it is loaded."""
        self.put_byte(AUX)
        self.write_string(key)
        self.write_string(value)

    def write_select_db(self, uint64_t index):
        """Say that the keys that follow are those of this database."""
        self.put_byte(SELECT_DB)
        self.put_length(index)

    def write_resize_db(self, uint64_t keys, uint64_t expires):
        """Say how many keys the database has, and how many of them expire, to size its tables."""
        self.put_byte(RESIZE_DB)
        self.put_length(keys)
        self.put_length(expires)

    def write_function(self, bytes code not None):
        """Write the source of a function library."""
        self.put_byte(FUNCTION)
        self.write_string(code)

    def write_entry(
        self, int kind, bytes key not None, *,
        int64_t expire_ms=-1, int64_t idle_s=-1, int frequency=-1
    ):
        """Write all of a key but its value, which the caller writes next; -1 leaves a part out.

        `expire_ms` is Unix time, `idle_s` the seconds since the last access, `frequency` the LFU
        counter from 0 to 255.
        """
        self.put_entry(kind, key, len(key), expire_ms, idle_s, frequency)

    def begin_module_value(self, uint64_t module_id):
        """The stream for a module's value, after `write_entry`; close it with its `end`."""
        return self.put_module(module_id)

    def begin_module_aux(self, uint64_t module_id, bint after_keys):
        """The stream for what a module keeps beside its values, to be closed with its `end`."""
        self.put_byte(MODULE_AUX)
        cdef ModuleWriter items = self.put_module(module_id)
        items.save_unsigned(2 if after_keys else 1)
        return items

    def write_end(self):
        """Write the end of a file and its checksum (0 when switched off), and flush."""
        cdef uint64_t crc
        self.put_byte(END)
        self.make_room(8)
        self.sum_up()
        crc = self.crc
        memcpy(self.buffer + self.used, &crc, 8)
        self.used += 8
        self.flush()

    def flush(self):
        """Hand everything to the target; nothing happens when writing to memory."""
        if not self.in_memory():
            self.empty_buffer()

    def take(self):
        """Everything written to memory since the last call."""
        if not self.in_memory():
            raise ValueError("a writer with a target keeps nothing")
        result = (<const char *>self.buffer)[:self.used]
        self.sum_up()
        self.flushed += <int64_t>self.used
        self.used = self.summed = 0
        return result


cdef int write_all(int fd, const unsigned char *data, size_t n) except -1:
    """Write to a descriptor until all is written; OSError when it refuses."""
    cdef Py_ssize_t done
    while n > 0:
        with nogil:
            done = write(fd, data, n)
        if done < 0:
            if errno.errno != errno.EINTR:
                PyErr_SetFromErrno(OSError)
            PyErr_CheckSignals()
            continue
        data += done
        n -= <size_t>done
    return 0


cdef int sync(int fd) except -1:
    """Wait until the file's content is on disk. What cannot be synced (a pipe) needs no syncing."""
    cdef int failed
    with nogil:
        failed = fdatasync(fd)
    if failed and errno.errno != errno.EINVAL and errno.errno != errno.EROFS:
        PyErr_SetFromErrno(OSError)
    return 0


cdef class ModuleWriter:
    """The `SaveStream` of a module's value, got from an `RdbWriter`. Items go with their kinds."""

    cpdef int save_unsigned(self, uint64_t value) except -1:
        """Save a whole number from 0 to 2**64 - 1."""
        self.out.put_length(ITEM_UNSIGNED)
        return self.out.put_length(value)

    cpdef int save_signed(self, int64_t value) except -1:
        """Save a whole number of 64 bits."""
        self.out.put_length(ITEM_SIGNED)
        return self.out.put_length(<uint64_t>value)

    cpdef int save_double(self, double value) except -1:
        """Save a 64-bit float."""
        self.out.put_length(ITEM_DOUBLE)
        return self.out.put(&value, 8)

    cpdef int save_float(self, float value) except -1:
        """Save a float rounded to 32 bits."""
        self.out.put_length(ITEM_FLOAT)
        return self.out.put(&value, 4)

    cdef int put_text(self, const char *text, size_t n) except -1:
        self.out.put_length(ITEM_STRING)
        return self.out.put_string(text, n)

    def save_string(self, value not None):
        """Save bytes of any length (bytes, bytearray, memoryview)."""
        cdef Py_buffer view
        PyObject_GetBuffer(value, &view, PyBUF_SIMPLE)
        try:
            self.put_text(<const char *>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)

    def end(self):
        """Close the value: an item less or more than loading expects is found out here."""
        self.out.put_length(ITEM_END)
