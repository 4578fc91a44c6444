"""What is known of a command: its declaration, and how often and how fast it ran."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from balas.registry.flags import (
    ADMIN, BLOCKING, FAST, MOVABLEKEYS, PUBSUB, READONLY, WRITE,
)

cdef extern from *:
    int __builtin_clzll(uint64_t) noexcept nogil

CO_VARARGS = 0x04
CO_COROUTINE = 0x80

# Categories that a group of commands belongs to as a whole.
GROUP_CATEGORIES = {
    "string": "string", "list": "list", "set": "set", "sorted-set": "sortedset", "hash": "hash",
    "bitmap": "bitmap", "hyperloglog": "hyperloglog", "geo": "geo", "stream": "stream",
    "generic": "keyspace", "transactions": "transaction",
    "scripting": "scripting", "connection": "connection",
}


def implied_categories(flags: int, group: str) -> set[str]:
    """ACL categories that follow from flags and group, as in Redis."""
    found = {"fast" if flags & FAST else "slow"}
    if flags & WRITE:
        found.add("write")
    if flags & READONLY and group not in ("scripting",):
        found.add("read")
    if flags & ADMIN:
        found |= {"admin", "dangerous"}
    if flags & PUBSUB:
        found.add("pubsub")
    if flags & BLOCKING:
        found.add("blocking")
    if group in GROUP_CATEGORIES:
        found.add(GROUP_CATEGORIES[group])
    return found


class DeclarationError(Exception):
    """A command declared so that it cannot work; says which and why. Raised at import or load,
    never later.

    `handler` is the function it was declared with, if the fault is one command's.
    """

    def __init__(self, text, handler=None):
        super().__init__(text)
        self.handler = handler


cdef class CommandSpec:
    """A command or subcommand.

    `name` is lower-case, ``config|get`` for a subcommand. `arity` counts the command's words;
    negative: at least. `handler` is called with the context and the arguments after the name; None
    for a container, whose `subcommands` say the rest.
    """

    def __init__(
        self, str name, int arity, *, object handler=None, int64_t flags=0, tuple key_specs=(),
        object find_keys=None, str group="", str since="", object categories=(), str summary="",
        str synopsis="", str description="", CommandSpec parent=None, str owner=""
    ):
        cdef object spec
        self.name = name
        self.wire_name = name.rpartition("|")[2].encode()
        self.arity = arity
        self.handler = handler
        self.shift = 2 if parent is not None else 1
        self.key_specs = key_specs
        self.find_keys = find_keys
        self.group = group
        self.since = since
        self.summary = summary
        self.synopsis = synopsis
        self.description = description
        self.parent = parent
        self.owner = owner
        self.flags = flags
        self._set_key_range()
        if find_keys is not None or len(key_specs) > 1 or any(
            spec.count_at is not None or spec.keyword is not None for spec in key_specs
        ):
            if self._movable():
                self.flags |= MOVABLEKEYS
        # A container does nothing itself, so it belongs to no group.
        own_group = group if handler is not None else ""
        given = implied_categories(self.flags, own_group) | set(categories)
        self.categories = frozenset(
            name for name in given if name[0] != "-" and f"-{name}" not in given
        )
        if handler is not None:
            self.is_async = bool(handler.__code__.co_flags & CO_COROUTINE)
            self._check_signature()

    def _movable(self):
        """Whether the simple range of COMMAND INFO misses keys."""
        return self.find_keys is not None or any(
            spec.count_at is not None or spec.keyword is not None for spec in self.key_specs
        )

    def _set_key_range(self):
        """The one range of keys that COMMAND INFO shows: all specifications of fixed places taken
        together.
        """
        ranges = [
            spec for spec in self.key_specs
            if spec.index is not None and spec.count_at is None
        ]
        if not ranges:
            return
        self.first_key = min(spec.index for spec in ranges)
        lasts = [spec.index + spec.last if spec.last >= 0 else spec.last for spec in ranges]
        self.last_key = min(lasts) if min(lasts) < 0 else max(lasts)
        self.key_step = ranges[0].step

    def _check_signature(self):
        def refuse(text):
            raise DeclarationError(text, self.handler)

        code = self.handler.__code__
        wanted = abs(self.arity) - self.shift
        positional = code.co_argcount - 1
        defaults = len(self.handler.__defaults__ or ())
        variadic = bool(code.co_flags & CO_VARARGS)
        if positional < 0:
            refuse(f"the function of '{self.name}' takes nothing: its first argument is ctx")
        if self.arity > 0 and (variadic or not positional - defaults <= wanted <= positional):
            refuse(
                f"'{self.name}' has arity {self.arity}, but its function takes {positional} "
                "arguments after ctx"
            )
        if self.arity < 0 and positional - defaults > wanted:
            refuse(
                f"'{self.name}' takes {wanted} arguments or more, but its function insists on "
                f"{positional} after ctx"
            )
        if self.arity < 0 and not (variadic or defaults):
            refuse(
                f"'{self.name}' has arity {self.arity}, but its function takes no further arguments"
            )

    def __dealloc__(self):
        free(self.histogram)

    def __repr__(self):
        return f"<CommandSpec {self.name}>"

    cdef void count_call(self, int64_t duration_ns) noexcept:
        """Add one run to the statistics."""
        cdef uint64_t v = duration_ns if duration_ns > 0 else 0
        cdef int top, slot
        self.calls += 1
        self.duration_ns += duration_ns
        if self.histogram == NULL:
            self.histogram = <uint32_t *> calloc(HISTOGRAM_SIZE, sizeof(uint32_t))
            if self.histogram == NULL:
                return
        if v < 16:
            slot = <int> v
        else:
            top = 63 - __builtin_clzll(v)
            slot = (top - 3) * 16 + <int> ((v >> (top - 4)) & 15)
            if slot >= HISTOGRAM_SIZE:
                slot = HISTOGRAM_SIZE - 1
        self.histogram[slot] += 1

    def reset_stats(self) -> None:
        """Forget calls and durations (CONFIG RESETSTAT)."""
        self.calls = self.duration_ns = self.rejected_calls = self.failed_calls = 0
        free(self.histogram)
        self.histogram = NULL

    def latency_buckets(self) -> list:
        """Pairs (upper bound in ns, calls), rising, of the ranges that saw calls; each is at most a
        16th wide.
        """
        cdef int slot, top
        found = []
        if self.histogram == NULL:
            return found
        for slot in range(HISTOGRAM_SIZE):
            if self.histogram[slot]:
                if slot < 16:
                    bound = slot
                else:
                    top = slot // 16 + 3
                    bound = (1 << top) + (((slot & 15) + 1) << (top - 4)) - 1
                found.append((bound, self.histogram[slot]))
        return found

    def latency_percentile_ns(self, percent: float) -> int:
        """The duration in ns that this share of the calls stayed at or below; 0 if there were none.
        """
        buckets = self.latency_buckets()
        wanted = percent / 100 * sum(calls for _, calls in buckets)
        seen = 0
        for bound, calls in buckets:
            seen += calls
            if seen >= wanted:
                return bound
        return 0

    cpdef list key_positions(self, object argv):
        """Indexes of the keys in a whole argv (name included); raises `KeysNotFound`."""
        if self.find_keys is not None:
            return self.find_keys(argv)
        found = []
        for spec in self.key_specs:
            if not spec.flags & 256:
                found += spec.positions(argv)
        return found
