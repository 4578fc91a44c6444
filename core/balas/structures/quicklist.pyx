"""Quicklist: a list in a row of listpacks, as Redis keeps and saves it.

A list begins small, as one pack that OBJECT ENCODING calls listpack, and is put into nodes when it
outgrows the limit of a pack. How full a node may be is told by `fill`, which is the setting
list-max-listpack-size: -1 to -5 for 4, 8, 16, 32 or 64 KB, else a number of elements, though never
more than 8 KB of them. An element larger than a node may be is a node of its own, kept plain.

What is here: whole lists, their ends, ranges. Places in a list are in cursor, how elements come
into nodes is in filling, how a node is found by the index of an element in nodes, how a pack grows
at both ends in segment.

Differs from Redis: nodes in the middle are not compressed; `compress_depth` is kept for who asks.
What a file holds is as good, since packs may stand there plain or compressed.

The functions work on a struct, so that an owner can hold it without an object in between; the class
`QuickList` is the same for Python.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_New, PyList_SET_ITEM
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.ref cimport Py_INCREF, PyObject
from libc.stdint cimport INT64_MAX
from libc.string cimport memset

from balas.structures.blocks cimport block_cost
from balas.structures.cursor cimport (
    cursor_delete,
    cursor_find,
    cursor_insert,
    cursor_read,
    cursor_remove,
    cursor_replace,
    cursor_seek,
    cursor_seek_end,
    cursor_step,
)
from balas.structures.filling cimport (
    DEPTH_MAX,
    FILL_MAX,
    FILL_MIN,
    Linked,
    allows,
    ceiling_of,
    cut_from_node,
    end_of,
    exceeds,
    fit_node,
    node_of_one,
    node_size,
    put_in_node,
    put_in_pack,
    quicklist_length,
    size_limit,
)
from balas.structures.listpack cimport (
    LISTPACK_EMPTY,
    LISTPACK_HEADER,
    Element,
    change_listpack_count,
    element_bytes,
    entry_size,
    listpack_at_end,
    listpack_emit,
    listpack_length,
    listpack_size,
    listpack_valid,
    set_needle,
)
from balas.structures.nodes cimport (
    Node,
    Nodes,
    node_link,
    node_new_filled,
    node_new_plain,
    node_remove,
    nodes_check,
    nodes_clear,
    nodes_clear_some,
)
from balas.structures.segment cimport (
    Segment,
    fill_segment,
    segment_check,
    segment_free,
    segment_memory,
    segment_new,
    segment_splice,
)


# Whole lists

cdef int quicklist_new(Quicklist *list) except -1:
    """Make an empty small list; `quicklist_free` frees it."""
    list.linked = NULL
    segment_new(&list.segment, 0)
    return 0


cdef void quicklist_free(Quicklist *list) noexcept:
    """Free all elements; a second time does nothing."""
    if list.linked != NULL:
        nodes_clear(&list.linked.nodes)
        PyMem_Free(list.linked)
        list.linked = NULL
    else:
        segment_free(&list.segment)


cdef bint quicklist_free_some(Quicklist *list, size_t nodes) noexcept:
    """Free up to so many nodes of a list that nobody needs; True while there are more."""
    if list.linked != NULL and nodes_clear_some(&list.linked.nodes, nodes):
        return True
    quicklist_free(list)
    return False


cdef size_t quicklist_memory(const Quicklist *list) noexcept nogil:
    """Bytes taken from the allocator; the struct itself is its owner's."""
    if list.linked != NULL:
        return list.linked.nodes.memory + block_cost(sizeof(Linked))
    return segment_memory(&list.segment)


cdef size_t quicklist_nodes(const Quicklist *list) noexcept nogil:
    """Nodes of the list; a small list counts as one."""
    return list.linked.nodes.length if list.linked != NULL else 1


