"""The type list: a sequence of texts with quick ends.

A list begins as one pack, which OBJECT ENCODING calls listpack, and goes into nodes (quicklist)
when what is about to be added would make the pack larger than list-max-listpack-size says. After a
removal it is one pack again if that is not even half as large. Both happen in the methods that
add and remove, at the moments when Redis does it.

What a method is told of `limits` are the server's, `ctx.limits`.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint64_t

from balas.structures.blocks cimport block_cost
from balas.structures.cursor cimport (
    Cursor,
    cursor_find,
    cursor_insert,
    cursor_read,
    cursor_replace,
    cursor_seek,
    cursor_seek_end,
    cursor_step,
)
from balas.structures.filling cimport Limits as NodeLimits, Quicklist, node_size, quicklist_length
from balas.structures.listpack cimport (
    Element,
    Needle,
    element_bytes,
    listpack_emit,
    listpack_first,
    listpack_free,
    listpack_size,
    set_needle,
)
from balas.structures.nodes cimport Node, nodes_check
from balas.structures.quicklist cimport (
    quicklist_add_pack,
    quicklist_add_plain,
    quicklist_copy,
    quicklist_delete,
    quicklist_emit,
    quicklist_free,
    quicklist_free_some,
    quicklist_grow,
    quicklist_link,
    quicklist_memory,
    quicklist_new,
    quicklist_nodes,
    quicklist_pop,
    quicklist_push,
    quicklist_range,
    quicklist_remove,
    quicklist_shrink,
)
from balas.structures.segment cimport (
    Segment,
    segment_adopt,
    segment_check,
    segment_memory,
    segment_settle,
)
from balas.structures.ziplist cimport ziplist_to_listpack
from balas.types.items cimport ItemReader, ItemWriter
from balas.types.limits cimport Limits
from balas.types.value cimport DORMANT_MAX, LIST_PACK, Value

cdef enum:
    # How RDB files hold a list: as strings, one ziplist, ziplists, or packs and plain elements.
    KIND_STRINGS = 1
    KIND_ZIPLIST = 10
    KIND_ZIPLISTS = 14
    KIND_NODES = 18

    # What a node of KIND_NODES is: one large element, or a pack.
    CONTAINER_PLAIN = 1
    CONTAINER_PACKED = 2

    # What Python keeps of an object before its fields.
    OBJECT_HEAD = 24

    # Elements that one command of a rewritten log adds.
    ELEMENTS_PER_COMMAND = 64


cdef inline NodeLimits node_limits(Limits limits) noexcept:
    """What the server's limits say of the nodes of a list."""
    cdef NodeLimits made
    made.fill = <int>limits.list_size
    made.compress_depth = <int>limits.list_compress_depth
    made.plain_from = 0
    return made


cdef int push_text(void *elements, const char *text, size_t size) except -1:
    return quicklist_push(<Quicklist *>elements, text, size, False)


