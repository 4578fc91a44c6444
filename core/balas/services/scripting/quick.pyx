"""The common cases of cjson.decode and cjson.encode, in C.

Job queues keep what belongs to a job in this form. Each function here gives its result only where
there is nothing peculiar about the text; for all else, errors above all, it gives nothing and the
library in lua/ begins anew. Nothing here touches an object of Python, so an error of Lua's own may
pass through.
"""

from libc.math cimport signbit
from libc.stdint cimport int64_t
from libc.stdio cimport snprintf
from libc.stdlib cimport free, strtod
from libc.string cimport memcmp, memcpy

from balas.services.scripting.lua51 cimport (
    BOOLEAN_TYPE, NIL_TYPE, NUMBER_TYPE, STRING_TYPE, TABLE_TYPE, checkstack, createtable,
    find_library, lua_State, next_pair, pushboolean, pushlstring, pushnil, pushnumber,
    pushvalue, rawgeti, rawset, rawseti, settop, toboolean, tolstring, tonumber, type_at,
)
from balas.services.scripting.texts cimport Source, Text, add, reserve
from balas.structures.numbers cimport int64_to_string

cdef enum:
    # Values within values; what is deeper is left to the libraries.
    DEPTH_MAX = 16
    # What a value needs of the stack beside itself.
    ROOM = 4
    # Digits that a double holds exactly.
    EXACT_DIGITS = 15
    # The places of the arguments: a text, and what stands for null.
    TEXT = 1
    NULL_VALUE = 2
    # Lua's number for the type of null.
    USERDATA_TYPE = 7

# Whole numbers below this have no more than 14 digits.
cdef double SHORT_LIMIT = 1e14


cdef const char *prepare(const char *path) noexcept:
    """Find the functions of the interpreter; what is missing, or NULL."""
    return find_library(path)


# --- JSON -----------------------------------------------------------------------------------------

cdef int decode_quickly(lua_State *lua) noexcept:
    """decode(text, null): true and the value, or nothing."""
    cdef size_t size = 0
    cdef Source source
    if type_at(lua, TEXT) != STRING_TYPE:
        return 0
    source.at = <const unsigned char *> tolstring(lua, TEXT, &size)
    source.end = source.at + size
    pushboolean(lua, True)
    skip_blanks(&source)
    if decode_value(lua, &source, 0):
        skip_blanks(&source)
        if source.at == source.end:
            return 2
    settop(lua, NULL_VALUE)
    return 0


cdef void skip_blanks(Source *source) noexcept:
    while source.at < source.end and source.at[0] in (c" ", c"\t", c"\r", c"\n"):
        source.at += 1


cdef bint take(Source *source, unsigned char wanted) noexcept:
    """Take this character, with blanks around it, if it is next."""
    skip_blanks(source)
    if source.at >= source.end or source.at[0] != wanted:
        return False
    source.at += 1
    skip_blanks(source)
    return True


cdef bint decode_value(lua_State *lua, Source *source, int depth) noexcept:
    """Push the next value; False if it is none, or a peculiar one."""
    cdef unsigned char first
    if source.at >= source.end or depth > DEPTH_MAX or not checkstack(lua, ROOM):
        return False
    first = source.at[0]
    if first == c'"':
        return decode_text(lua, source)
    if first == c"{":
        return decode_object(lua, source, depth)
    if first == c"[":
        return decode_array(lua, source, depth)
    if first == c"-" or c"0" <= first <= c"9":
        return decode_number(lua, source)
    if take_word(source, b"true", 4):
        pushboolean(lua, True)
    elif take_word(source, b"false", 5):
        pushboolean(lua, False)
    elif take_word(source, b"null", 4):
        pushvalue(lua, NULL_VALUE)
    else:
        return False
    return True


cdef bint take_word(Source *source, const char *word, int size) noexcept:
    if source.end - source.at < size or memcmp(source.at, word, size) != 0:
        return False
    source.at += size
    return True


