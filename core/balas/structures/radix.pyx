"""A radix tree: Python objects by byte strings, in the order of their bytes.

Keys that begin alike share a path. A node carries the bytes that lead to it from its parent, so
that a path without branches is one node, and the 16-byte ids of a stream, whose times begin alike,
take little. A key that is the beginning of others comes before them.

There is no iterator that points into the tree: `above(key)` finds the next key from the root, in
some hundred nanoseconds, and so walks stay right whatever is changed meanwhile.

The rule a reader would get wrong: every node but the root has a value or at least two children;
removing a key keeps it so, by joining a node with its only child.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport UINT32_MAX
from libc.string cimport memcmp, memcpy, memmove

from balas.structures.blocks cimport block_cost

cdef enum:
    FIRST_ROOM = 2


cdef inline unsigned char *edges_of(const Node *node) noexcept nogil:
    """The first bytes of the children."""
    return <unsigned char *>(node.children + node.room)


cdef inline size_t children_size(size_t room) noexcept nogil:
    return room * (sizeof(void *) + 1)


cdef inline uint16_t child_place(const Node *node, unsigned char edge) noexcept nogil:
    """The first child whose edge is not below this one."""
    cdef const unsigned char *edges = edges_of(node)
    cdef uint16_t low = 0, high = node.count, middle
    while low < high:
        middle = (low + high) >> 1
        if edges[middle] < edge:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline bint has_edge(const Node *node, uint16_t place, unsigned char edge) noexcept nogil:
    return place < node.count and edges_of(node)[place] == edge


cdef inline uint32_t common_length(
    const Node *node, const unsigned char *key, size_t size
) noexcept nogil:
    """How many bytes of a node's label the key begins with."""
    cdef uint32_t i = 0, most = <uint32_t>min(size, <size_t>node.length)
    while i < most and node.label[i] == key[i]:
        i += 1
    return i


cdef inline const unsigned char *text_of(bytes key) noexcept:
    return <const unsigned char *>PyBytes_AS_STRING(key)