cdef class List(Value):
    """Texts in a row; never empty while a key holds it."""

    type_name = "list"
    dormant_forms = (LIST_PACK,)
    rdb_kinds = (KIND_STRINGS, KIND_ZIPLIST, KIND_ZIPLISTS, KIND_NODES)
    rdb_kind = KIND_NODES

    def __init__(self):
        quicklist_new(&self.elements)

    def __dealloc__(self):
        quicklist_free(&self.elements)

    cdef void *doze(self, uint8_t *form) noexcept:
        cdef Segment *segment = &self.elements.segment
        if self.elements.linked != NULL or segment.pack == NULL:
            return NULL
        if segment_memory(segment) > DORMANT_MAX or not segment_settle(segment):
            return NULL
        form[0] = LIST_PACK
        pack, segment.pack = segment.pack, NULL
        return pack

    cdef Value wake(self, void *block, uint8_t form):
        cdef List made = List.__new__(List)
        segment_adopt(&made.elements.segment, <unsigned char *> block)
        return made

    @classmethod
    def of(cls, values, Limits limits not None):
        """A list of these texts, in nodes or as one pack as its size demands."""
        cdef List made = cls()
        cdef NodeLimits settings = node_limits(limits)
        cdef bytes value
        quicklist_link(&made.elements, &settings)
        for value in values:
            quicklist_push(
                &made.elements, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), False
            )
        quicklist_shrink(&made.elements, settings.fill, False)
        return made

    # --- reading ----------------------------------------------------------------------------------

    cpdef Py_ssize_t length(self) noexcept:
        """How many elements there are."""
        return <Py_ssize_t>quicklist_length(&self.elements)

    def __len__(self):
        return self.length()

    def __iter__(self):
        return iter(self.range(0, INT64_MAX))

    cpdef bytes get(self, int64_t index):
        """The element at an index, from the end if negative; None if there is none."""
        cdef Cursor cursor
        cdef Element element
        if not cursor_seek(&self.elements, index, &cursor):
            return None
        cursor_read(&cursor, &element)
        return element_bytes(&element)

    cdef int emit_range(
        self, int64_t start, int64_t count, emit_t emit, void *context
    ) except -1:
        """Hand the elements of a range, which must lie within the list, to a function."""
        quicklist_emit(&self.elements, start, count, emit, context)
        return 0

    cpdef list range(self, int64_t start, int64_t count):
        """Up to `count` elements from an index on, which must not be negative."""
        return quicklist_range(&self.elements, start, count)

    cpdef list backwards(self, int64_t start, int64_t count):
        """Up to `count` elements from an index towards the head; `start` may count from the end."""
        cdef Cursor cursor
        cdef Element element
        cdef bint more = count > 0 and cursor_seek(&self.elements, start, &cursor)
        cdef list found = []
        while more:
            cursor_read(&cursor, &element)
            found.append(element_bytes(&element))
            count -= 1
            more = count > 0 and cursor_step(&cursor, True)
        return found

    cpdef list positions(self, bytes value, int64_t rank, int64_t count, int64_t length_max):
        """Indexes of up to `count` elements that equal the value, looking at `length_max` at most.

        With a `rank` of 2 and so on the first ones are passed over; a negative one looks from the
        end.
        """
        cdef Cursor cursor
        cdef Needle needle
        cdef bint backwards = rank < 0
        cdef int64_t skipped = -rank if backwards else rank
        cdef int64_t index = self.length() - 1 if backwards else 0
        cdef int64_t passed
        cdef list found = []
        cdef bint more = cursor_seek_end(&self.elements, not backwards, &cursor)
        set_needle(&needle, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
        while more and length_max > 0 and len(found) < count:
            passed = cursor_find(&cursor, &needle, backwards, length_max)
            if passed < 0:
                break
            index += -passed if backwards else passed
            skipped -= 1
            if skipped <= 0:
                found.append(index)
            length_max -= passed + 1
            index += -1 if backwards else 1
            more = cursor_step(&cursor, backwards)
        return found

    # --- adding -----------------------------------------------------------------------------------

    cpdef Py_ssize_t push(self, tuple values, bint at_head, Limits limits) except -1:
        """Add elements at an end, one after the other; how many there are then."""
        cdef NodeLimits settings
        cdef size_t size = 0
        cdef object value
        if self.elements.linked == NULL:
            for value in values:
                size += PyBytes_GET_SIZE(value)
            settings = node_limits(limits)
            quicklist_grow(&self.elements, len(values), size, &settings)
        for value in values:
            quicklist_push(
                &self.elements, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), at_head
            )
        return self.length()

    cpdef bint insert(self, bytes pivot, bytes value, bint after, Limits limits) except -1:
        """Add an element before or `after` the first that equals the pivot; False if none does.

        The list may have gone into nodes even so.
        """
        cdef NodeLimits settings = node_limits(limits)
        cdef Cursor cursor
        cdef Needle needle
        quicklist_grow(&self.elements, 1, PyBytes_GET_SIZE(value), &settings)
        set_needle(&needle, PyBytes_AS_STRING(pivot), PyBytes_GET_SIZE(pivot))
        if not cursor_seek_end(&self.elements, True, &cursor):
            return False
        if cursor_find(&cursor, &needle, False, INT64_MAX) < 0:
            return False
        cursor_insert(&cursor, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), after)
        return True

    cpdef bint replace(self, int64_t index, bytes value, Limits limits) except -1:
        """Put a value in the place of the element at an index; False if there is none."""
        cdef NodeLimits settings = node_limits(limits)
        cdef Cursor cursor
        quicklist_grow(&self.elements, 1, PyBytes_GET_SIZE(value), &settings)
        if not cursor_seek(&self.elements, index, &cursor):
            return False
        cursor_replace(&cursor, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
        quicklist_shrink(&self.elements, settings.fill, True)
        return True

    # --- removing ---------------------------------------------------------------------------------

    cpdef bytes pop(self, bint at_head, Limits limits):
        """Take the first or the last element out; None if there is none."""
        cdef bytes popped = quicklist_pop(&self.elements, at_head)
        if self.elements.linked != NULL:
            quicklist_shrink(&self.elements, <int>limits.list_size, True)
        return popped

    cpdef list pop_many(self, bint at_head, Py_ssize_t count, Limits limits):
        """Take up to `count` elements out at an end, in the order in which they go."""
        cdef Py_ssize_t length = self.length()
        cdef list popped
        count = min(count, length)
        if at_head:
            popped = quicklist_range(&self.elements, 0, count)
            quicklist_delete(&self.elements, 0, count)
        else:
            popped = quicklist_range(&self.elements, length - count, count)
            popped.reverse()
            quicklist_delete(&self.elements, length - count, count)
        quicklist_shrink(&self.elements, <int>limits.list_size, True)
        return popped

    cpdef Py_ssize_t trim(self, int64_t start, int64_t count, Limits limits) except -1:
        """Keep `count` elements from an index on, and remove the others; how many those were."""
        cdef int64_t removed = quicklist_delete(&self.elements, start + count, INT64_MAX)
        removed += quicklist_delete(&self.elements, 0, start)
        quicklist_shrink(&self.elements, <int>limits.list_size, True)
        return <Py_ssize_t>removed

    cpdef Py_ssize_t remove(self, bytes value, int64_t count, Limits limits) except -1:
        """Remove the first `count` elements that equal the value, or the last if `count` is
        negative, or all if it is 0; how many there were.
        """
        cdef Needle needle
        cdef int64_t most = -count if count < 0 else count if count > 0 else INT64_MAX
        cdef int64_t removed
        set_needle(&needle, PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))
        removed = quicklist_remove(&self.elements, &needle, most, count < 0)
        if removed:
            quicklist_shrink(&self.elements, <int>limits.list_size, True)
        return <Py_ssize_t>removed

    # --- the contract of a value ------------------------------------------------------------------

    def encoding(self):
        """"listpack", or "quicklist" where the list is in nodes."""
        return "listpack" if self.elements.linked == NULL else "quicklist"

    cpdef Py_ssize_t memory_usage(self) except -1:
        cdef Py_ssize_t size = quicklist_memory(&self.elements)
        if self.elements.linked == NULL and size <= DORMANT_MAX:
            return size
        return block_cost(OBJECT_HEAD + sizeof(Quicklist)) + size

    cpdef Py_ssize_t cardinality(self) except -1:
        return self.length()

    cpdef Py_ssize_t free_effort(self) except -1:
        """The nodes: each is a block or two of its own."""
        return quicklist_nodes(&self.elements)

    def free_step(self, effort):
        """Free so many nodes; True while there are more."""
        return quicklist_free_some(&self.elements, max(effort, 1))

    def copy(self):
        cdef List made = List.__new__(List)
        quicklist_copy(&made.elements, &self.elements)
        return made

    def digest(self, digest):
        """The elements in their order."""
        for element in self:
            digest.add(element)

    def aof_rewrite(self, key):
        """RPUSH of as many elements at a time as Redis takes."""
        cdef int64_t start = 0, length = self.length()
        while start < length:
            yield (b"RPUSH", key, *self.range(start, ELEMENTS_PER_COMMAND))
            start += ELEMENTS_PER_COMMAND

    def rdb_save(self, out):
        """The nodes as they are; a list of one pack is one node."""
        cdef ItemWriter writer = out
        cdef Node *node
        if self.elements.linked == NULL:
            writer.put_length(1)
            writer.put_length(CONTAINER_PACKED)
            writer.put_string(
                <const char *>self.elements.segment.pack,
                listpack_size(self.elements.segment.pack),
            )
            return
        writer.put_length(self.elements.linked.nodes.length)
        node = self.elements.linked.nodes.first
        while node != NULL:
            writer.put_length(CONTAINER_PLAIN if node.plain else CONTAINER_PACKED)
            writer.put_string(<const char *>node.segment.pack, node_size(node))
            node = node.next

    @classmethod
    def rdb_load(cls, source, kind):
        """A list of one of the kinds; None if it is empty."""
        cdef ItemReader reader = source
        cdef List made = List()
        cdef NodeLimits settings = node_limits(reader.limits)
        quicklist_link(&made.elements, &settings)
        if kind == KIND_STRINGS:
            made.load_strings(reader)
        else:
            made.load_nodes(reader, kind)
        if made.length() == 0:
            return None
        if kind != KIND_ZIPLIST:  # Redis leaves that one in nodes, too
            quicklist_shrink(&made.elements, settings.fill, False)
        return made

    cdef int load_strings(self, ItemReader reader) except -1:
        cdef uint64_t left
        cdef const char *text
        cdef size_t size
        reader.take_length(&left)
        while left > 0:
            reader.take_string(&text, &size)
            quicklist_push(&self.elements, text, size, False)
            left -= 1
        return 0

    cdef int load_nodes(self, ItemReader reader, int kind) except -1:
        """Nodes that are told by their number; a ziplist alone is one."""
        cdef uint64_t left = 1, container = CONTAINER_PACKED
        cdef const char *text
        cdef size_t size
        if kind != KIND_ZIPLIST:
            reader.take_length(&left)
        while left > 0:
            if kind == KIND_NODES:
                reader.take_length(&container)
                if container not in (CONTAINER_PLAIN, CONTAINER_PACKED):
                    raise reader.bad(f"a list's node of the unknown kind {container}")
            reader.take_string(&text, &size)
            if container == CONTAINER_PLAIN:
                quicklist_add_plain(&self.elements, text, size)
            else:
                try:
                    if kind == KIND_NODES:
                        quicklist_add_pack(&self.elements, <const unsigned char *>text, size)
                    else:
                        self.add_ziplist(
                            <const unsigned char *>text, size, kind == KIND_ZIPLIST
                        )
                except ValueError as error:
                    raise reader.bad(f"a node of a list: {error}") from None
            left -= 1
        return 0

    cdef int add_ziplist(self, const unsigned char *data, size_t n, bint alone) except -1:
        """Add a node of the elements of a ziplist, or what nodes they need if it is the whole list.

        ValueError unless it is sound.
        """
        cdef unsigned char *pack = ziplist_to_listpack(data, n)
        try:
            if alone:
                listpack_emit(listpack_first(pack), INT64_MAX, push_text, &self.elements)
            else:
                quicklist_add_pack(&self.elements, pack, listpack_size(pack))
        finally:
            listpack_free(pack)
        return 0

    # --- for tests --------------------------------------------------------------------------------

    def check_invariants(self):
        """Raise AssertionError unless nodes, index, counts and the memory account agree."""
        if self.elements.linked != NULL:
            nodes_check(&self.elements.linked.nodes)
        else:
            segment_check(&self.elements.segment)
        assert self.backwards(-1, INT64_MAX) == list(self)[::-1], "the two directions differ"
