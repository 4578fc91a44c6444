"""Counters that INFO shows and CONFIG RESETSTAT sets to zero."""


cdef class Stats:
    """Plain counters, raised where the thing happens.

    `errors` counts error replies by their code. `extra` holds the counters of services, by their
    INFO name.
    """

    def __cinit__(self):
        self.errors = {}
        self.extra = {}

    def reset(self) -> None:
        """Set every counter to zero."""
        self.connections = self.rejected_connections = self.commands = 0
        self.input_bytes = self.output_bytes = self.reads = self.writes = 0
        self.hits = self.misses = self.expired_keys = self.expired_fields = self.evicted_keys = 0
        self.lazyfreed_objects = self.error_replies = self.unexpected_errors = 0
        self.query_limit_disconnections = self.output_limit_disconnections = 0
        self.loop_turns = self.loop_ns = self.loop_command_ns = 0
        self.errors.clear()
        for name in self.extra:
            self.extra[name] = 0

    def count_error(self, str code) -> None:
        """One more error reply with this code."""
        self.error_replies += 1
        self.errors[code] = self.errors.get(code, 0) + 1
