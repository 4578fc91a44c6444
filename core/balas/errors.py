"""Errors that become replies, and every error text that more than one place uses.

A text starts with its code (``ERR``, ``WRONGTYPE``, ...) as it goes over the wire. Texts are Redis
8.2's.
"""

from collections.abc import Sequence

# How much of a request an error repeats.
SHOWN_MAX = 128

SYNTAX = "ERR syntax error"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_A_FLOAT = "ERR value is not a valid float"
OUT_OF_RANGE = "ERR value is out of range"
INDEX_OUT_OF_RANGE = "ERR index out of range"
NO_SUCH_KEY = "ERR no such key"
SAME_OBJECT = "ERR source and destination objects are the same"
INCREMENT_OVERFLOW = "ERR increment or decrement would overflow"
DB_INDEX_OUT_OF_RANGE = "ERR DB index is out of range"
INVALID_DB_INDEX = "ERR invalid DB index"
STRING_TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
TIMEOUT_NOT_A_FLOAT = "ERR timeout is not a float or out of range"
TIMEOUT_NEGATIVE = "ERR timeout is negative"
TIMEOUT_OUT_OF_RANGE = "ERR timeout is out of range"
OOM = "OOM command not allowed when used memory > 'maxmemory'."
LOADING = "LOADING Redis is loading the dataset in memory"
NO_AUTH = "NOAUTH Authentication required."
EXEC_ABORT_REASON = "EXECABORT Transaction discarded because of: "
EXEC_ABORT = "EXECABORT Transaction discarded because of previous errors."


def printable(data: bytes) -> str:
    """Bytes of a request as text that survives in an error message."""
    return data.decode("utf-8", "surrogateescape")


def unknown_command(argv: Sequence[bytes]) -> str:
    """The error for a name that no command has; it repeats the beginning of the request."""
    shown = b""
    for argument in argv[1:]:
        if len(shown) >= SHOWN_MAX:
            break
        shown += b"'%b' " % argument[: SHOWN_MAX - len(shown)]
    name = printable(argv[0][:SHOWN_MAX])
    return f"ERR unknown command '{name}', with args beginning with: {printable(shown)}"


def unknown_subcommand(name: str, subcommand: bytes) -> str:
    """The error for a container that has no such subcommand."""
    return f"ERR unknown subcommand '{printable(subcommand[:SHOWN_MAX])}'. Try {name.upper()} HELP."


class ReplyError(Exception):
    """An error whose text is the reply: ``raise ReplyError("ERR no such key")``.

    Example:
        >>> @command("DEMO.NO", arity=1)
        ... def no(ctx):
        ...     raise ReplyError("DENIED not today")
        >>> serve().error("DEMO.NO")
        'DENIED not today'
    """

    @property
    def text(self) -> str:
        """The whole text, code first."""
        return str(self.args[0])

    @property
    def code(self) -> str:
        """The first word: what clients match on and ``errorstats`` counts."""
        return self.text.split(" ", 1)[0]


class BadData(Exception):
    """Stored bytes (RDB, DUMP payload, AOF) that do not make sense; says what and where.

    Example:
        >>> class Even(Value):
        ...     @classmethod
        ...     def rdb_load(cls, source, version):
        ...         if source.load_unsigned() % 2:
        ...             raise BadData("an odd number")
        ...         return cls()
        >>> issubclass(BadData, Exception)
        True
    """


class NotUnderstood(BadData):
    """Stored bytes that are sound, but of a version or a kind that the reader does not know.

    Example:
        >>> class Demo(Module):
        ...     name = "demo"
        ...     aux_name = "demo-aux1"
        ...
        ...     @hook
        ...     def aux_load(self, source, version):
        ...         if version > 0:
        ...             raise NotUnderstood("a newer version")
        >>> issubclass(NotUnderstood, BadData)
        True
    """
