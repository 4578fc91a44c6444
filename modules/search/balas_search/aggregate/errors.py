"""What goes wrong with a single row."""


class RowError(Exception):
    """An expression has no value for a row. The row, and all behind it, are not returned."""
