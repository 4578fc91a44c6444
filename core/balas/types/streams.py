"""What a module's value is saved to and loaded from.

Two protocols, because their implementations (in `balas.services.rdb`) are compiled and cannot
inherit from a Python class. A value is saved as a row of items; loading must ask for the same kinds
in the same order, and every item carries its kind in the file, so asking for the wrong one is found
out (`BadData`) and a value whose module is missing can be stepped over. The items are those of
Redis's own module values.
"""

from typing import Protocol


class SaveStream(Protocol):
    """Takes the items of one value, in the order in which they will be loaded.

    Example:
        >>> def save_pair(out: SaveStream, number: int, text: bytes) -> None:
        ...     out.save_unsigned(number)
        ...     out.save_string(text)
    """

    def save_unsigned(self, value: int) -> None:
        """Save a whole number from 0 to 2**64 - 1 in 1 to 9 bytes; OverflowError beyond."""

    def save_signed(self, value: int) -> None:
        """Save a whole number of 64 bits; OverflowError beyond. A negative one takes 9 bytes."""

    def save_double(self, value: float) -> None:
        """Save a 64-bit float, exactly: infinities and NaN as well."""

    def save_float(self, value: float) -> None:
        """Save a float rounded to 32 bits."""

    def save_string(self, value: bytes | bytearray | memoryview) -> None:
        """Save bytes of any length and content."""


class LoadStream(Protocol):
    """Gives back the items of one value; `BadData` when the next item is not what is asked for.

    Example:
        >>> def load_pair(source: LoadStream) -> tuple[int, bytes]:
        ...     return source.load_unsigned(), source.load_string()
    """

    def load_unsigned(self) -> int:
        """Load what `save_unsigned` saved."""

    def load_signed(self) -> int:
        """Load what `save_signed` saved."""

    def load_double(self) -> float:
        """Load what `save_double` saved."""

    def load_float(self) -> float:
        """Load what `save_float` saved."""

    def load_string(self) -> bytes:
        """Load what `save_string` saved."""
