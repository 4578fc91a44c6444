"""Between Lua's stack and the values of the server.

Scripts are run, call commands and return replies without a step of Python for each value. Of RESP2
a script sees numbers, strings, false for null, tables for arrays, and tables with one field for
statuses and errors; after `redis.setresp(3)` also maps, sets, doubles and the rest.

What Lua calls here never raises: it returns whether things went well, and a value or the text of an
error; so no exception of either language crosses the other's frames.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.math cimport signbit
from libc.stdint cimport INT64_MIN, int64_t

from balas.errors import ReplyError
from balas.protocol.replies import NULL_ARRAY, BigNumber, Pairs, Push, SetReply, Verbatim
from balas.protocol.replies cimport Status
from balas.services.scripting.execution cimport Execution
from balas.services.scripting.lua51 cimport (
    BOOLEAN_TYPE, COUNT_KILOBYTES, COUNT_REST, FIRST_UPVALUE, NIL_TYPE, NUMBER_TYPE, REGISTRY,
    STRING_TYPE, TABLE_TYPE, checkstack, collect, createtable, drop_ref, find_library, gettop,
    lua_CFunction, lua_State, make_ref, next_pair, pcall, pushboolean, pushcclosure,
    pushlightuserdata, pushlstring, pushnil, pushnumber, pushvalue, rawget, rawgeti, rawset,
    rawseti, settop, toboolean, tolstring, tonumber, touserdata, type_at,
)
from balas.services.scripting.quick cimport (
    decode_quickly, encode_quickly, prepare, unpack_quickly,
)
from balas.structures.numbers import format_double
from balas.structures.numbers cimport double_to_string, int64_to_string

cdef extern from *:
    """
    static int (*balas_opener)(lua_State *);
    /* What the interpreter's loader calls. */
    int luaopen_balas_bridge(lua_State *lua) { return balas_opener(lua); }
    """
    lua_CFunction opener "balas_opener"

cdef enum:
    # What one step of a conversion needs of the stack.
    ROOM = 8
    # What a run leaves: whether it went well, and a value, or an error with its place.
    RESULTS = 4

# Numbers below are whole in a double, and their texts have no exponent.
cdef double WHOLE_LIMIT = 4503599627370496.0        # 2**52
cdef double INT64_LIMIT = 9223372036854775808.0     # 2**63

NO_ARGUMENT = "ERR Please specify at least one argument for this redis lib call"
BAD_ARGUMENT = "ERR Lua redis lib command arguments must be strings or integers"
TOO_DEEP = "ERR reached lua stack limit"

# The bridge that is being connected, for the one call in which Lua gives its state.
cdef Bridge connecting = None


class ScriptError(Exception):
    """What a script has ended with: a text, and the source and line where they are known."""

    def __init__(self, text: bytes, source: bytes | None, line: float | None) -> None:
        super().__init__(text)
        self.text = text
        self.source = source
        self.line = line


cdef class Chunk:
    """A function of Lua that is kept for as long as this object.

    Args:
        number: by which the interpreter knows it.
        runner: the function that runs this one; None if this is a runner itself.
    """

    def __init__(self, Bridge bridge, int number, Chunk runner) -> None:
        self.bridge = bridge
        self.number = number
        self.runner = runner

    def run(self, Execution execution, list keys, list arguments) -> object:
        """Run it with tables of keys and arguments; the reply it comes to.

        Raises ScriptError, or the ReplyError that the script returned.
        """
        return self.bridge.run(execution, self, keys, arguments)

    def __dealloc__(self):
        if self.bridge is not None:
            drop_ref(self.bridge.state, REGISTRY, self.number)


@cython.no_gc_clear  # its chunks need the interpreter to the last
cdef class Bridge:
    """Runs functions of one interpreter.

    Args:
        runtime: the interpreter, which lives as long as the bridge.
        library: the file of the library that it is in.
    """

    def __init__(self, object runtime, str library) -> None:
        cdef const char *missing
        cdef bytes path = library.encode()
        global connecting, opener
        missing = find_library(path)
        if missing == NULL:
            missing = prepare(path)
        if missing != NULL:
            raise ImportError(f"the interpreter for scripts lacks {missing.decode()}")
        connecting = self
        opener = &connect
        try:
            load = runtime.execute(
                b"return package.loadlib(...)", __file__.encode(), b"luaopen_balas_bridge"
            )
            self.dispatch, self.keeper, self.unpack, self.decode, self.encode = load()
        finally:
            connecting = None
        self.runtime = runtime

    def keep(self, function: object, Chunk runner=None) -> Chunk:
        """Keep a function that the runtime has shown, which `runner` is to run."""
        return Chunk(self, self.keeper(function), runner)

    cdef object run(self, Execution execution, Chunk chunk, list keys, list arguments):
        """See `Chunk.run`."""
        cdef lua_State *lua = self.state
        cdef int top = gettop(lua)
        self.execution = execution
        try:
            if not checkstack(lua, ROOM):
                raise ReplyError(TOO_DEEP)
            rawgeti(lua, REGISTRY, chunk.runner.number)
            rawgeti(lua, REGISTRY, chunk.number)
            push_words(lua, keys)
            push_words(lua, arguments)
            failed = pcall(lua, 3, RESULTS, 0)
            if self.escaped is not None:
                escaped, self.escaped = self.escaped, None
                raise escaped
            if failed:
                raise ScriptError(text_at(lua, -1), None, None)
            if toboolean(lua, -4):
                return self.returned(lua, execution.resp)
            raise ScriptError(
                text_at(lua, -3),
                text_at(lua, -2) if type_at(lua, -2) == STRING_TYPE else None,
                tonumber(lua, -1) if type_at(lua, -1) == NUMBER_TYPE else None,
            )
        finally:
            settop(lua, top)
            self.execution = None

    cdef object returned(self, lua_State *lua, int resp):
        cdef object reply
        pushvalue(lua, -3)
        reply = reply_at_top(lua, resp)
        if type(reply) is ReplyError:
            raise reply
        return reply

    @property
    def memory_bytes(self) -> int:
        """What the interpreter holds."""
        return collect(self.state, COUNT_KILOBYTES, 0) * 1024 + collect(self.state, COUNT_REST, 0)


# --- what Lua calls -------------------------------------------------------------------------------

cdef int connect(lua_State *lua) noexcept with gil:
    """Lua calls this when the bridge is loaded: gives what `__init__` takes, in its order."""
    connecting.state = lua
    pushlightuserdata(lua, <void *> connecting)
    pushcclosure(lua, &dispatch, 1)
    pushcclosure(lua, &keep, 0)
    pushcclosure(lua, unpack_quickly, 0)
    pushcclosure(lua, decode_quickly, 0)
    pushcclosure(lua, encode_quickly, 0)
    return 5


cdef int keep(lua_State *lua) noexcept:
    """keep(function): a number by which it can be run."""
    settop(lua, 1)
    pushnumber(lua, make_ref(lua, REGISTRY))
    return 1


cdef int dispatch(lua_State *lua) noexcept:
    """dispatch(word, ...): runs a command; true and its reply, or false and an error's text."""
    cdef Bridge bridge = <Bridge> touserdata(lua, FIRST_UPVALUE)
    cdef Execution execution = bridge.execution
    cdef int top = gettop(lua)
    cdef bytes text
    try:
        value = execution.perform(words_at(lua, top))
        pushboolean(lua, True)
        push(lua, value, execution.resp)
        return 2
    except ReplyError as error:
        text = encoded(error.text)
    except Exception as error:
        text = encoded(execution.engine.explain(None, error).text)
    except BaseException as error:
        bridge.escaped = error
        text = b"ERR the server ends"
    settop(lua, top)
    checkstack(lua, ROOM)
    pushboolean(lua, False)
    push_bytes(lua, text)
    return 2


