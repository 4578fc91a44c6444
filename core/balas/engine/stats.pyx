"""Counters that INFO shows and CONFIG RESETSTAT sets to zero."""


cdef enum:
    # A script can make up codes without end.
    ERROR_CODES_MAX = 128


cdef class Stats:
    """Plain counters, raised where the thing happens.

    `errors` counts error replies by their code. `extra` holds the counters of services, by their
    INFO name; services with other figures reset them in a function of `on_reset`.
    """

    def __cinit__(self):
        self.errors = {}
        self.extra = {}
        self.on_reset = []

    def reset(self) -> None:
        """Set every counter to zero."""
        self.connections = self.rejected_connections = self.commands = 0
        self.input_bytes = self.output_bytes = self.reads = self.writes = 0
        self.hits = self.misses = self.expired_keys = self.expired_fields = self.evicted_keys = 0
        self.lazyfreed_objects = self.error_replies = self.unexpected_errors = 0
        self.query_limit_disconnections = self.output_limit_disconnections = 0
        self.loop_turns = self.loop_ns = self.loop_command_ns = 0
        self.errors.clear()
        self.errors_full = False
        for name in self.extra:
            self.extra[name] = 0
        for action in self.on_reset:
            action()

    def count_error(self, str code) -> None:
        """One more error reply with this code."""
        self.error_replies += 1
        if self.errors_full:
            return
        if code not in self.errors and len(self.errors) >= ERROR_CODES_MAX:
            self.give_up_errors()
            return
        self.errors[code] = self.errors.get(code, 0) + 1

    def give_up_errors(self) -> None:
        """There are too many codes: count none of them until the next reset."""
        codes = sorted(self.errors)
        self.errors_full = True
        self.errors.clear()
        self.errors["ERRORSTATS_DISABLED"] = 1
        if self.on_too_many_errors is not None:
            self.on_too_many_errors(codes)