cdef int quicklist_link(Quicklist *list, const Limits *limits) except -1:
    """Put a small list into nodes: one for its pack, none if it is empty."""
    cdef size_t size = listpack_size(list.segment.pack) - LISTPACK_EMPTY
    cdef Linked *linked = <Linked *>PyMem_Malloc(sizeof(Linked))
    cdef Node *node
    if linked == NULL:
        raise MemoryError
    memset(linked, 0, sizeof(Linked))
    linked.limits.fill = max(min(limits.fill, FILL_MAX), FILL_MIN)
    linked.limits.compress_depth = max(min(limits.compress_depth, DEPTH_MAX), 0)
    linked.limits.plain_from = limits.plain_from
    if size > 0:
        try:
            node = node_new_filled(
                &linked.nodes, list.segment.pack + LISTPACK_HEADER, size,
                listpack_length(list.segment.pack),
            )
        except MemoryError:
            PyMem_Free(linked)
            raise
        node_link(&linked.nodes, node, NULL, True)
    segment_free(&list.segment)
    list.linked = linked
    return 0


cdef bint quicklist_grow(
    Quicklist *list, size_t count, size_t size, const Limits *limits
) except -1:
    """Before adding `count` elements whose texts take `size` bytes: put the list into nodes if it
    would be too large for a pack. True if that has been done.
    """
    if list.linked != NULL or not exceeds(
        limits.fill,
        listpack_size(list.segment.pack) + size,
        listpack_length(list.segment.pack) + count,
    ):
        return False
    quicklist_link(list, limits)
    return True


cdef bint quicklist_shrink(Quicklist *list, int fill, bint shrinking) noexcept:
    """Make a list of one node small again if a pack may be that large; True if that has been done.

    With `shrinking`, after elements have been removed, the pack must be below half of the limit,
    so that a list does not go to and fro.
    """
    cdef Linked *linked = list.linked
    cdef Node *node
    cdef size_t size_max, count_max
    if linked == NULL or linked.nodes.length != 1 or linked.nodes.first.plain:
        return False
    node = linked.nodes.first
    size_max = size_limit(fill) if fill < 0 else <size_t>-1
    count_max = <size_t>max(fill, 1) if fill >= 0 else <size_t>0xffffffff
    if shrinking:
        size_max //= 2
        count_max //= 2
    if node_size(node) > size_max or node.count > count_max:
        return False
    list.segment = node.segment
    list.linked = NULL
    PyMem_Free(node)
    PyMem_Free(linked)
    return True


cdef int add_elements(
    Nodes *nodes, const unsigned char *elements, size_t size, size_t count
) except -1:
    node_link(nodes, node_new_filled(nodes, elements, size, count), nodes.last, True)
    return 0


cdef int quicklist_add_pack(Quicklist *list, const unsigned char *data, size_t n) except -1:
    """Add a node with a copy of a pack at the end of a linked list; an empty pack adds nothing.

    ValueError unless the bytes are a sound pack throughout.
    """
    cdef size_t count
    if not listpack_valid(data, n):
        raise ValueError("corrupt listpack")
    if n > LISTPACK_EMPTY:
        count = listpack_length(<unsigned char *>data)
        add_elements(
            &list.linked.nodes, data + LISTPACK_HEADER, n - LISTPACK_EMPTY, count
        )
    return 0


cdef int quicklist_add_plain(Quicklist *list, const char *text, size_t size) except -1:
    """Add a plain node at the end of a linked list."""
    cdef Nodes *nodes = &list.linked.nodes
    node_link(nodes, node_new_plain(nodes, text, size), nodes.last, True)
    return 0


cdef int quicklist_copy(Quicklist *list, const Quicklist *source) except -1:
    """Make a list with the same elements in the same nodes; `quicklist_free` frees it."""
    cdef const Node *node
    cdef size_t size
    quicklist_new(list)
    if source.linked == NULL:
        size = listpack_size(source.segment.pack) - LISTPACK_EMPTY
        segment_free(&list.segment)
        segment_new(&list.segment, size)
        fill_segment(
            &list.segment, source.segment.pack + LISTPACK_HEADER, size,
            listpack_length(source.segment.pack),
        )
        return 0
    quicklist_link(list, &source.linked.limits)
    node = source.linked.nodes.first
    while node != NULL:
        if node.plain:
            quicklist_add_plain(list, <const char *>node.segment.pack, node.plain_size)
        else:
            add_elements(
                &list.linked.nodes, node.segment.pack + LISTPACK_HEADER,
                node_size(node) - LISTPACK_EMPTY, node.count,
            )
        node = node.next
    return 0


# Elements at the ends