cdef list words_at(lua_State *lua, int count):
    """The words of a command, which are all that is on the stack."""
    cdef list words
    cdef int i, kind
    if not count:
        raise ReplyError(NO_ARGUMENT)
    words = []
    for i in range(1, count + 1):
        kind = type_at(lua, i)
        if kind == STRING_TYPE:
            words.append(text_at(lua, i))
        elif kind == NUMBER_TYPE:
            words.append(number_text(tonumber(lua, i)))
        else:
            raise ReplyError(BAD_ARGUMENT)
    return words


# --- from Lua -------------------------------------------------------------------------------------

cdef bytes text_at(lua_State *lua, int index):
    """The string or number there."""
    cdef size_t size = 0
    cdef const char *text = tolstring(lua, index, &size)
    return PyBytes_FromStringAndSize(text, size)


cdef bytes number_text(double value):
    """A number as commands get it."""
    cdef char[32] text
    cdef size_t size
    if -WHOLE_LIMIT < value < WHOLE_LIMIT and value == <double> <int64_t> value:
        size = int64_to_string(<int64_t> value, text)
    elif value != value:
        return b"-nan" if signbit(value) else b"nan"
    else:
        size = double_to_string(value, text)
    return PyBytes_FromStringAndSize(text, size)


cdef object reply_at_top(lua_State *lua, int resp):
    """The reply that a script means by the value at the top, which is taken from the stack.

    A string, a number cut off to an integer, a boolean; a table by the first of these members that
    it has: err, ok, double, map, set, big_number, verbatim_string; else its items up to the first
    nil.
    """
    cdef int kind = type_at(lua, -1)
    cdef object reply = None
    cdef double number
    if kind == TABLE_TYPE:
        return table_at_top(lua, resp)
    if kind == STRING_TYPE:
        reply = text_at(lua, -1)
    elif kind == NUMBER_TYPE:
        number = tonumber(lua, -1)
        # What C makes of numbers that fit into no integer.
        reply = <int64_t> number if -INT64_LIMIT <= number < INT64_LIMIT else INT64_MIN
    elif kind == BOOLEAN_TYPE:
        if resp == 3:
            reply = bool(toboolean(lua, -1))
        elif toboolean(lua, -1):
            reply = 1
    settop(lua, -2)
    return reply


