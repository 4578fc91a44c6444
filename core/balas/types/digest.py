"""Digests of values and data sets: equal content gives equal digests, in Balas and in Redis (DEBUG
DIGEST).
"""

from hashlib import sha1

ZERO = bytes(20)


def exclusive_or(a: bytes, b: bytes) -> bytes:
    """The 20 bytes of `a` xor `b`."""
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).to_bytes(20, "big")


class Digest:
    """Twenty bytes that sum up what was added.

    `add` depends on the order of calls, `add_unordered` does not: use it for members of a set or
    fields of a hash, with one inner digest for each.

    Example:
        >>> one, other = Digest(), Digest()
        >>> for part in (b"a", b"b"):
        ...     one.add_unordered(part)
        >>> for part in (b"b", b"a"):
        ...     other.add_unordered(part)
        >>> one.hex() == other.hex()
        True
    """

    def __init__(self) -> None:
        self.value = ZERO

    def add(self, data: bytes) -> None:
        """Mix in `data`; the order of calls counts."""
        self.value = sha1(exclusive_or(self.value, sha1(data).digest())).digest()

    def add_unordered(self, data: bytes) -> None:
        """Mix in `data`; the order of calls does not count."""
        self.value = exclusive_or(self.value, sha1(data).digest())

    def hex(self) -> str:
        """Forty hexadecimal digits."""
        return self.value.hex()