cdef bint decode_text(lua_State *lua, Source *source) noexcept:
    """A string without escapes."""
    cdef const unsigned char *first = source.at + 1
    cdef const unsigned char *at = first
    while at < source.end and at[0] != c'"':
        if at[0] == c"\\" or at[0] == 0:
            return False
        at += 1
    if at >= source.end:
        return False
    pushlstring(lua, <const char *> first, at - first)
    source.at = at + 1
    return True


cdef const unsigned char *digits_end(const unsigned char *at, Source *source) noexcept:
    while at < source.end and c"0" <= at[0] <= c"9":
        at += 1
    return at


cdef bint decode_number(lua_State *lua, Source *source) noexcept:
    """A number as JSON writes it; Lua's strings end in a zero, where strtod stops."""
    cdef bint negative = source.at[0] == c"-"
    cdef const unsigned char *first = source.at + negative
    cdef const unsigned char *stop = digits_end(first, source)
    cdef const unsigned char *more
    cdef int64_t whole = 0
    if stop == first or (first[0] == c"0" and stop - first > 1):
        return False
    if stop >= source.end or stop[0] not in (c".", c"e", c"E", c"x", c"X"):
        if stop - first <= EXACT_DIGITS and not (negative and first[0] == c"0"):
            for i in range(stop - first):
                whole = whole * 10 + (first[i] - c"0")
            pushnumber(lua, <double> (-whole if negative else whole))
            source.at = stop
            return True
    elif stop[0] == c".":
        more = digits_end(stop + 1, source)
        if more == stop + 1:
            return False
        stop = more
    if stop < source.end and stop[0] in (c"e", c"E", c"x", c"X"):
        return False
    pushnumber(lua, strtod(<const char *> source.at, NULL))
    source.at = stop
    return True


cdef bint decode_array(lua_State *lua, Source *source, int depth) noexcept:
    cdef int count = 0
    take(source, c"[")
    createtable(lua, 0, 0)
    if take(source, c"]"):
        return True
    while True:
        if not decode_value(lua, source, depth + 1):
            return False
        count += 1
        rawseti(lua, -2, count)
        if take(source, c"]"):
            return True
        if not take(source, c","):
            return False


cdef bint decode_object(lua_State *lua, Source *source, int depth) noexcept:
    take(source, c"{")
    createtable(lua, 0, 0)
    if take(source, c"}"):
        return True
    while True:
        if source.at >= source.end or source.at[0] != c'"' or not decode_text(lua, source):
            return False
        if not take(source, c":") or not decode_value(lua, source, depth + 1):
            return False
        rawset(lua, -3)
        if take(source, c"}"):
            return True
        if not take(source, c","):
            return False


# --- to JSON --------------------------------------------------------------------------------------

cdef int encode_quickly(lua_State *lua) noexcept:
    """encode(value, null): its JSON, or nothing."""
    cdef Text text
    cdef bint done
    text.data = NULL
    text.size = text.room = 0
    pushvalue(lua, 1)
    done = encode_value(lua, &text, 0)
    settop(lua, NULL_VALUE)
    if done:
        pushlstring(lua, text.data, text.size)
    free(text.data)
    return 1 if done else 0


cdef bint encode_value(lua_State *lua, Text *text, int depth) noexcept:
    """Add the value at the top, and take it from the stack; False if it is a peculiar one."""
    cdef int kind = type_at(lua, -1)
    cdef bint done = False
    cdef size_t size = 0
    cdef const char *data
    if kind == STRING_TYPE:
        data = tolstring(lua, -1, &size)
        done = encode_text(text, <const unsigned char *> data, size)
    elif kind == NUMBER_TYPE:
        done = encode_number(text, tonumber(lua, -1))
    elif kind == TABLE_TYPE:
        if depth < DEPTH_MAX and checkstack(lua, ROOM):
            done = encode_table(lua, text, depth)
    elif kind == BOOLEAN_TYPE:
        done = add(text, b"true", 4) if toboolean(lua, -1) else add(text, b"false", 5)
    elif kind == NIL_TYPE or kind == USERDATA_TYPE:
        # Of user data scripts have null alone.
        done = add(text, b"null", 4)
    settop(lua, -2)
    return done


