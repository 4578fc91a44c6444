"""Consumer groups of a stream: who has been given which entries and has not acknowledged them.

The rule a reader would get wrong: an entry that is pending need not be in the stream any more.
"""

cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport INT64_MAX

from balas.structures.blocks cimport block_cost
from balas.types.stream_ids cimport IdCursor

cdef enum:
    # What Python's objects of a consumer and of a group take, roughly: the object itself, its map,
    # and its place in the dict above.
    CONSUMER_BYTES = 240
    GROUP_BYTES = 400


@cython.no_gc
cdef class Consumer:
    """One reader of a group. Times are Unix ms.

    Attributes:
        seen_ms: when it last tried; active_ms: when it last got something, -1 for never.
    """

    def __cinit__(self, bytes name not None, Account account not None, int64_t now_ms):
        self.name = name
        self.seen_ms = now_ms
        self.active_ms = -1
        self.pending = IdMap(account)

    @property
    def pending_count(self) -> int:
        """How many entries it has not acknowledged."""
        return self.pending.used


@cython.no_gc
cdef class Group:
    """Readers who share the entries of a stream among them.

    Attributes:
        last_id: of the last entry that was delivered to one of them.
        entries_read: how many entries there had been in the stream up to it, -1 if that is not
        known.
    """

    def __cinit__(self, bytes name not None, Account account not None):
        self.name = name
        self.consumers = {}
        self.account = account
        self.pending = IdMap(account)
        self.entries_read = -1
        account.memory += GROUP_BYTES + len(name)

    def __dealloc__(self):
        cdef IdCursor cursor
        cdef bint more = self.pending.seek(0, &cursor)
        while more:
            PyMem_Free(self.pending.value_at(&cursor))
            more = self.pending.next(&cursor)
        self.account.memory -= <int64_t>(self.pending.used * block_cost(sizeof(Pending)))
        self.account.memory -= GROUP_BYTES + len(self.name)
        for consumer in self.consumers:
            self.account.memory -= CONSUMER_BYTES + len(consumer)

    @property
    def pending_count(self) -> int:
        """How many entries are not acknowledged."""
        return self.pending.used

    # --- consumers --------------------------------------------------------------------------------

    def in_order(self) -> list:
        """The consumers by name."""
        return [self.consumers[name] for name in sorted(self.consumers)]

    def add_consumer(self, bytes name, int64_t now_ms) -> Consumer:
        """A new consumer; its name must be free."""
        cdef Consumer consumer = Consumer(name, self.account, now_ms)
        self.consumers[name] = consumer
        self.account.memory += CONSUMER_BYTES + len(name)
        return consumer

    def drop_consumer(self, Consumer consumer) -> int:
        """Remove a consumer with all that it has not acknowledged; how many entries those were."""
        cdef IdCursor cursor
        cdef bint more = consumer.pending.seek(0, &cursor)
        cdef size_t count = consumer.pending.used
        while more:
            PyMem_Free(self.pending.take(consumer.pending.id_at(&cursor)))
            self.account.memory -= block_cost(sizeof(Pending))
            more = consumer.pending.next(&cursor)
        consumer.pending.forget_all()
        del self.consumers[consumer.name]
        self.account.memory -= CONSUMER_BYTES + len(consumer.name)
        return count

    # --- pending entries --------------------------------------------------------------------------

    cdef Pending *add_pending(
        self, stream_id id, Consumer consumer, int64_t now_ms, uint64_t deliveries
    ) except NULL:
        """Note that an entry is delivered, which must not be pending; `consumer` may be None for
        the moment.
        """
        cdef Pending *pending = <Pending *>PyMem_Malloc(sizeof(Pending))
        if pending == NULL:
            raise MemoryError
        pending.delivered_ms = now_ms
        pending.deliveries = deliveries
        pending.consumer = NULL
        self.account.memory += block_cost(sizeof(Pending))
        self.pending.put(id, pending)
        if consumer is not None:
            consumer.pending.put(id, pending)
            pending.consumer = <PyObject *>consumer
        return pending

    cdef Pending *find(self, stream_id id) noexcept:
        """The pending entry, or NULL."""
        return <Pending *>self.pending.get(id)

    cdef int hand_over(self, stream_id id, Pending *pending, Consumer consumer) except -1:
        """Make a pending entry one of this consumer."""
        if pending.consumer == <PyObject *>consumer:
            return 0
        consumer.pending.put(id, pending)
        if pending.consumer != NULL:
            (<Consumer>pending.consumer).pending.take(id)
        pending.consumer = <PyObject *>consumer
        return 0

    cdef bint forget(self, stream_id id) noexcept:
        """Let an entry be pending no more; False if it was not."""
        cdef Pending *pending = <Pending *>self.pending.take(id)
        if pending == NULL:
            return False
        if pending.consumer != NULL:
            (<Consumer>pending.consumer).pending.take(id)
        PyMem_Free(pending)
        self.account.memory -= block_cost(sizeof(Pending))
        return True

    def acknowledge(self, id: int) -> bool:
        """Let an entry be pending no more; False if it was not."""
        return self.forget(<stream_id>id)

    def is_pending(self, id: int) -> bool:
        """Whether an entry is pending."""
        return self.find(<stream_id>id) != NULL

    def pending_bounds(self) -> tuple:
        """The ids of the first and the last pending entry; there must be one."""
        cdef IdCursor first, last
        self.pending.seek(0, &first)
        self.pending.seek_last(&last)
        return self.pending.id_at(&first), self.pending.id_at(&last)

    def pending_entries(
        self, start: int, end: int, count: int, Consumer consumer=None,
        int64_t idle_since_ms=INT64_MAX,
    ) -> list:
        """Up to `count` pending entries from one id to another, both included: the id, the name of
        the consumer, when it was last delivered, and how many times.

        Those of one consumer only, if it is given, and only what was delivered by a certain time.
        """
        cdef IdMap wanted = self.pending if consumer is None else consumer.pending
        cdef IdCursor cursor
        cdef Pending *pending
        cdef list found = []
        cdef stream_id last = <stream_id>end
        cdef int64_t left = count
        cdef bint more = wanted.seek(<stream_id>start, &cursor)
        while more and left > 0 and wanted.id_at(&cursor) <= last:
            pending = <Pending *>wanted.value_at(&cursor)
            if pending.delivered_ms <= idle_since_ms:
                found.append((
                    wanted.id_at(&cursor),
                    (<Consumer>pending.consumer).name,
                    pending.delivered_ms,
                    pending.deliveries,
                ))
                left -= 1
            more = wanted.next(&cursor)
        return found

    def delivery(self, id: int) -> tuple | None:
        """Of a pending entry the name of its consumer, when it was delivered, how many times."""
        cdef Pending *pending = self.find(<stream_id>id)
        if pending == NULL:
            return None
        return (<Consumer>pending.consumer).name, pending.delivered_ms, pending.deliveries

    cdef Group copied(self, Account account):
        """An equal group that shares nothing."""
        cdef Group made = Group(self.name, account)
        cdef Consumer consumer, own
        cdef Pending *pending
        cdef IdCursor cursor
        cdef bint more
        made.last_id = self.last_id
        made.entries_read = self.entries_read
        for own in self.consumers.values():
            consumer = made.add_consumer(own.name, own.seen_ms)
            consumer.active_ms = own.active_ms
            more = own.pending.seek(0, &cursor)
            while more:
                pending = <Pending *>own.pending.value_at(&cursor)
                made.add_pending(
                    own.pending.id_at(&cursor), consumer, pending.delivered_ms, pending.deliveries
                )
                more = own.pending.next(&cursor)
        return made
