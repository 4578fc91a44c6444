from enum import IntEnum

MODULE_NAME_CHARACTERS: bytes

class Version(IntEnum):
    RDB_VERSION_MIN = 1
    RDB_VERSION = 12

class Opcode(IntEnum):
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

class ValueKind(IntEnum):
    STRING = 0
    LIST = 1
    SET = 2
    SORTED_SET_TEXT = 3
    HASH = 4
    SORTED_SET = 5
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

class ModuleItem(IntEnum):
    ITEM_END = 0
    ITEM_SIGNED = 1
    ITEM_UNSIGNED = 2
    ITEM_FLOAT = 3
    ITEM_DOUBLE = 4
    ITEM_STRING = 5

def module_type_id(name: str, version: int) -> int: ...
def module_type_name(module_id: int) -> tuple[str, int]: ...
def dump_seal(body: bytes) -> bytes: ...
def dump_open(payload: bytes) -> bytes: ...