cdef int quicklist_push(
    Quicklist *list, const char *text, size_t size, bint at_head
) except -1:
    """Add an element before the first or behind the last."""
    cdef Linked *linked = list.linked
    cdef Node *node
    cdef size_t at = LISTPACK_HEADER
    if linked == NULL:
        if not at_head:
            at = listpack_size(list.segment.pack) - 1
        return put_in_pack(list, at, text, size)
    node = linked.nodes.first if at_head else linked.nodes.last
    if allows(linked, node, size):
        if not at_head:
            at = end_of(node)
        return put_in_node(linked, node, at, text, size, ceiling_of(linked))
    node_link(&linked.nodes, node_of_one(linked, text, size), node, not at_head)
    if node != NULL and not node.plain:
        fit_node(linked, node)
    return 0


cdef bytes quicklist_pop(Quicklist *list, bint at_head):
    """Take out the first or last element and return it; None for an empty list."""
    cdef Cursor cursor
    cdef Element element
    if not cursor_seek_end(list, at_head, &cursor):
        return None
    cursor_read(&cursor, &element)
    popped = element_bytes(&element)
    cursor_remove(&cursor)
    return popped


# Ranges

cdef int64_t quicklist_delete(Quicklist *list, int64_t start, int64_t count) except -1:
    """Remove up to `count` elements from an index on; how many there were."""
    cdef int64_t length = <int64_t>quicklist_length(list)
    cdef Cursor cursor
    if count > length - start:
        count = length - start
    if start < 0 or count <= 0:
        return 0
    cursor_seek(list, start, &cursor)
    if cursor.node == NULL:
        delete_in_pack(&cursor, count)
    else:
        delete_in_nodes(&cursor, count)
    return count


cdef inline size_t extent_of(const unsigned char *entry, int64_t count) noexcept nogil:
    """Bytes of `count` elements from here on."""
    cdef const unsigned char *end = entry
    while count > 0:
        end += entry_size(end)
        count -= 1
    return <size_t>(end - entry)


cdef int delete_in_pack(Cursor *cursor, int64_t count) except -1:
    cdef Segment *segment = &cursor.list.segment
    segment_splice(segment, cursor.at, extent_of(segment.pack + cursor.at, count), 0, 0)
    change_listpack_count(segment.pack, -count)
    return 0


cdef int delete_in_nodes(Cursor *cursor, int64_t count) except -1:
    cdef Linked *linked = cursor.list.linked
    cdef Node *node = cursor.node
    cdef Node *following
    cdef unsigned char *entry
    cdef size_t at = cursor.at, size
    cdef int64_t here
    while count > 0:
        following = node.next
        if node.plain or (at == LISTPACK_HEADER and count >= node.count):
            count -= node.count
            node_remove(&linked.nodes, node)
        else:
            entry = node.segment.pack + at
            here = 0
            size = 0
            while here < count and not listpack_at_end(entry + size):
                size += entry_size(entry + size)
                here += 1
            cut_from_node(linked, node, at, size, <size_t>here)
            count -= here
        node = following
        at = LISTPACK_HEADER
    return 0


cdef int64_t quicklist_remove(
    Quicklist *list, const Needle *needle, int64_t count, bint backwards
) except -1:
    """Remove the first (or last) `count` elements that equal the needle; how many there were."""
    cdef Cursor cursor
    cdef int64_t removed = 0
    if not cursor_seek_end(list, not backwards, &cursor):
        return 0
    while removed < count and cursor_find(&cursor, needle, backwards, INT64_MAX) >= 0:
        removed += 1
        if not cursor_delete(&cursor, backwards):
            break
    return removed


cdef int quicklist_emit(
    Quicklist *list, int64_t start, int64_t count, emit_t emit, void *context
) except -1:
    """Hand the texts of up to `count` elements from an index on to `emit`, without objects.

    `start` must be an index from 0 to below the length; `emit` must not change the list.
    """
    cdef Cursor cursor
    cdef Node *node
    cdef size_t at
    if count <= 0 or not cursor_seek(list, start, &cursor):
        return 0
    node = cursor.node
    if node == NULL:
        return listpack_emit(list.segment.pack + cursor.at, count, emit, context)
    at = cursor.at
    while node != NULL and count > 0:
        if node.plain:
            emit(context, <const char *>node.segment.pack, node.plain_size)
            count -= 1
        else:
            count -= listpack_emit(node.segment.pack + at, count, emit, context)
        node = node.next
        at = LISTPACK_HEADER
    return 0


