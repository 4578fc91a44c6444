"""The numbers of the RDB format, module type ids, and the seal of DUMP payloads.

A file is `REDIS0012`, then items, each opened by an opcode, then END and a CRC-64 over all before
it. A key is its attributes (expiry, idle time or frequency), the kind of its value, its name, its
value.
"""

from libc.string cimport memcmp

from balas.errors import BadData

from balas.structures.crc64 cimport crc64_update


# 64 characters: each of the nine in a module type's name is worth six bits of its id.
MODULE_NAME_CHARACTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

cdef enum:
    NAME_SIZE = 9
    VERSION_BITS = 10
    # A DUMP payload ends with the version in two bytes and the sum in eight, lowest byte first.
    SEAL_SIZE = 10


cdef uint64_t module_id_of(bytes name, int version) except? 0:
    cdef uint64_t result = 0
    cdef int place
    if len(name) != NAME_SIZE:
        raise ValueError(f"a module type's name has nine characters, unlike {name!r}")
    if not 0 <= version < 1 << VERSION_BITS:
        raise ValueError(f"a module type's version is 0 to 1023, unlike {version}")
    for byte in name:
        place = MODULE_NAME_CHARACTERS.find(byte)
        if place < 0:
            raise ValueError(f"a module type's name has only A-Z a-z 0-9 - _, unlike {name!r}")
        result = (result << 6) | place
    return (result << VERSION_BITS) | version


def module_type_id(str name not None, int version):
    """The 64 bits that stand for a module type in files: its nine characters and its version.

    ValueError for another length, another character than `A-Za-z0-9-_`, or a version beyond 1023.
    """
    return module_id_of(name.encode(), version)


def module_type_name(uint64_t module_id):
    """The name and the version in a module type's id."""
    cdef int i
    characters = []
    for i in range(NAME_SIZE - 1, -1, -1):
        characters.append(MODULE_NAME_CHARACTERS[(module_id >> (VERSION_BITS + 6 * i)) & 63])
    return bytes(characters).decode(), int(module_id & ((1 << VERSION_BITS) - 1))


def dump_seal(bytes body not None):
    """The DUMP payload for a value: its kind and content, the format's version, and the CRC-64."""
    cdef uint64_t crc
    sealed = body + bytes([RDB_VERSION & 0xff, RDB_VERSION >> 8])
    crc = crc64_update(0, sealed, len(sealed))
    return sealed + (<object>crc).to_bytes(8, "little")


def dump_open(bytes payload not None):
    """The kind and content of a value out of its DUMP payload; `BadData` if the seal is wrong."""
    cdef Py_ssize_t n = len(payload)
    cdef const unsigned char *text = payload
    cdef uint64_t crc
    if n < SEAL_SIZE + 1:
        raise BadData(f"a DUMP payload of {n} bytes is too short")
    version = text[n - 10] | (text[n - 9] << 8)
    if version > RDB_VERSION:
        raise BadData(f"a DUMP payload of version {version} is too new")
    crc = crc64_update(0, text, n - 8)
    if memcmp(&crc, text + n - 8, 8) != 0:
        raise BadData("wrong checksum of a DUMP payload")
    return payload[: n - SEAL_SIZE]
