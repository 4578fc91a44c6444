"""The contract of a value type: what a value must be able to do to live in the keyspace.

Plain strings are not here: they are stored bare in the keyspace entry. Everything else, in the core
and in modules, derives from `Value` and is expired, evicted, counted, copied, dumped, snapshotted
and logged through these methods.
"""

from libc.stdint cimport uint8_t


cdef class Value:
    """A value in the keyspace. Subclass it; see docs/architecture.md for the table of methods.

    Class attributes:
        type_name: what TYPE replies; for a module's type also its 9-character name in RDB files.
        rdb_version: the version of its RDB encoding, 0 to 1023; `rdb_load` is told which one it
        reads.
        rdb_kinds: for types of the core only: the kinds of value in RDB files that `rdb_load`
        reads, as its second argument.
        rdb_kind: for types of the core only: the kind that `rdb_save` writes now. None says that a
        module's type is written.

    Example:
        >>> class Counter(Value):
        ...     type_name = "demo-cntr"
        ...     rdb_version = 0
        ...
        ...     def __init__(self, count=0):
        ...         self.count = count
        ...
        ...     def memory_usage(self):
        ...         return 64
        ...
        ...     def copy(self):
        ...         return Counter(self.count)
        ...
        ...     def digest(self, digest):
        ...         digest.add(b"%d" % self.count)
        ...
        ...     def rdb_save(self, out):
        ...         out.save_signed(self.count)
        ...
        ...     @classmethod
        ...     def rdb_load(cls, source, version):
        ...         return cls(source.load_signed())
        ...
        ...     def aof_rewrite(self, key):
        ...         yield b"DEMO.ADD", key, b"%d" % self.count
        >>> class Demo(Module):
        ...     name = "demo"
        ...     types = (Counter,)
        >>> @command("DEMO.ADD", arity=3, flags=WRITE, keys=key(1, RW | UPDATE))
        ... def add(ctx, key, amount):
        ...     counter = ctx.write(key, Counter)
        ...     if counter is None:
        ...         counter = Counter()
        ...         ctx.store(key, counter)
        ...     counter.count += integer(amount)
        ...     ctx.changed(key, "demo.add")
        ...     return counter.count
        >>> client = serve()
        >>> client("DEMO.ADD", "k", 3), client("TYPE", "k"), client("COPY", "k", "l")
        (3, b'demo-cntr', 1)
        >>> client("DEMO.ADD", "l", 1)
        4
    """

    type_name = ""
    rdb_version = 0
    rdb_kinds = ()
    rdb_kind = None
    # The forms (`DormantForm`) in which it may be kept without its object.
    dormant_forms = ()

    cdef void *doze(self, uint8_t *form) noexcept:
        """Hand over the block that a small value consists of, and its form; NULL if it is no such
        value now. The object is empty afterwards, and only good to be let go.
        """
        return NULL

    cdef Value wake(self, void *block, uint8_t form):
        """A value made of a block that another one of this type has handed over."""
        raise NotImplementedError(f"{type(self).__name__}.wake")

    def encoding(self):
        """The name OBJECT ENCODING gives: one of the core's, or "raw" for a module's value."""
        return "raw"

    cpdef Py_ssize_t memory_usage(self) except -1:
        """Bytes this value occupies, in constant time: keep the figure as the value changes."""
        raise NotImplementedError(f"{type(self).__name__}.memory_usage")

    cpdef Py_ssize_t cardinality(self) except -1:
        """How many items it holds (elements, fields, members): INFO counts the core's collections
        by this. A module's value need not say.
        """
        return 0

    cpdef Py_ssize_t free_effort(self) except -1:
        """About how many allocations freeing the value takes; above 64 it may be freed lazily."""
        return 1

    def free_step(self, effort):
        """Free about `effort` allocations of a value nobody can see any more; True while there are
        more.

        The default leaves everything to the moment when the last reference goes.
        """
        return False

    def rdb_save(self, out):
        """Write the value to a `SaveStream`."""
        raise NotImplementedError(f"{type(self).__name__}.rdb_save")

    @classmethod
    def rdb_load(cls, source, version):
        """A value from a `LoadStream`; raise `BadData` for what makes no sense."""
        raise NotImplementedError(f"{cls.__name__}.rdb_load")

    def aof_rewrite(self, key):
        """The commands, as sequences of bytes, that rebuild the value at `key`."""
        raise NotImplementedError(f"{type(self).__name__}.aof_rewrite")

    def copy(self):
        """An equal value that shares nothing that can change."""
        raise NotImplementedError(f"{type(self).__name__}.copy")

    def digest(self, digest):
        """Feed `digest.add(bytes)` everything that makes two values equal, in a defined order."""
        raise NotImplementedError(f"{type(self).__name__}.digest")