cdef object table_at_top(lua_State *lua, int resp):
    cdef object reply
    if not checkstack(lua, ROOM):
        settop(lua, -2)
        return ReplyError(TOO_DEEP)
    if member(lua, b"err", STRING_TYPE):
        reply = ReplyError(one_line(text_at(lua, -1)))
    elif member(lua, b"ok", STRING_TYPE):
        reply = Status(one_line(text_at(lua, -1)))
    elif member(lua, b"double", NUMBER_TYPE):
        reply = tonumber(lua, -1)
    elif member(lua, b"map", TABLE_TYPE):
        reply = Pairs(pairs_at_top(lua, resp, True))
    elif member(lua, b"set", TABLE_TYPE):
        reply = SetReply(pairs_at_top(lua, resp, False))
    elif member(lua, b"big_number", STRING_TYPE):
        reply = big_number(text_at(lua, -1))
    else:
        if member(lua, b"verbatim_string", TABLE_TYPE):
            reply = verbatim_at_top(lua)
            if reply is not None:
                settop(lua, -3)
                return reply
            settop(lua, -2)
        reply = items_at_top(lua, resp)
        settop(lua, -2)
        return reply
    settop(lua, -3)
    return reply


cdef bint member(lua_State *lua, bytes name, int kind):
    """Push the member of the table at the top, if it is of this type."""
    push_bytes(lua, name)
    rawget(lua, -2)
    if type_at(lua, -1) == kind:
        return True
    settop(lua, -2)
    return False


cdef list items_at_top(lua_State *lua, int resp):
    cdef list items = []
    cdef int i = 1
    while True:
        rawgeti(lua, -1, i)
        if type_at(lua, -1) == NIL_TYPE:
            settop(lua, -2)
            return items
        items.append(reply_at_top(lua, resp))
        i += 1


cdef list pairs_at_top(lua_State *lua, int resp, bint with_values):
    """The keys of the table at the top, or its pairs; the table stays."""
    cdef list found = []
    pushnil(lua)
    while next_pair(lua, -2):
        value = None
        if with_values:
            value = reply_at_top(lua, resp)
        else:
            settop(lua, -2)
        pushvalue(lua, -1)
        key = reply_at_top(lua, resp)
        found.append((key, value) if with_values else key)
    return found


cdef object verbatim_at_top(lua_State *lua):
    """The text with a format that the table at the top is, which stays; None if it is none."""
    cdef bytes text
    if not member(lua, b"format", STRING_TYPE):
        return None
    kind = text_at(lua, -1)
    settop(lua, -2)
    if not member(lua, b"string", STRING_TYPE):
        return None
    text = text_at(lua, -1)
    settop(lua, -2)
    return Verbatim(text, kind.decode("latin-1")[:3].ljust(3))


cdef object big_number(bytes text):
    """The integer that these digits are; what is none is sent as text, which breaks no protocol."""
    try:
        return BigNumber(int(text))
    except ValueError:
        return text


