"""The longest common subsequence of two byte strings.

The textbook table: cell (i, j) holds the length of the longest subsequence that the first i bytes
of one string and the first j of the other have in common. Walking back from the last cell gives one
of the longest; where two ways are equally good, the one that shortens the second string is taken,
as Redis does, so that both find the same one.
"""

from libc.stdint cimport uint32_t
from libc.stdlib cimport calloc, free

# What one cell of the table takes, in bytes.
CELL_SIZE = sizeof(uint32_t)


cdef void fill(
    const unsigned char[::1] a, const unsigned char[::1] b, uint32_t *table
) noexcept nogil:
    """Fill the table, whose first row and column are zero."""
    cdef Py_ssize_t i, j, width = b.shape[0] + 1
    cdef uint32_t *above = table
    cdef uint32_t *row
    for i in range(a.shape[0]):
        row = above + width
        for j in range(b.shape[0]):
            if a[i] == b[j]:
                row[j + 1] = above[j] + 1
            else:
                row[j + 1] = row[j] if row[j] > above[j + 1] else above[j + 1]
        above = row


def table_size(a_size: int, b_size: int) -> int:
    """Bytes of memory that `common_runs` needs for strings of these sizes."""
    return (a_size + 1) * (b_size + 1) * CELL_SIZE


def common_runs(a: bytes | bytearray, b: bytes | bytearray) -> list[tuple[int, int, int]]:
    """One longest common subsequence as its unbroken runs, from the last to the first.

    Each is (index in a, index in b, length). Takes time and memory of the product of both lengths;
    MemoryError if that is not to be had.
    """
    cdef const unsigned char[::1] left = a, right = b
    cdef Py_ssize_t i = left.shape[0], j = right.shape[0], width = right.shape[0] + 1, length
    cdef uint32_t *table = <uint32_t *> calloc((i + 1) * width, sizeof(uint32_t))
    cdef list runs = []
    if table == NULL:
        raise MemoryError
    try:
        with nogil:
            fill(left, right, table)
        while i > 0 and j > 0:
            length = 0
            while i > 0 and j > 0 and left[i - 1] == right[j - 1]:
                length += 1
                i -= 1
                j -= 1
            if length:
                runs.append((i, j, length))
            elif table[(i - 1) * width + j] > table[i * width + j - 1]:
                i -= 1
            else:
                j -= 1
    finally:
        free(table)
    return runs