@cython.no_gc
cdef class RadixTree:
    """A mapping of byte strings to objects that is ordered by key. Values that refer back to the
    tree keep it alive: the garbage collector does not look into it.
    """

    def __cinit__(self):
        self.root = self.new_node(NULL, 0)

    def __dealloc__(self):
        if self.root != NULL:
            while self.free_last():
                pass
            self.drop_node(self.root)

    @classmethod
    def __class_getitem__(cls, item):
        return cls

    # --- nodes ------------------------------------------------------------------------------------

    cdef Node *new_node(self, const unsigned char *label, size_t length) except NULL:
        cdef Node *node = <Node *>PyMem_Malloc(sizeof(Node) + length)
        if node == NULL:
            raise MemoryError
        node.value = NULL
        node.children = NULL
        node.count = node.room = 0
        node.length = <uint32_t>length
        memcpy(node.label, label, length)
        self.memory += block_cost(sizeof(Node) + length)
        self.nodes += 1
        return node

    cdef void drop_node(self, Node *node) noexcept:
        """Free a node that has neither value nor children."""
        self.memory -= block_cost(sizeof(Node) + node.length)
        if node.room:
            self.memory -= block_cost(children_size(node.room))
        self.nodes -= 1
        PyMem_Free(node.children)
        PyMem_Free(node)

    cdef int add_child(self, Node *node, Node *child) except -1:
        """Hang a child into its place; none has its edge yet."""
        cdef uint16_t place = child_place(node, child.label[0])
        cdef size_t room = node.room
        cdef Node **moved
        cdef unsigned char *edges
        if node.count == room:
            room = room * 2 if room else FIRST_ROOM
            moved = <Node **>PyMem_Realloc(node.children, children_size(room))
            if moved == NULL:
                raise MemoryError
            memmove(moved + room, moved + node.room, node.count)
            if node.room:
                self.memory -= block_cost(children_size(node.room))
            self.memory += block_cost(children_size(room))
            node.children = moved
            node.room = <uint16_t>room
        edges = edges_of(node)
        memmove(edges + place + 1, edges + place, node.count - place)
        edges[place] = child.label[0]
        memmove(
            node.children + place + 1, node.children + place,
            (node.count - place) * sizeof(void *),
        )
        node.children[place] = child
        node.count += 1
        return 0

    cdef void remove_child(self, Node *node, uint16_t place) noexcept:
        """Take a child out, and give room back when three quarters are empty."""
        cdef unsigned char *edges = edges_of(node)
        cdef size_t room
        cdef Node **moved
        node.count -= 1
        memmove(edges + place, edges + place + 1, node.count - place)
        memmove(
            node.children + place, node.children + place + 1,
            (node.count - place) * sizeof(void *),
        )
        if node.room > FIRST_ROOM and node.count * 4 <= node.room:
            room = node.room >> 1
            memmove(node.children + room, edges, node.count)
            moved = <Node **>PyMem_Realloc(node.children, children_size(room))
            if moved != NULL:
                node.children = moved
            self.memory += <int64_t>block_cost(children_size(room))
            self.memory -= <int64_t>block_cost(children_size(node.room))
            node.room = <uint16_t>room

    cdef int split(self, Node **slot, uint32_t common) except -1:
        """Put a node above another that takes over the first bytes of its label."""
        cdef Node *node = slot[0]
        cdef Node *above = self.new_node(node.label, common)
        cdef Node *moved
        cdef uint32_t length = node.length
        memmove(node.label, node.label + common, length - common)
        node.length = length - common
        self.memory -= <int64_t>block_cost(sizeof(Node) + length)
        self.memory += <int64_t>block_cost(sizeof(Node) + node.length)
        moved = <Node *>PyMem_Realloc(node, sizeof(Node) + node.length)
        if moved != NULL:
            node = moved
        slot[0] = above
        self.add_child(above, node)
        return 0

    cdef int join(self, Node **slot) except -1:
        """Let the only child of a node without value take its place."""
        cdef Node *node = slot[0]
        cdef Node *child = node.children[0]
        cdef size_t length = <size_t>node.length + child.length
        cdef Node *moved = <Node *>PyMem_Realloc(child, sizeof(Node) + length)
        if moved == NULL:
            raise MemoryError
        self.memory -= <int64_t>block_cost(sizeof(Node) + moved.length)
        self.memory += <int64_t>block_cost(sizeof(Node) + length)
        memmove(moved.label + node.length, moved.label, moved.length)
        memcpy(moved.label, node.label, node.length)
        moved.length = <uint32_t>length
        slot[0] = moved
        self.drop_node(node)
        return 0

    # --- by key -----------------------------------------------------------------------------------

    cdef PyObject *lookup(self, const unsigned char *key, size_t size) noexcept:
        """The value of a key, borrowed, or NULL."""
        cdef Node *node = self.root
        cdef uint16_t place
        while True:
            if size < node.length or memcmp(node.label, key, node.length) != 0:
                return NULL
            key += node.length
            size -= node.length
            if size == 0:
                return node.value
            place = child_place(node, key[0])
            if not has_edge(node, place, key[0]):
                return NULL
            node = node.children[place]

    cdef bint put(self, const unsigned char *key, size_t size, object value) except -1:
        """Set the value of a key; whether the key is new."""
        cdef Node **slot = &self.root
        cdef Node *leaf
        cdef uint32_t common
        cdef uint16_t place
        cdef PyObject *old
        if size > UINT32_MAX:
            raise OverflowError("a key has less than 4 GB")
        while True:
            common = common_length(slot[0], key, size)
            if common < slot[0].length:
                self.split(slot, common)
            key += common
            size -= common
            if size == 0:
                break
            place = child_place(slot[0], key[0])
            if not has_edge(slot[0], place, key[0]):
                leaf = self.new_node(key, size)
                self.add_child(slot[0], leaf)
                slot = &slot[0].children[child_place(slot[0], key[0])]
                break
            slot = &slot[0].children[place]
        old = slot[0].value
        Py_INCREF(value)
        slot[0].value = <PyObject *>value
        if old != NULL:
            Py_DECREF(<object>old)
            return False
        self.used += 1
        return True

    cdef object take(self, const unsigned char *key, size_t size):
        """Remove a key and return its value; KeyError."""
        cdef Node **slot = &self.root
        cdef Node **parent = NULL
        cdef Node *node
        cdef uint16_t place = 0
        cdef object value
        if self.lookup(key, size) == NULL:
            raise KeyError(PyBytes_FromStringAndSize(<const char *>key, size))
        while True:
            key += slot[0].length
            size -= slot[0].length
            if size == 0:
                break
            parent = slot
            place = child_place(slot[0], key[0])
            slot = &slot[0].children[place]
        node = slot[0]
        value = <object>node.value
        Py_DECREF(value)
        node.value = NULL
        self.used -= 1
        if node.count == 0 and parent != NULL:
            self.remove_child(parent[0], place)
            self.drop_node(node)
            slot = parent
        if slot != &self.root and slot[0].value == NULL and slot[0].count == 1:
            self.join(slot)
        return value

    def __len__(self):
        return self.used

    def __contains__(self, bytes key not None):
        return self.lookup(text_of(key), PyBytes_GET_SIZE(key)) != NULL

    def get(self, bytes key not None):
        """The value of a key, or None."""
        cdef PyObject *value = self.lookup(text_of(key), PyBytes_GET_SIZE(key))
        return <object>value if value != NULL else None

    def set(self, bytes key not None, value):
        """Set the value of a key; whether the key is new."""
        return self.put(text_of(key), PyBytes_GET_SIZE(key), value)

    def pop(self, bytes key not None):
        """Remove a key and return its value; KeyError."""
        return self.take(text_of(key), PyBytes_GET_SIZE(key))

    def __getitem__(self, bytes key not None):
        cdef PyObject *value = self.lookup(text_of(key), PyBytes_GET_SIZE(key))
        if value == NULL:
            raise KeyError(key)
        return <object>value

    def __setitem__(self, bytes key not None, value):
        self.put(text_of(key), PyBytes_GET_SIZE(key), value)

    def __delitem__(self, bytes key not None):
        self.take(text_of(key), PyBytes_GET_SIZE(key))

    def prefixes_of(self, bytes key not None):
        """Keys and values of all keys that this one begins with, the shortest first."""
        cdef Node *node = self.root
        cdef const unsigned char *text = text_of(key)
        cdef size_t size = PyBytes_GET_SIZE(key), at = 0
        cdef uint16_t place
        cdef list found = []
        while size - at >= node.length and memcmp(node.label, text + at, node.length) == 0:
            at += node.length
            if node.value != NULL:
                found.append((key[:at], <object>node.value))
            if at == size:
                break
            place = child_place(node, text[at])
            if not has_edge(node, place, text[at]):
                break
            node = node.children[place]
        return found

    # --- by order ---------------------------------------------------------------------------------

    cdef tuple ends(self, Node *node, const unsigned char *key, size_t size, bint last):
        """The first or last key at or below a node, whose parent's path is this key, and its value;
        None for an empty tree.
        """
        cdef bytearray path = bytearray((<const char *>key)[:size]) if size else bytearray()
        while True:
            path += (<const char *>node.label)[:node.length]
            if node.count == 0 or (node.value != NULL and not last):
                break
            node = node.children[node.count - 1 if last else 0]
        return None if node.value == NULL else (bytes(path), <object>node.value)

    cdef tuple seek(self, const unsigned char *key, size_t size, Direction direction):
        """The nearest key in a direction and its value, or None.

        The way down is that of the key. What is remembered on it is the nearest subtree (or, going
        back, the key that ends on the way) beside it, with the length of the path that leads there.
        """
        cdef bint back = direction == AT_MOST or direction == BELOW
        cdef bint inclusive = direction == AT_LEAST or direction == AT_MOST
        cdef Node *node = self.root
        cdef Node *beside = NULL
        cdef bint itself = False
        cdef size_t at = 0, path = 0
        cdef uint32_t common
        cdef uint16_t place
        while True:
            common = common_length(node, key + at, size - at)
            if common < node.length:
                # The whole subtree lies on one side of the key.
                if (at + common < size and node.label[common] < key[at + common]) == back:
                    return self.ends(node, key, at, back)
                break
            at += common
            if at == size:
                if inclusive and node.value != NULL:
                    return (<const char *>key)[:size], <object>node.value
                if not back and node.count:
                    return self.ends(node.children[0], key, at, False)
                break
            place = child_place(node, key[at])
            if back and (place > 0 or node.value != NULL):
                itself = place == 0
                beside = node if itself else node.children[place - 1]
                path = at
            if not has_edge(node, place, key[at]):
                if not back and place < node.count:
                    return self.ends(node.children[place], key, at, False)
                break
            if not back and place + 1 < node.count:
                beside = node.children[place + 1]
                path = at
            node = node.children[place]
        if itself:
            return (<const char *>key)[:path], <object>beside.value
        return None if beside == NULL else self.ends(beside, key, path, back)

    def first(self):
        """The first key and its value, or None."""
        return self.ends(self.root, NULL, 0, False)

    def last(self):
        """The last key and its value, or None."""
        return self.ends(self.root, NULL, 0, True)

    def at_least(self, bytes key not None):
        """The first key that is not below this one, and its value, or None."""
        return self.seek(text_of(key), PyBytes_GET_SIZE(key), AT_LEAST)

    def above(self, bytes key not None):
        """The first key above this one, and its value, or None."""
        return self.seek(text_of(key), PyBytes_GET_SIZE(key), ABOVE)

    def at_most(self, bytes key not None):
        """The last key that is not above this one, and its value, or None."""
        return self.seek(text_of(key), PyBytes_GET_SIZE(key), AT_MOST)

    def below(self, bytes key not None):
        """The last key below this one, and its value, or None."""
        return self.seek(text_of(key), PyBytes_GET_SIZE(key), BELOW)

    def items(self, bytes start not None=b""):
        """Keys and values in ascending order, from a key on. The tree may change meanwhile."""
        cdef tuple pair = self.at_least(start)
        while pair is not None:
            yield pair
            pair = self.above(pair[0])

    def items_back(self, bytes start=None):
        """Keys and values in descending order, from a key (or the last) on. The tree may change
        meanwhile.
        """
        cdef tuple pair = self.last() if start is None else self.at_most(start)
        while pair is not None:
            yield pair
            pair = self.below(pair[0])

    def items_under(self, bytes prefix not None):
        """Keys that begin with a prefix, and their values, in ascending order."""
        for pair in self.items(prefix):
            if not pair[0].startswith(prefix):
                return
            yield pair

    def __iter__(self):
        for pair in self.items():
            yield pair[0]

    # --- the tree as a whole ----------------------------------------------------------------------

    cdef bint free_last(self) noexcept:
        """Free the last leaf; False when only the root was left and has lost its value."""
        cdef Node *parent = NULL
        cdef Node *node = self.root
        cdef PyObject *value
        while node.count:
            parent = node
            node = node.children[node.count - 1]
        value = node.value
        node.value = NULL
        if parent != NULL:
            # No join, no shrinking: the parent goes soon, too.
            parent.count -= 1
            self.drop_node(node)
        if value != NULL:
            self.used -= 1
            Py_DECREF(<object>value)
        return parent != NULL

    def free_step(self, uint64_t effort):
        """Free about so many nodes and their values; True while there are more. Begun, it must be
        finished before anything else is asked of the tree.
        """
        while effort:
            if not self.free_last():
                return False
            effort -= 1
        return self.root.count > 0 or self.root.value != NULL

    def check_invariants(self):
        """Raise AssertionError unless nodes are in order, joined, and counted right."""
        cdef uint64_t[2] counts
        cdef int64_t size
        counts[0] = counts[1] = 0
        assert self.root.length == 0, "a root with a label"
        size = check_node(self.root, counts, True)
        assert counts[0] == self.nodes, f"{counts[0]} nodes, {self.nodes} counted"
        assert counts[1] == self.used, f"{counts[1]} keys, {self.used} counted"
        assert size == self.memory, f"{size} bytes, {self.memory} counted"


cdef int64_t check_node(const Node *node, uint64_t *counts, bint is_root) except -1:
    """Check what is at and below a node; the bytes of it."""
    cdef int64_t size = block_cost(sizeof(Node) + node.length)
    cdef uint16_t i
    counts[0] += 1
    counts[1] += node.value != NULL
    if not is_root:
        assert node.length > 0, "a node without label"
        assert node.value != NULL or node.count > 1, "a node that should be joined"
    assert node.count <= node.room, "more children than room"
    if node.room:
        size += block_cost(children_size(node.room))
    for i in range(node.count):
        assert edges_of(node)[i] == node.children[i].label[0], "a wrong edge"
        if i:
            assert edges_of(node)[i - 1] < edges_of(node)[i], "children out of order"
        size += check_node(node.children[i], counts, False)
    return size