cdef bint encode_number(Text *text, double value) noexcept:
    """As "%.14g" writes it."""
    if not reserve(text, 32):
        return False
    if -SHORT_LIMIT < value < SHORT_LIMIT and value == <double> <int64_t> value:
        if value == 0 and signbit(value):
            return add(text, b"-0", 2)
        text.size += int64_to_string(<int64_t> value, text.data + text.size)
        return True
    if value - value != 0:
        return False
    text.size += snprintf(text.data + text.size, 32, b"%.14g", value)
    return True


cdef bint encode_text(Text *text, const unsigned char *data, size_t size) noexcept:
    """A string in quotes."""
    cdef size_t i
    cdef unsigned char letter
    cdef char *out
    # The longest escape has six characters.
    if not reserve(text, size * 6 + 2):
        return False
    out = text.data + text.size
    out[0] = c'"'
    out += 1
    for i in range(size):
        letter = data[i]
        if letter >= 32 and letter != 127 and letter not in (c'"', c"\\", c"/"):
            out[0] = <char> letter
            out += 1
        else:
            out = escape(out, letter)
    out[0] = c'"'
    text.size = out + 1 - text.data
    return True


cdef char *escape(char *out, unsigned char letter) noexcept:
    """Write the escape of a character; the end of it."""
    cdef const char *digits = b"0123456789abcdef"
    cdef char short_form = 0
    if letter in (c'"', c"\\", c"/"):
        short_form = <char> letter
    elif letter == c"\b":
        short_form = c"b"
    elif letter == c"\f":
        short_form = c"f"
    elif letter == c"\n":
        short_form = c"n"
    elif letter == c"\r":
        short_form = c"r"
    elif letter == c"\t":
        short_form = c"t"
    out[0] = c"\\"
    if short_form:
        out[1] = short_form
        return out + 2
    memcpy(out + 1, b"u00", 3)
    out[4] = digits[letter >> 4]
    out[5] = digits[letter & 15]
    return out + 6


cdef int items_of(lua_State *lua) noexcept:
    """How many items the table at the top has, if its keys are 1, 2, 3 and so on; 0 for any other
    keys; -1 if there are holes.
    """
    cdef int count = 0
    cdef double key, largest = 0
    pushnil(lua)
    while next_pair(lua, -2):
        settop(lua, -2)
        key = tonumber(lua, -1) if type_at(lua, -1) == NUMBER_TYPE else 0
        if key < 1 or key != <double> <int64_t> key:
            settop(lua, -2)
            return 0
        largest = max(largest, key)
        count += 1
    return count if largest == count else -1


cdef bint encode_table(lua_State *lua, Text *text, int depth) noexcept:
    """The table at the top, which stays, as an array or an object."""
    cdef int i
    cdef int count = items_of(lua)
    if count < 0:
        return False
    if count == 0:
        return encode_object(lua, text, depth)
    for i in range(count):
        if not add(text, b"," if i else b"[", 1):
            return False
        rawgeti(lua, -1, i + 1)
        if not encode_value(lua, text, depth + 1):
            return False
    return add(text, b"]", 1)


cdef bint encode_object(lua_State *lua, Text *text, int depth) noexcept:
    cdef bint first = True
    cdef size_t size = 0
    cdef const char *key
    if not add(text, b"{", 1):
        return False
    pushnil(lua)
    while next_pair(lua, -2):
        if type_at(lua, -2) != STRING_TYPE or not (first or add(text, b",", 1)):
            settop(lua, -3)
            return False
        first = False
        key = tolstring(lua, -2, &size)
        if not (
            encode_text(text, <const unsigned char *> key, size)
            and add(text, b":", 1)
            and encode_value(lua, text, depth + 1)
        ):
            settop(lua, -2)
            return False
    return add(text, b"}", 1)
