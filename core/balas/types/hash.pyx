"""The type hash: what a value of the keyspace has to be, on top of its fields (fields.pyx).

RDB files hold hashes in eight ways. The oldest are only read; of the others a hash is written in
the one that is nearest to what it is in memory, so that a pack is written as it stands.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.ref cimport PyObject
from libc.stdint cimport INT64_MIN, int64_t, uint8_t, uint64_t

from balas.structures.listpack cimport (
    listpack_copy,
    listpack_load,
    listpack_size,
)
from balas.structures.members cimport (
    Field,
    FieldTable,
    value_of,
    value_size_of,
)
from balas.structures.ziplist cimport ziplist_to_listpack
from balas.structures.zipmap cimport zipmap_to_listpack
from balas.types.fields cimport EXPIRY_MAX_MS, NEVER, Fields
from balas.types.items cimport ItemReader, ItemWriter
from balas.types.limits cimport Limits
from balas.types.value cimport HASH_PACK, Value

cdef enum:
    # How RDB files hold a hash. The two PRE kinds are those of versions before 7.4.0 was final:
    # they hold times as they are, the later ones the earliest time first.
    KIND_STRINGS = 4
    KIND_ZIPMAP = 9
    KIND_ZIPLIST = 13
    KIND_LISTPACK = 16
    KIND_PRE_METADATA = 22
    KIND_PRE_LISTPACK_EX = 23
    KIND_METADATA = 24
    KIND_LISTPACK_EX = 25

    # Fields that one command of a rewritten log sets.
    FIELDS_PER_COMMAND = 64


cdef struct Saving:
    PyObject *writer
    PyObject *table
    int64_t earliest_ms


cdef int save_field(void *context, void *entry) except -1:
    """Write a field as it stands in both kinds of tables: a time only where any field has one."""
    cdef Saving *saving = <Saving *>context
    cdef ItemWriter writer = <ItemWriter>saving.writer
    cdef Field *field = <Field *>entry
    cdef int64_t at_ms
    if saving.earliest_ms >= 0:
        at_ms = (<FieldTable>saving.table).expiry_of(field)
        # Times count from the earliest, which is 1; 0 is never.
        writer.put_length(<uint64_t>(at_ms - saving.earliest_ms + 1) if at_ms >= 0 else 0)
    writer.put_string(field.key, field.length)
    writer.put_string(value_of(field), value_size_of(field))
    return 0


@cython.no_gc
cdef class Hash(Fields):
    """Fields and their values; never empty while a key holds it."""

    type_name = "hash"
    dormant_forms = (HASH_PACK,)
    rdb_kinds = (
        KIND_STRINGS, KIND_ZIPMAP, KIND_ZIPLIST, KIND_LISTPACK, KIND_PRE_METADATA,
        KIND_PRE_LISTPACK_EX, KIND_METADATA, KIND_LISTPACK_EX,
    )

    @classmethod
    def of(cls, pairs, Limits limits not None):
        """A hash of these pairs of bytes."""
        cdef Hash made = cls()
        for field, value in pairs:
            made.put(field, value, False, limits)
        return made

    cdef Value wake(self, void *block, uint8_t form):
        cdef Hash made = Hash.__new__(Hash)
        made.pack = <unsigned char *> block
        return made

    def copy(self):
        cdef Hash made = Hash.__new__(Hash)
        if self.pack == NULL:
            made.take_table(self.table.copy())
        else:
            made.take_pack(listpack_copy(self.pack), self.next_expiry_ms != NEVER)
        return made

    def digest(self, digest):
        """The fields in any order, each with its value and whether it expires."""
        cdef list flat = self.flat(INT64_MIN)
        cdef Py_ssize_t i
        for i in range(0, len(flat), 2):
            inner = type(digest)()
            inner.add(flat[i])
            inner.add(flat[i + 1])
            if self.next_expiry_ms >= 0 and self.expire_at(flat[i], INT64_MIN) >= 0:
                inner.add_unordered(b"!!hexpire!!")
            digest.add_unordered(inner.value)

    def aof_rewrite(self, key):
        """HMSET of as many fields at a time as Redis takes; where fields expire, of each field, and
        then when it does.
        """
        cdef list flat = self.flat(INT64_MIN)
        cdef Py_ssize_t step = 2 if self.next_expiry_ms >= 0 else 2 * FIELDS_PER_COMMAND
        cdef Py_ssize_t start
        cdef int64_t at_ms
        for start in range(0, len(flat), step):
            yield (b"HMSET", key, *flat[start:start + step])
            at_ms = self.expire_at(flat[start], INT64_MIN) if step == 2 else -1
            if at_ms >= 0:
                yield (b"HPEXPIREAT", key, b"%d" % at_ms, b"FIELDS", b"1", flat[start])

    # --- RDB --------------------------------------------------------------------------------------

    @property
    def rdb_kind(self):
        """The kind that `rdb_save` writes now."""
        if self.pack == NULL:
            return KIND_STRINGS if self.next_expiry_ms < 0 else KIND_METADATA
        return KIND_LISTPACK if self.next_expiry_ms == NEVER else KIND_LISTPACK_EX

    def rdb_save(self, out):
        """The earliest time if there may be one, and the pack as it is, or the fields."""
        cdef ItemWriter writer = out
        cdef int64_t earliest_ms = max(self.next_expiry_ms, 0)
        cdef Saving saving
        if self.pack != NULL:
            if self.next_expiry_ms != NEVER:
                writer.put(&earliest_ms, 8)
            writer.put_string(<const char *>self.pack, listpack_size(self.pack))
            return
        saving.writer = <PyObject *>writer
        saving.table = <PyObject *>self.table
        saving.earliest_ms = self.next_expiry_ms
        if self.next_expiry_ms >= 0:
            writer.put(&earliest_ms, 8)
        writer.put_length(self.table.table.used)
        self.table.table.visit_all(save_field, &saving)

    @classmethod
    def rdb_load(cls, source, kind):
        """A hash of one of the kinds; None if it is empty."""
        cdef ItemReader reader = source
        cdef Hash made = Hash()
        if kind in (KIND_STRINGS, KIND_METADATA, KIND_PRE_METADATA):
            made.load_fields(reader, kind)
        else:
            made.load_pack(reader, kind)
        return made if made.length() > 0 else None

    cdef int load_pack(self, ItemReader reader, int kind) except -1:
        """A pack of one of four sorts."""
        cdef bint timed = kind in (KIND_LISTPACK_EX, KIND_PRE_LISTPACK_EX)
        cdef const char *text
        cdef size_t size
        cdef int64_t earliest_ms
        cdef unsigned char *pack
        if kind == KIND_LISTPACK_EX:
            # What it says stands in the pack as well.
            reader.copy_out(&earliest_ms, 8)
        reader.take_string(&text, &size)
        try:
            if kind == KIND_ZIPMAP:
                pack = zipmap_to_listpack(<const unsigned char *>text, size)
            elif kind == KIND_ZIPLIST:
                pack = ziplist_to_listpack(<const unsigned char *>text, size)
            else:
                pack = listpack_load(<const unsigned char *>text, size)
        except ValueError as error:
            raise reader.bad(f"{error}") from None
        self.take_pack(pack, timed)
        if not self.sound():
            raise reader.bad("a hash whose fields make no sense")
        if self.length() > reader.limits.hash_entries or (
            kind == KIND_ZIPMAP and not self.is_slim(reader.limits)
        ):
            self.to_table(reader.limits)
        return 0

    cdef bint is_slim(self, Limits limits) except -1:
        """Whether all fields and values are short enough for a pack."""
        return all(len(text) <= limits.hash_value for text in self.flat(INT64_MIN))

    cdef int load_fields(self, ItemReader reader, int kind) except -1:
        """Fields one by one, with their expiry times first if they have any."""
        cdef uint64_t left, delta = 0
        cdef int64_t earliest_ms = 0, at_ms
        cdef const char *text
        cdef size_t size
        cdef bytes field
        if kind == KIND_METADATA:
            reader.copy_out(&earliest_ms, 8)
            if not 0 <= earliest_ms <= EXPIRY_MAX_MS:
                raise reader.bad("a hash whose fields expire at no possible time")
        reader.take_length(&left)
        if kind != KIND_STRINGS:
            self.expect_expiry()
        while left > 0:
            if kind != KIND_STRINGS:
                reader.take_length(&delta)
            reader.take_string(&text, &size)
            field = PyBytes_FromStringAndSize(text, size)
            reader.take_string(&text, &size)
            if not self.put_text(field, len(field), text, size, False, reader.limits):
                raise reader.bad("a hash with a field that comes twice")
            if delta > 0:
                at_ms = EXPIRY_MAX_MS - earliest_ms
                if delta > <uint64_t>at_ms:
                    raise reader.bad("a field that expires at no possible time")
                at_ms = <int64_t>delta + (earliest_ms - 1 if kind == KIND_METADATA else 0)
                self.set_expire(field, at_ms)
            left -= 1
        return 0
