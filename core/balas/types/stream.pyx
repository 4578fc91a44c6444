"""The type stream: entries that are only ever added at the end, and groups that share the reading
of them.

Entries are in stream_entries.pyx and groups in stream_groups.pyx; here is what concerns both:
delivering, claiming, how far a group lags behind, and files. RDB files hold the blocks as they are.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.ref cimport PyObject
from libc.stdint cimport INT64_MAX

from balas.structures.listpack cimport (
    listpack_copy,
    listpack_free,
    listpack_load,
    listpack_memory,
    listpack_size,
)
from balas.types.stream_blocks cimport Block, block_open, block_valid
from balas.types.stream_entries cimport Walk
from balas.types.stream_groups cimport Pending
from balas.types.stream_ids cimport (
    IdCursor,
    id_from_bytes,
    id_ms,
    id_seq,
    id_text,
    id_to_bytes,
    make_id,
)

cdef enum:
    # How RDB files hold a stream: the second kind added counts of entries, the third the time when
    # a consumer was last active.
    KIND_PLAIN = 15
    KIND_COUNTED = 19
    KIND_ACTIVE = 21

    ID_BYTES = 16

    # What Python keeps of the objects of a stream: itself, the map of blocks, the dict of groups.
    STREAM_BYTES = 360

    # XAUTOCLAIM looks at up to so many times the entries it may claim.
    ATTEMPTS_FACTOR = 10


@cython.no_gc
cdef class Stream(Entries):
    """Entries and groups; it may be empty."""

    type_name = "stream"
    rdb_kinds = (KIND_PLAIN, KIND_COUNTED, KIND_ACTIVE)
    rdb_kind = KIND_ACTIVE

    def encoding(self):
        return "stream"

    def set_ids(self, last_id: int, entries_added: int, max_deleted_id: int) -> None:
        """Say what is remembered of entries that are not here; a negative count is not set."""
        self.last_id = <stream_id>last_id
        if entries_added >= 0:
            self.entries_added = <uint64_t>entries_added
        if max_deleted_id:
            self.max_deleted_id = <stream_id>max_deleted_id

    # --- counting ---------------------------------------------------------------------------------

    cdef bint has_gap_after(self, stream_id id) noexcept:
        """Whether an entry may have been deleted between this id and the end."""
        if self.length == 0 or self.max_deleted_id == 0:
            return False
        return self.first_id <= self.max_deleted_id and id <= self.max_deleted_id

    cpdef int64_t entries_up_to(self, object id) except? -2:
        """How many entries there had ever been up to this id; -1 if that cannot be told."""
        cdef stream_id at = <stream_id>id
        if self.entries_added == 0:
            return 0
        if self.length == 0 and at <= self.last_id:
            return <int64_t>self.entries_added
        if at != 0 and at < self.max_deleted_id:
            return -1
        if at == self.last_id:
            return <int64_t>self.entries_added
        if at > self.last_id:
            return -1
        if self.max_deleted_id == 0 or self.max_deleted_id < self.first_id:
            if at < self.first_id:
                return <int64_t>(self.entries_added - self.length)
            if at == self.first_id:
                return <int64_t>(self.entries_added - self.length + 1)
        return -1

    def lag(self, Group group) -> int | None:
        """How many entries the group has still to read; None if that cannot be told."""
        cdef int64_t read
        if self.entries_added == 0 or self.length == 0:
            return 0
        if group.last_id < self.first_id and self.max_deleted_id < self.first_id:
            return self.length
        if group.entries_read != -1 and not self.has_gap_after(group.last_id):
            return <int64_t>self.entries_added - group.entries_read
        read = self.entries_up_to(group.last_id)
        return <int64_t>self.entries_added - read if read != -1 else None

    cdef int advance(self, Group group, stream_id id) except -1:
        """The group has come to this entry, which is behind its last one."""
        if (
            group.entries_read != -1
            and group.last_id >= self.first_id
            and not self.has_gap_after(group.last_id)
        ):
            group.entries_read += 1
        elif self.entries_added:
            group.entries_read = self.entries_up_to(id)
        group.last_id = id
        return 0

    # --- groups -----------------------------------------------------------------------------------

    def groups_in_order(self) -> list:
        """The groups by name."""
        return [self.groups[name] for name in sorted(self.groups)]

    def add_group(self, bytes name, last_id: int, int64_t entries_read) -> Group:
        """A new group; its name must be free."""
        cdef Group group = Group(name, self.account)
        group.last_id = <stream_id>last_id
        group.entries_read = entries_read
        self.groups[name] = group
        return group

    def drop_group(self, Group group) -> None:
        """Remove a group with all that it has not acknowledged."""
        del self.groups[group.name]

    # --- delivering -------------------------------------------------------------------------------

    cdef int give(self, Group group, Consumer consumer, stream_id id, int64_t now_ms) except -1:
        """Note that an entry went to a consumer; to another one before, if the group was set
        back.
        """
        cdef Pending *pending = group.find(id)
        consumer.active_ms = now_ms
        if pending == NULL:
            group.add_pending(id, consumer, now_ms, 1)
            return 0
        group.hand_over(id, pending, consumer)
        pending.delivered_ms = now_ms
        pending.deliveries = 1
        return 0

    def deliver(
        self, Group group, Consumer consumer, start: int, int64_t count, bint no_ack, int64_t now_ms
    ) -> list:
        """Up to `count` entries from an id on (-1: all), for a consumer that has to acknowledge
        them unless `no_ack`.
        """
        cdef list found = self.range(start, 2**128 - 1, count, False)
        cdef stream_id id
        cdef Walk walk
        cdef bint more = len(found) > 0 and self.seek_entry(<stream_id>start, &walk)
        cdef Py_ssize_t left = len(found)
        while more and left > 0:
            id = walk.entry.id
            if id > group.last_id:
                self.advance(group, id)
            if not no_ack:
                self.give(group, consumer, id, now_ms)
            left -= 1
            if left > 0:
                more = self.next_entry(&walk)
        return found

    def redeliver(
        self, Group group, Consumer consumer, start: int, int64_t count, int64_t now_ms
    ) -> list:
        """Up to `count` entries from an id on (-1: all) that are pending to a consumer, delivered
        once more; those that are no longer there have None instead of fields and values.
        """
        cdef IdCursor cursor
        cdef Pending *pending
        cdef list found = [], entries
        cdef stream_id id
        cdef bint more = consumer.pending.seek(<stream_id>start, &cursor)
        while more and count != 0:
            id = consumer.pending.id_at(&cursor)
            entries = self.range(id, id, 1, False)
            if entries:
                pending = <Pending *>consumer.pending.value_at(&cursor)
                pending.delivered_ms = now_ms
                pending.deliveries += 1
                found.append(entries[0])
            else:
                found.append([id_text(id), None])
            count -= 1
            more = consumer.pending.next(&cursor)
        return found

    def claim(
        self, Group group, Consumer consumer, id: int, int64_t idle_min_ms, int64_t now_ms,
        int64_t delivered_ms, int64_t deliveries, bint just_id, bint force,
    ) -> tuple | None:
        """Make an entry pending to a consumer, if it is pending and has been for long enough;
        `force` makes it so if it is not.

        None if nothing happened; else whether it was claimed (an entry that is no longer there is
        let go instead), and the delivery as it then is, or was: id, name of the consumer, time,
        count. Negative `deliveries` count one more unless `just_id`.
        """
        cdef stream_id wanted = <stream_id>id
        cdef Pending *pending = group.find(wanted)
        cdef tuple told
        if not self.exists(id):
            if pending == NULL:
                return None
            told = delivery(wanted, pending)
            group.forget(wanted)
            return False, told
        if pending == NULL:
            if not force:
                return None
            pending = group.add_pending(wanted, consumer, now_ms, 1)
        elif idle_min_ms and now_ms - pending.delivered_ms < idle_min_ms:
            return None
        group.hand_over(wanted, pending, consumer)
        pending.delivered_ms = delivered_ms
        if deliveries >= 0:
            pending.deliveries = <uint64_t>deliveries
        elif not just_id:
            pending.deliveries += 1
        consumer.active_ms = now_ms
        return True, delivery(wanted, pending)

    def claim_idle(
        self, Group group, Consumer consumer, start: int, int64_t idle_min_ms, int64_t count,
        int64_t now_ms, bint just_id,
    ) -> tuple:
        """Claim up to `count` entries from an id on that have been pending for long enough.

        Gives the id to go on from (0 at the end), the ids claimed, those let go because they are
        no longer there, and the deliveries of both in their order.
        """
        cdef IdCursor cursor
        cdef Pending *pending
        cdef stream_id at = <stream_id>start
        cdef list claimed = [], gone = [], deliveries = []
        cdef int64_t attempts = count * ATTEMPTS_FACTOR
        cdef bint more = group.pending.seek(at, &cursor)
        while more and attempts > 0 and count > 0:
            attempts -= 1
            at = group.pending.id_at(&cursor)
            pending = <Pending *>group.pending.value_at(&cursor)
            if not self.exists(at):
                deliveries.append(delivery(at, pending))
                group.forget(at)
                gone.append(at)
                count -= 1
                more = group.pending.seek(at, &cursor)
                continue
            if not idle_min_ms or now_ms - pending.delivered_ms >= idle_min_ms:
                group.hand_over(at, pending, consumer)
                pending.delivered_ms = now_ms
                pending.deliveries += not just_id
                consumer.active_ms = now_ms
                claimed.append(at)
                deliveries.append(delivery(at, pending))
                count -= 1
            more = group.pending.next(&cursor)
        return group.pending.id_at(&cursor) if more else 0, claimed, gone, deliveries

    # --- the contract of a value ------------------------------------------------------------------

    cpdef Py_ssize_t memory_usage(self) except -1:
        return STREAM_BYTES + <Py_ssize_t>self.account.memory

    cpdef Py_ssize_t cardinality(self) except -1:
        return <Py_ssize_t>self.length

    cpdef Py_ssize_t free_effort(self) except -1:
        """The blocks and what is pending; a group that has nothing pending is freed quickly."""
        cdef Py_ssize_t effort = <Py_ssize_t>self.blocks.used
        cdef Group group
        for group in self.groups.values():
            effort += 1 + <Py_ssize_t>group.pending.used
        return effort

    def free_step(self, effort):
        """Free so many blocks or pending entries; True while there are more."""
        cdef Py_ssize_t left = max(effort, 1)
        cdef IdCursor cursor
        cdef Group group
        while left > 0 and self.blocks.seek_last(&cursor):
            self.drop_block(
                self.blocks.id_at(&cursor), <unsigned char *>self.blocks.value_at(&cursor)
            )
            left -= 1
        for group in self.groups.values():
            while left > 0 and group.pending.seek_last(&cursor):
                group.forget(group.pending.id_at(&cursor))
                left -= 1
        return left <= 0

    def copy(self):
        cdef Stream made = Stream.__new__(Stream)
        cdef IdCursor cursor
        cdef Group group
        cdef bint more = self.blocks.seek(0, &cursor)
        while more:
            made.add_block(
                self.blocks.id_at(&cursor),
                listpack_copy(<unsigned char *>self.blocks.value_at(&cursor)),
            )
            more = self.blocks.next(&cursor)
        made.length = self.length
        made.last_id = self.last_id
        made.first_id = self.first_id
        made.max_deleted_id = self.max_deleted_id
        made.entries_added = self.entries_added
        for group in self.groups.values():
            made.groups[group.name] = group.copied(made.account)
        return made

    def digest(self, digest):
        """The entries in their order; groups do not count, as in Redis."""
        cdef list entry, items
        for entry in self.range(0, 2**128 - 1, -1, False):
            digest.add((<bytes>entry[0]).replace(b"-", b"."))
            items = entry[1]
            for item in items:
                digest.add(item)

    def aof_rewrite(self, key):
        """XADD of each entry, what is remembered of others, and the groups with what is pending."""
        cdef Group group
        cdef Consumer consumer
        if self.length == 0:
            # An empty stream is made by an entry that is trimmed away at once.
            yield b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"
        for id, items in self.range(0, 2**128 - 1, -1, False):
            yield (b"XADD", key, id, *items)
        yield (
            b"XSETID", key, id_text(self.last_id),
            b"ENTRIESADDED", b"%d" % self.entries_added,
            b"MAXDELETEDID", id_text(self.max_deleted_id),
        )
        for group in self.groups_in_order():
            yield (
                b"XGROUP", b"CREATE", key, group.name, id_text(group.last_id),
                b"ENTRIESREAD", b"%d" % group.entries_read,
            )
            for consumer in group.in_order():
                if not consumer.pending.used:
                    yield b"XGROUP", b"CREATECONSUMER", key, group.name, consumer.name
                for id, name, delivered_ms, deliveries in group.pending_entries(
                    0, 2**128 - 1, INT64_MAX, consumer
                ):
                    yield (
                        b"XCLAIM", key, group.name, name, b"0", id_text(<stream_id>id),
                        b"TIME", b"%d" % delivered_ms, b"RETRYCOUNT", b"%d" % deliveries,
                        b"JUSTID", b"FORCE",
                    )

    # --- files ------------------------------------------------------------------------------------

    def rdb_save(self, out):
        """The blocks as they are, the ids, and the groups."""
        cdef ItemWriter writer = out
        cdef IdCursor cursor
        cdef unsigned char[ID_BYTES] id
        cdef const unsigned char *pack
        cdef bint more = self.blocks.seek(0, &cursor)
        writer.put_length(self.blocks.used)
        while more:
            id_to_bytes(self.blocks.id_at(&cursor), id)
            writer.put_string(<const char *>id, ID_BYTES)
            pack = <const unsigned char *>self.blocks.value_at(&cursor)
            writer.put_string(<const char *>pack, listpack_size(pack))
            more = self.blocks.next(&cursor)
        writer.put_length(self.length)
        save_id(writer, self.last_id)
        save_id(writer, self.first_id)
        save_id(writer, self.max_deleted_id)
        writer.put_length(self.entries_added)
        writer.put_length(len(self.groups))
        for group in self.groups_in_order():
            self.save_group(writer, group)

    cdef int save_group(self, ItemWriter writer, Group group) except -1:
        cdef IdCursor cursor
        cdef unsigned char[ID_BYTES] id
        cdef Pending *pending
        cdef Consumer consumer
        cdef bint more = group.pending.seek(0, &cursor)
        writer.put_string(PyBytes_AS_STRING(group.name), PyBytes_GET_SIZE(group.name))
        save_id(writer, group.last_id)
        writer.put_length(<uint64_t>group.entries_read)
        writer.put_length(group.pending.used)
        while more:
            id_to_bytes(group.pending.id_at(&cursor), id)
            pending = <Pending *>group.pending.value_at(&cursor)
            writer.put(id, ID_BYTES)
            writer.put(&pending.delivered_ms, 8)
            writer.put_length(pending.deliveries)
            more = group.pending.next(&cursor)
        writer.put_length(len(group.consumers))
        for consumer in group.in_order():
            writer.put_string(PyBytes_AS_STRING(consumer.name), PyBytes_GET_SIZE(consumer.name))
            writer.put(&consumer.seen_ms, 8)
            writer.put(&consumer.active_ms, 8)
            writer.put_length(consumer.pending.used)
            more = consumer.pending.seek(0, &cursor)
            while more:
                id_to_bytes(consumer.pending.id_at(&cursor), id)
                writer.put(id, ID_BYTES)
                more = consumer.pending.next(&cursor)
        return 0

    @classmethod
    def rdb_load(cls, source, kind):
        """A stream of one of the kinds."""
        cdef ItemReader reader = source
        cdef Stream made = Stream.__new__(Stream)
        cdef uint64_t groups
        made.load_blocks(reader)
        made.load_ids(reader, kind)
        reader.take_length(&groups)
        while groups > 0:
            made.load_group(reader, kind)
            groups -= 1
        return made

    cdef int load_blocks(self, ItemReader reader) except -1:
        cdef uint64_t blocks
        cdef const char *text
        cdef size_t size
        cdef stream_id id, last = 0
        cdef unsigned char *pack
        cdef Block block
        reader.take_length(&blocks)
        while blocks > 0:
            reader.take_string(&text, &size)
            if size != ID_BYTES:
                raise reader.bad("the id of a stream's block is not 16 bytes")
            id = id_from_bytes(<const unsigned char *>text)
            if id < last or (last == 0 and self.blocks.used):
                raise reader.bad("the blocks of a stream are not in order")
            reader.take_string(&text, &size)
            try:
                pack = listpack_load(<const unsigned char *>text, size)
            except ValueError:
                raise reader.bad("a corrupt listpack") from None
            if not block_valid(pack, id):
                listpack_free(pack)
                raise reader.bad("a corrupt block of a stream")
            if not self.blocks.put(id, pack):
                listpack_free(pack)
                raise reader.bad("a block of a stream that is there twice")
            self.account.memory += <int64_t>listpack_memory(pack)
            block_open(pack, id, &block)
            self.length += <uint64_t>block.count
            last = id
            blocks -= 1
        return 0

    cdef int load_ids(self, ItemReader reader, int kind) except -1:
        cdef uint64_t length
        reader.take_length(&length)
        if length != self.length:
            raise reader.bad(f"a stream of {self.length} entries that says it has {length}")
        self.last_id = load_id(reader)
        if kind == KIND_PLAIN:
            self.entries_added = self.length
            self.find_first()
            return 0
        self.first_id = load_id(reader)
        self.max_deleted_id = load_id(reader)
        reader.take_length(&self.entries_added)
        return 0

    cdef int load_group(self, ItemReader reader, int kind) except -1:
        cdef bytes name = load_bytes(reader)
        cdef stream_id last_id = load_id(reader)
        cdef uint64_t read, consumers
        cdef Group group
        cdef IdCursor cursor
        cdef bint more
        if kind == KIND_PLAIN:
            read = <uint64_t>self.entries_up_to(last_id)
        else:
            reader.take_length(&read)
        if name in self.groups:
            raise reader.bad("a group of a stream that is there twice")
        group = self.add_group(name, last_id, <int64_t>read)
        self.load_pending(reader, group)
        reader.take_length(&consumers)
        while consumers > 0:
            self.load_consumer(reader, kind, group)
            consumers -= 1
        more = group.pending.seek(0, &cursor)
        while more:
            if (<Pending *>group.pending.value_at(&cursor)).consumer == NULL:
                raise reader.bad("a pending entry of a stream without a consumer")
            more = group.pending.next(&cursor)
        return 0

    cdef int load_pending(self, ItemReader reader, Group group) except -1:
        """The pending entries of a group; whose they are comes with the consumers."""
        cdef uint64_t left, deliveries
        cdef unsigned char[ID_BYTES] id
        cdef int64_t delivered_ms
        reader.take_length(&left)
        while left > 0:
            reader.copy_out(id, ID_BYTES)
            reader.copy_out(&delivered_ms, 8)
            reader.take_length(&deliveries)
            if group.find(id_from_bytes(id)) != NULL:
                raise reader.bad("a pending entry of a stream that is there twice")
            group.add_pending(id_from_bytes(id), None, delivered_ms, deliveries)
            left -= 1
        return 0

    cdef int load_consumer(self, ItemReader reader, int kind, Group group) except -1:
        cdef bytes name = load_bytes(reader)
        cdef int64_t seen_ms, active_ms
        cdef uint64_t left
        cdef unsigned char[ID_BYTES] id
        cdef Consumer consumer
        cdef Pending *pending
        reader.copy_out(&seen_ms, 8)
        active_ms = seen_ms
        if kind == KIND_ACTIVE:
            reader.copy_out(&active_ms, 8)
        if name in group.consumers:
            raise reader.bad("a consumer of a stream that is there twice")
        consumer = group.add_consumer(name, seen_ms)
        consumer.active_ms = active_ms
        reader.take_length(&left)
        while left > 0:
            reader.copy_out(id, ID_BYTES)
            pending = group.find(id_from_bytes(id))
            if pending == NULL or pending.consumer != NULL:
                raise reader.bad("a consumer's entry that is not pending to it alone")
            consumer.pending.put(id_from_bytes(id), pending)
            pending.consumer = <PyObject *>consumer
            left -= 1
        return 0


cdef tuple delivery(stream_id id, const Pending *pending):
    """A pending entry as a record needs it."""
    return (
        id,
        (<Consumer>pending.consumer).name,
        pending.delivered_ms,
        pending.deliveries,
    )


cdef int save_id(ItemWriter writer, stream_id id) except -1:
    writer.put_length(id_ms(id))
    return writer.put_length(id_seq(id))


cdef stream_id load_id(ItemReader reader) except? -1:
    cdef uint64_t ms, seq
    reader.take_length(&ms)
    reader.take_length(&seq)
    return make_id(ms, seq)


cdef bytes load_bytes(ItemReader reader):
    cdef const char *text
    cdef size_t size
    reader.take_string(&text, &size)
    return PyBytes_FromStringAndSize(text, <Py_ssize_t>size)