def one_line(text: bytes) -> str:
    """An error's text, which must not break its line."""
    return text.decode("utf-8", "surrogateescape").replace("\r", " ").replace("\n", " ")


# --- to Lua ---------------------------------------------------------------------------------------

cdef bytes encoded(str text):
    return text.encode("utf-8", "surrogateescape")


cdef int push_bytes(lua_State *lua, bytes text) except -1:
    pushlstring(lua, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
    return 0


cdef int push_words(lua_State *lua, list words) except -1:
    """Push a table of strings."""
    cdef int i
    createtable(lua, len(words), 0)
    for i in range(len(words)):
        push_bytes(lua, words[i])
        rawseti(lua, -2, i + 1)
    return 0


cdef int push(lua_State *lua, object value, int resp) except -1:
    """Push a reply as a script sees it. Raises TypeError, and ReplyError if it is too deep."""
    if not checkstack(lua, ROOM):
        raise ReplyError(TOO_DEEP)
    if type(value) is bytes:
        return push_bytes(lua, value)
    if type(value) is int:
        pushnumber(lua, value)
    elif type(value) is list or type(value) is tuple:
        push_items(lua, value, resp)
    elif value is None or value is NULL_ARRAY:
        if resp == 3:
            pushnil(lua)
        else:
            pushboolean(lua, False)
    elif type(value) is Status:
        push_tagged(lua, b"ok", encoded((<Status> value).text), resp)
    elif type(value) is bool:
        if resp == 3:
            pushboolean(lua, value)
        else:
            pushnumber(lua, value)
    else:
        push_rare(lua, value, resp)
    return 0


cdef int push_items(lua_State *lua, object items, int resp) except -1:
    cdef int i = 0
    createtable(lua, len(items), 0)
    for item in items:
        i += 1
        push(lua, item, resp)
        rawseti(lua, -2, i)
    return 0


cdef int push_tagged(lua_State *lua, bytes tag, object value, int resp) except -1:
    """Push a table with one member."""
    createtable(lua, 0, 1)
    push_bytes(lua, tag)
    push(lua, value, resp)
    rawset(lua, -3)
    return 0


cdef int push_rare(lua_State *lua, object value, int resp) except -1:
    if isinstance(value, (list, tuple)):
        return push_items(lua, value, resp)
    if isinstance(value, Push):
        return push_items(lua, value.items, resp)
    if isinstance(value, str):
        return push_bytes(lua, encoded(value))
    if isinstance(value, (bytearray, memoryview)):
        return push_bytes(lua, bytes(value))
    if isinstance(value, float):
        if resp != 3:
            return push_bytes(lua, format_double(value))
        createtable(lua, 0, 1)
        push_bytes(lua, b"double")
        pushnumber(lua, value)
        rawset(lua, -3)
        return 0
    if isinstance(value, ReplyError):
        return push_tagged(lua, b"err", encoded(value.text), resp)
    return push_collection(lua, value, resp)


cdef int push_collection(lua_State *lua, object value, int resp) except -1:
    """Push a map, a set, or what is text in RESP2."""
    if isinstance(value, (dict, Pairs)):
        pairs = list(value.items()) if isinstance(value, dict) else value.items
        if resp != 3:
            return push_items(lua, [one for pair in pairs for one in pair], resp)
        return push_table(lua, b"map", pairs)
    if isinstance(value, (set, frozenset, SetReply)):
        members = value.members if isinstance(value, SetReply) else value
        if resp != 3:
            return push_items(lua, list(members), resp)
        return push_table(lua, b"set", [(one, True) for one in members])
    if isinstance(value, Verbatim):
        if resp != 3:
            return push_bytes(lua, value.text)
        text = [(b"string", value.text), (b"format", value.format.encode())]
        return push_table(lua, b"verbatim_string", text)
    if isinstance(value, BigNumber):
        digits = str(value.value).encode()
        if resp != 3:
            return push_bytes(lua, digits)
        return push_tagged(lua, b"big_number", digits, resp)
    raise TypeError(f"a script cannot be given a {type(value).__name__}")


cdef int push_table(lua_State *lua, bytes tag, list pairs) except -1:
    """Push a table with one member, which is a table of these keys and values."""
    createtable(lua, 0, 1)
    push_bytes(lua, tag)
    createtable(lua, 0, len(pairs))
    for key, value in pairs:
        push(lua, key, 3)
        push(lua, value, 3)
        rawset(lua, -3)
    rawset(lua, -3)
    return 0
