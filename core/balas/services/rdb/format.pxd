from libc.stdint cimport uint64_t

# The version in a file's header: Redis 8.2 writes 12; files of every older one are read.
cpdef enum Version:
    RDB_VERSION_MIN = 1
    RDB_VERSION = 12

# The byte before every item of a file. Smaller numbers than these tell the type of a value.
cpdef enum Opcode:
    SLOT_INFO = 244
    FUNCTION = 245
    FUNCTION_BEFORE_RELEASE = 246
    MODULE_AUX = 247
    IDLE = 248
    FREQUENCY = 249
    AUX = 250
    RESIZE_DB = 251
    EXPIRE_MS = 252
    EXPIRE_S = 253
    SELECT_DB = 254
    END = 255

# How a value is written. The names are those of the encodings at the time each was introduced.
cpdef enum ValueKind:
    STRING = 0
    LIST = 1
    SET = 2
    SORTED_SET_TEXT = 3             # scores as text
    HASH = 4
    SORTED_SET = 5                  # scores as doubles
    MODULE_BEFORE_RELEASE = 6
    MODULE = 7
    HASH_ZIPMAP = 9
    LIST_ZIPLIST = 10
    SET_INTSET = 11
    SORTED_SET_ZIPLIST = 12
    HASH_ZIPLIST = 13
    LIST_QUICKLIST_ZIPLISTS = 14
    STREAM = 15
    HASH_LISTPACK = 16
    SORTED_SET_LISTPACK = 17
    LIST_QUICKLIST = 18
    STREAM_2 = 19
    SET_LISTPACK = 20
    STREAM_3 = 21
    HASH_FIELD_TTL_BEFORE_RELEASE = 22
    HASH_LISTPACK_FIELD_TTL_BEFORE_RELEASE = 23
    HASH_FIELD_TTL = 24
    HASH_LISTPACK_FIELD_TTL = 25

# The kinds of items in a module's value.
cpdef enum ModuleItem:
    ITEM_END = 0
    ITEM_SIGNED = 1
    ITEM_UNSIGNED = 2
    ITEM_FLOAT = 3
    ITEM_DOUBLE = 4
    ITEM_STRING = 5

# The two upper bits of a length's first byte; with both set, the rest tells of a string in
# disguise.
cdef enum:
    LENGTH_6_BITS = 0x00
    LENGTH_14_BITS = 0x40
    LENGTH_32_BITS = 0x80
    LENGTH_64_BITS = 0x81
    STRING_INT8 = 0xc0
    STRING_INT16 = 0xc1
    STRING_INT32 = 0xc2
    STRING_LZF = 0xc3

cdef uint64_t module_id_of(bytes name, int version) except? 0
