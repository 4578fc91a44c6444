"""The one cursor with which commands read their options."""

from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t

from balas.errors import NOT_A_FLOAT, NOT_AN_INTEGER, SYNTAX, ReplyError
from balas.structures.numbers import parse_float
from balas.structures.numbers cimport string_to_int64
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE


def integer(
    value: bytes, low: int = INT64_MIN, high: int = INT64_MAX, error: str = NOT_AN_INTEGER
) -> int:
    """A 64-bit integer written as Redis writes it, within [low, high]; otherwise the error.

    Example:
        >>> integer(b"42", 0, 100)
        42
        >>> integer(b"042")
        Traceback (most recent call last):
        balas.errors.ReplyError: ERR value is not an integer or out of range
    """
    cdef int64_t number
    if not string_to_int64(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value), &number):
        raise ReplyError(error)
    if not low <= number <= high:
        raise ReplyError(error)
    return number


def bounded(value: bytes, low: int, high: int) -> int:
    """A 64-bit integer; the error for one outside [low, high] says what would be right."""
    found = integer(value)
    if not low <= found <= high:
        raise ReplyError(f"ERR value is out of range, value must between {low} and {high}")
    return found


def number(value: bytes, error: str = NOT_A_FLOAT) -> float:
    """A double, infinities included, but not NaN; otherwise the error.

    Example:
        >>> number(b"1.5"), number(b"-inf")
        (1.5, -inf)
        >>> number(b"nan")
        Traceback (most recent call last):
        balas.errors.ReplyError: ERR value is not a valid float
    """
    parsed = parse_float(value)
    if parsed is None:
        raise ReplyError(error)
    return parsed


cdef class Arguments:
    """Reads arguments from left to right.

    >>> args = Arguments((b"EX", b"10", b"nx"))
    >>> if args.eat(b"EX"): seconds = args.take_int()

    Example:
        >>> @command("DEMO.SCAN", arity=-1, flags=READONLY)
        ... def scan(ctx, *options):
        ...     count, verbose = 10, False
        ...     arguments = Arguments(options)
        ...     while arguments.more:
        ...         match arguments.eat(b"COUNT", b"VERBOSE"):
        ...             case b"COUNT":
        ...                 count = arguments.take_int(1, 1000)
        ...             case b"VERBOSE":
        ...                 verbose = True
        ...             case _:
        ...                 raise ReplyError(SYNTAX)
        ...     return [count, verbose]
        >>> client = serve()
        >>> client("DEMO.SCAN", "verbose", "COUNT", "5")
        [5, 1]
        >>> client.error("DEMO.SCAN", "COUNT")
        'ERR syntax error'
    """

    cdef tuple argv
    cdef Py_ssize_t position

    def __init__(self, tuple argv):
        self.argv = argv
        self.position = 0

    @property
    def more(self) -> bool:
        """Whether arguments are left."""
        return self.position < len(self.argv)

    @property
    def left(self) -> int:
        """How many arguments are left."""
        return len(self.argv) - self.position

    def peek(self):
        """The next argument without taking it; None at the end."""
        return self.argv[self.position] if self.position < len(self.argv) else None

    def take(self, error: str = SYNTAX) -> bytes:
        """The next argument; the error if there is none."""
        if self.position >= len(self.argv):
            raise ReplyError(error)
        self.position += 1
        return self.argv[self.position - 1]

    def take_int(
        self, low: int = INT64_MIN, high: int = INT64_MAX, error: str = NOT_AN_INTEGER
    ) -> int:
        """The next argument as an integer within [low, high]; a missing one is a syntax error."""
        return integer(self.take(), low, high, error)

    def take_float(self, error: str = NOT_A_FLOAT) -> float:
        """The next argument as a double; a missing one is a syntax error."""
        return number(self.take(), error)

    def take_rest(self) -> tuple:
        """All arguments that are left."""
        rest = self.argv[self.position:]
        self.position = len(self.argv)
        return rest

    def eat(self, *words: bytes):
        """Take the next argument if it is one of these upper-case words, in any case; the word, or
        None.
        """
        cdef bytes word
        if self.position >= len(self.argv):
            return None
        word = (<bytes> self.argv[self.position]).upper()
        if word in words:
            self.position += 1
            return word
        return None

    def end(self) -> None:
        """A syntax error unless everything was read."""
        if self.position < len(self.argv):
            raise ReplyError(SYNTAX)
