"""The listpack format spelled out, a twin for what is compiled; and what DUMP payloads hold."""

import re
import struct

INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
BACK_LIMITS = (127, 16382, 2097150, 268435454)
WIDTHS = ((16, 0xF1), (24, 0xF2), (32, 0xF3), (64, 0xF4))


class Unsound(Exception):
    """The bytes are no listpack."""


def as_number(text: bytes) -> int | None:
    number = int(text) if INTEGER.fullmatch(text) else None
    return number if number is not None and -(2**63) <= number < 2**63 else None


def back_length(size: int) -> bytes:
    length = 1 + sum(size > limit for limit in BACK_LIMITS)
    groups = [size >> 7 * i & 0x7F for i in reversed(range(length))]
    return bytes([groups[0], *(group | 0x80 for group in groups[1:])])


def encode_number(number: int) -> bytes:
    if 0 <= number < 128:
        return bytes([number])
    if -4096 <= number < 4096:
        return struct.pack(">H", 0xC000 | number & 0x1FFF)
    bits, head = next(w for w in WIDTHS if -(1 << w[0] - 1) <= number < 1 << w[0] - 1)
    return bytes([head]) + number.to_bytes(bits // 8, "little", signed=True)


def encode_text(text: bytes) -> bytes:
    if len(text) < 64:
        return bytes([0x80 | len(text)]) + text
    if len(text) < 4096:
        return struct.pack(">H", 0xE000 | len(text)) + text
    return b"\xf0" + struct.pack("<I", len(text)) + text


def pack(items: list[bytes]) -> bytes:
    """The bytes of a listpack of these elements."""
    body = b""
    for item in items:
        number = as_number(item)
        element = encode_text(item) if number is None else encode_number(number)
        body += element + back_length(len(element))
    return struct.pack("<IH", len(body) + 7, min(len(items), 65535)) + body + b"\xff"


def decode(data: bytes) -> tuple[bytes, int]:
    """The element that the data begin with, and its size without back length."""
    head = data[0]
    if head < 0x80:
        return b"%d" % head, 1
    if head < 0xC0:
        return data[1 : 1 + (head & 63)], 1 + (head & 63)
    if head < 0xE0:
        number = (head & 31) << 8 | data[1]
        return b"%d" % (number - 8192 if number >= 4096 else number), 2
    if head < 0xF0:
        size = (head & 15) << 8 | data[1]
        return data[2 : 2 + size], 2 + size
    if head == 0xF0:
        size = struct.unpack_from("<I", data, 1)[0]
        return data[5 : 5 + size], 5 + size
    for bits, code in WIDTHS:
        if head == code:
            end = 1 + bits // 8
            if len(data) < end:
                raise Unsound
            return b"%d" % int.from_bytes(data[1:end], "little", signed=True), end
    raise Unsound


def unpack(data: bytes) -> list[bytes]:
    """The elements of a listpack; `Unsound` for all other bytes."""
    if len(data) < 7 or data[-1] != 0xFF:
        raise Unsound
    size, count = struct.unpack_from("<IH", data)
    body, items = data[6:-1], []
    while body:
        try:
            item, taken = decode(body)
        except (IndexError, struct.error):
            raise Unsound from None
        back = back_length(taken)
        if body[taken : taken + len(back)] != back:
            raise Unsound
        items.append(item)
        body = body[taken + len(back) :]
    if size != len(data) or count not in (len(items), 65535):
        raise Unsound
    return items


def read_length(data: bytes, at: int) -> tuple[int, int]:
    """A length of the RDB format, and the place behind it."""
    kind = data[at] >> 6
    if kind == 0:
        return data[at] & 63, at + 1
    if kind == 1:
        return (data[at] & 63) << 8 | data[at + 1], at + 2
    if data[at] == 0x80:
        return int.from_bytes(data[at + 1 : at + 5], "big"), at + 5
    raise AssertionError(f"length {data[at]:#x}: is compression off?")


def read_string(data: bytes, at: int) -> tuple[bytes, int]:
    if data[at] >= 0xC0:
        size = 1 << (data[at] & 3)
        return b"%d" % int.from_bytes(data[at + 1 : at + 1 + size], "little", signed=True), (
            at + 1 + size
        )
    size, at = read_length(data, at)
    return data[at : at + size], at + size


def dumped_blob(payload: bytes) -> bytes:
    """The one string that a DUMP payload of a packed hash, set or sorted set consists of."""
    blob, at = read_string(payload, 1)
    assert len(payload) == at + 10
    return blob


def dumped_list(payload: bytes) -> list[tuple[bool, bytes]]:
    """The nodes of a DUMP payload of a list: whether each is plain, and its bytes."""
    assert payload[0] == 18
    count, at = read_length(payload, 1)
    nodes = []
    for _ in range(count):
        container, at = read_length(payload, at)
        blob, at = read_string(payload, at)
        nodes.append((container == 1, blob))
    assert len(payload) == at + 10
    return nodes
