"""Ziplists and zipmaps in the bytes of older servers, written the slow way for tests."""

import struct
from collections.abc import Iterable

# A number that an older server kept as text stands here as bytes.
Item = bytes | int


def ziplist(items: Iterable[Item], count: int | None = None) -> bytes:
    """A ziplist of these items; `count` in its head stands for another one."""
    body, before, last, number = b"", 0, 10, 0
    for item in items:
        last = 10 + len(body)
        size = struct.pack("B", before) if before < 254 else struct.pack("<BI", 254, before)
        entry = size + (number_entry(item) if isinstance(item, int) else text_entry(item))
        body += entry
        before = len(entry)
        number += 1
    head = struct.pack("<IIH", 11 + len(body), last, number if count is None else count)
    return head + body + b"\xff"


def text_entry(text: bytes) -> bytes:
    if len(text) < 1 << 6:
        return bytes([len(text)]) + text
    if len(text) < 1 << 14:
        return struct.pack(">H", 0x4000 | len(text)) + text
    return b"\x80" + struct.pack(">I", len(text)) + text


def number_entry(number: int) -> bytes:
    if 0 <= number <= 12:
        return bytes([0xF1 + number])
    for head, width in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4)):
        if -(1 << 8 * width - 1) <= number < 1 << 8 * width - 1:
            return bytes([head]) + number.to_bytes(width, "little", signed=True)
    return b"\xe0" + struct.pack("<q", number)


def zipmap(pairs: Iterable[tuple[bytes, bytes]], unused: int = 0) -> bytes:
    """A zipmap of these pairs, with so many unused bytes after each value."""
    body, count = b"", 0
    for field, value in pairs:
        body += zipmap_length(field) + field + zipmap_length(value)
        body += bytes([unused]) + value + b"\xee" * unused
        count += 1
    return bytes([min(count, 254)]) + body + b"\xff"


def zipmap_length(text: bytes) -> bytes:
    return bytes([len(text)]) if len(text) < 254 else struct.pack("<BI", 254, len(text))