# For Python

cdef struct Filling:
    PyObject *items
    Py_ssize_t filled


cdef int add_bytes(void *context, const char *text, size_t size) except -1:
    cdef Filling *filling = <Filling *>context
    item = PyBytes_FromStringAndSize(text, size)
    Py_INCREF(item)
    PyList_SET_ITEM(<object>filling.items, filling.filled, item)
    filling.filled += 1
    return 0


cdef list quicklist_range(Quicklist *list, int64_t start, int64_t count):
    """Up to `count` elements from an index on, as bytes; `start` must not be negative."""
    cdef Filling filling
    count = max(min(count, <int64_t>quicklist_length(list) - start), 0)
    items = PyList_New(count)
    filling.items = <PyObject *>items
    filling.filled = 0
    quicklist_emit(list, start, count, add_bytes, &filling)
    return items


cdef bytes text_of(object item):
    """The text of an element given as bytes or int."""
    if isinstance(item, bytes):
        return item
    if isinstance(item, int):
        return b"%d" % item
    raise TypeError(f"an element is bytes or int, not {type(item).__name__}")


cdef class QuickList:
    """A quicklist with a Python face: `bytes`, or `int`, in; `bytes` out.

    `fill`, `compress_depth` and `plain_from` are the settings (see `Limits`). Like the functions,
    it becomes linked or small only when `grow` or `shrink` says so.
    """

    def __cinit__(self, items=(), *, int fill=-2, int compress_depth=0, uint32_t plain_from=0):
        quicklist_new(&self.list)
        self.fill = <short>max(min(fill, FILL_MAX), FILL_MIN)
        self.compress_depth = <unsigned short>max(min(compress_depth, DEPTH_MAX), 0)
        self.plain_from = plain_from

    def __init__(self, items=(), *, fill=-2, compress_depth=0, plain_from=0):
        for item in items:
            text = text_of(item)
            self.grow(1, len(text))
            self.push(text)

    def __dealloc__(self):
        quicklist_free(&self.list)

    cdef Limits limits(self) noexcept:
        cdef Limits limits
        limits.fill = self.fill
        limits.compress_depth = self.compress_depth
        limits.plain_from = self.plain_from
        return limits

    @staticmethod
    def from_nodes(nodes, **settings):
        """A linked list from (plain, bytes) pairs; ValueError for an unsound pack."""
        cdef QuickList made = QuickList(**settings)
        cdef Limits limits = made.limits()
        cdef bytes data
        quicklist_link(&made.list, &limits)
        for plain, data in nodes:
            if plain:
                quicklist_add_plain(&made.list, PyBytes_AS_STRING(data), len(data))
            else:
                quicklist_add_pack(&made.list, data, len(data))
        return made

    def nodes(self):
        """The nodes as (plain, bytes) pairs, as they stand in RDB files; a small list has one."""
        cdef Node *node
        if self.list.linked == NULL:
            pack = self.list.segment.pack
            return [(False, PyBytes_FromStringAndSize(<char *>pack, listpack_size(pack)))]
        found = []
        node = self.list.linked.nodes.first
        while node != NULL:
            data = PyBytes_FromStringAndSize(<char *>node.segment.pack, node_size(node))
            found.append((bool(node.plain), data))
            node = node.next
        return found

    def __len__(self):
        return quicklist_length(&self.list)

    @property
    def linked(self):
        """Whether the list is in nodes: OBJECT ENCODING quicklist, else listpack."""
        return self.list.linked != NULL

    @property
    def node_count(self):
        """Nodes of the list; a small list counts as one."""
        return quicklist_nodes(&self.list)

    @property
    def memory(self):
        """Bytes taken from the allocator, this object not counted."""
        return quicklist_memory(&self.list)

    def grow(self, size_t count, size_t size):
        """Before adding `count` elements of `size` bytes of text: link the list if they need it."""
        cdef Limits limits = self.limits()
        return quicklist_grow(&self.list, count, size, &limits)

    def shrink(self, bint shrinking=True):
        """Make a list of one node small again if it is below (half of) the limit."""
        return quicklist_shrink(&self.list, self.fill, shrinking)

    def push(self, item, bint at_head=False):
        """Add an element behind the last or before the first."""
        cdef bytes text = text_of(item)
        quicklist_push(&self.list, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), at_head)

    def pop(self, bint at_head=False):
        """Take out the last or the first element; None for an empty list."""
        return quicklist_pop(&self.list, at_head)

    cdef int seek(self, int64_t index, Cursor *cursor) except -1:
        if not cursor_seek(&self.list, index, cursor):
            raise IndexError("no element at this index")
        return 0

    def get(self, int64_t index):
        """The element at an index, from the end if negative; IndexError if there is none."""
        cdef Cursor cursor
        cdef Element element
        self.seek(index, &cursor)
        cursor_read(&cursor, &element)
        return element_bytes(&element)

    def replace(self, int64_t index, item):
        """Put another element in the place of the one at an index; IndexError if there is none."""
        cdef Cursor cursor
        cdef bytes text = text_of(item)
        self.seek(index, &cursor)
        cursor_replace(&cursor, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))

    def insert(self, int64_t index, item, bint after=False):
        """Add an element before or `after` the one at an index; IndexError if there is none."""
        cdef Cursor cursor
        cdef bytes text = text_of(item)
        self.seek(index, &cursor)
        cursor_insert(&cursor, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), after)

    def delete(self, int64_t start, int64_t count):
        """Remove up to `count` elements from an index on; how many there were."""
        return quicklist_delete(&self.list, start, count)

    def trim(self, int64_t start, int64_t count):
        """Keep up to `count` elements from an index on, and remove all others."""
        quicklist_delete(&self.list, start + count, INT64_MAX)
        quicklist_delete(&self.list, 0, start)

    def remove(self, item, int64_t count=INT64_MAX, bint backwards=False):
        """Remove the first (or last) `count` elements equal to this; how many there were."""
        cdef bytes text = text_of(item)
        cdef Needle needle
        set_needle(&needle, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        return quicklist_remove(&self.list, &needle, count, backwards)

    def find(self, item, start=None, bint backwards=False, int64_t limit=INT64_MAX):
        """The index of the first equal element from `start` on, among `limit`, or None."""
        cdef bytes text = text_of(item)
        cdef Needle needle
        cdef Cursor cursor
        cdef int64_t passed
        if start is None:
            start = -1 if backwards else 0
        if not cursor_seek(&self.list, start, &cursor):
            return None
        set_needle(&needle, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        passed = cursor_find(&cursor, &needle, backwards, limit)
        if passed < 0:
            return None
        if start < 0:
            start += len(self)
        return start - passed if backwards else start + passed

    def range(self, int64_t start=0, int64_t count=INT64_MAX):
        """Up to `count` elements from an index on, which must not be negative."""
        return quicklist_range(&self.list, start, count)

    def iterate(self, int64_t start, bint backwards=False):
        """The elements from an index to one end of the list."""
        cdef Cursor cursor
        cdef Element element
        cdef bint more = cursor_seek(&self.list, start, &cursor)
        found = []
        while more:
            cursor_read(&cursor, &element)
            found.append(element_bytes(&element))
            more = cursor_step(&cursor, backwards)
        return found

    def __iter__(self):
        return iter(self.range())

    def __reversed__(self):
        return iter(self.iterate(-1, True))

    def copy(self):
        """A list with the same elements in the same nodes, and the same settings."""
        cdef QuickList made = QuickList.__new__(
            QuickList, fill=self.fill, compress_depth=self.compress_depth,
            plain_from=self.plain_from,
        )
        cdef Quicklist copied
        quicklist_copy(&copied, &self.list)
        quicklist_free(&made.list)
        made.list = copied
        return made

    def free_some(self, size_t nodes):
        """Free up to so many nodes of a list that nobody needs; True while there are more."""
        return quicklist_free_some(&self.list, nodes)

    def check_invariants(self):
        """Raise AssertionError unless nodes, index, counts and the memory account agree."""
        if self.list.linked != NULL:
            nodes_check(&self.list.linked.nodes)
        else:
            segment_check(&self.list.segment)
        assert self.range() == list(reversed(self))[::-1], "the two directions differ"
