"""Terms within a few edits of a word.

Walks the terms in order and keeps, for every length of the term before, the row of the edit
distance: a term only needs new rows for what it does not share with its predecessor, and is given
up as soon as a row holds nothing small enough.
"""

cdef enum:
    LENGTH_MAX = 256


def within(list terms not None, bytes word not None, int distance, int at_most) -> list:
    """Those of `terms` (sorted) that are at most `distance` edits from `word`; no more than
    `at_most`, in order.
    """
    cdef unsigned char rows[LENGTH_MAX + 1][LENGTH_MAX + 1]
    cdef str wanted = word.decode("utf-8", "surrogateescape")
    cdef str before = ""
    cdef str term
    cdef Py_ssize_t width = len(wanted)
    cdef Py_ssize_t length
    cdef Py_ssize_t valid = 0      # rows that hold for `before`
    cdef Py_ssize_t shared
    cdef Py_ssize_t i
    cdef Py_ssize_t j
    cdef int least
    cdef int value
    cdef Py_UCS4 letter
    found = []
    if width > LENGTH_MAX - 4:
        return found
    for j in range(width + 1):
        rows[0][j] = <unsigned char> min(j, 255)
    for raw in terms:
        term = (<bytes> raw).decode("utf-8", "surrogateescape")
        length = len(term)
        shared = 0
        while shared < valid and shared < length and term[shared] == before[shared]:
            shared += 1
        before = term
        valid = shared
        least = 0
        for i in range(shared, min(length, width + distance)):
            letter = term[i]
            rows[i + 1][0] = <unsigned char> (i + 1)
            least = i + 1
            for j in range(width):
                value = rows[i][j] + (wanted[j] != letter)
                if rows[i][j + 1] + 1 < value:
                    value = rows[i][j + 1] + 1
                if rows[i + 1][j] + 1 < value:
                    value = rows[i + 1][j] + 1
                rows[i + 1][j + 1] = <unsigned char> value
                if value < least:
                    least = value
            if least > distance:
                break
            valid = i + 1
        if valid == length and rows[length][width] <= distance:
            found.append(raw)
            if len(found) == at_most:
                break
    return found
