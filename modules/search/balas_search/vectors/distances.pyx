"""Distances of a vector from the rows of a matrix, and which rows are nearest.

Rows that a filter leaves lie far apart in memory: each is fetched while those before it are
measured, and nothing is copied. Of many distances only as many are kept as are asked for.
"""

import numpy as np

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free, malloc, qsort

cdef extern from *:
    """
    #include <stddef.h>
    #include <stdint.h>

    /* Rows that are fetched ahead. */
    enum { BALAS_ROWS_AHEAD = 3 };
    typedef float balas_floats __attribute__((vector_size(32)));
    typedef double balas_doubles __attribute__((vector_size(32)));
    /* The same, where they stand in a matrix. */
    typedef float balas_float_row __attribute__((vector_size(32), aligned(4), may_alias));
    typedef double balas_double_row __attribute__((vector_size(32), aligned(8), may_alias));

    #define BALAS_MULTIPLIED(number, sum, one, other) sum += (one) * (other)
    #define BALAS_APART(number, sum, one, other) \
        do { number apart = (one) - (other); sum += apart * apart; } while (0)

    /* What rows have in common with the query, or how far away they are; `rows` NULL stands for
       all from the first on. Four sums side by side, since each addition waits for the one before.
       */
    #define BALAS_MEASURE(name, each, number, vector, stored, attributes) \
        attributes static void name(const number *matrix, size_t dimension, const int32_t *rows, \
                                    size_t count, const number *query, number *out) { \
            enum { LANES = sizeof(vector) / sizeof(number) }; \
            size_t row_bytes = dimension * sizeof(number); \
            for (size_t i = 0; i < count; i++) { \
                const number *row = matrix + (rows ? (size_t)rows[i] : i) * dimension; \
                if (rows && i + BALAS_ROWS_AHEAD < count) { \
                    const char *ahead = (const char *)(matrix \
                        + (size_t)rows[i + BALAS_ROWS_AHEAD] * dimension); \
                    for (size_t at = 0; at < row_bytes; at += 64) \
                        __builtin_prefetch(ahead + at); \
                } \
                vector first = {0}, second = {0}, third = {0}, fourth = {0}; \
                size_t at = 0; \
                for (; at + 4 * LANES <= dimension; at += 4 * LANES) { \
                    const stored *one = (const stored *)(row + at); \
                    const stored *other = (const stored *)(query + at); \
                    each(vector, first, one[0], other[0]); \
                    each(vector, second, one[1], other[1]); \
                    each(vector, third, one[2], other[2]); \
                    each(vector, fourth, one[3], other[3]); \
                } \
                vector sum = (first + second) + (third + fourth); \
                number total = 0; \
                for (int lane = 0; lane < LANES; lane++) total += sum[lane]; \
                for (; at < dimension; at++) each(number, total, row[at], query[at]); \
                out[i] = total; \
            } \
        }
    #define BALAS_MEASURES(suffix, attributes) \
        BALAS_MEASURE(balas_float_products_##suffix, BALAS_MULTIPLIED, float, balas_floats, \
                      balas_float_row, attributes) \
        BALAS_MEASURE(balas_float_squares_##suffix, BALAS_APART, float, balas_floats, \
                      balas_float_row, attributes) \
        BALAS_MEASURE(balas_double_products_##suffix, BALAS_MULTIPLIED, double, balas_doubles, \
                      balas_double_row, attributes) \
        BALAS_MEASURE(balas_double_squares_##suffix, BALAS_APART, double, balas_doubles, \
                      balas_double_row, attributes)
    BALAS_MEASURES(plain, )
    #if defined(__x86_64__)
    BALAS_MEASURES(wide, __attribute__((target("avx2,fma"))))
    #define BALAS_IS_WIDE (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    #define BALAS_BEST(name) (BALAS_IS_WIDE ? name##_wide : name##_plain)
    #else
    #define BALAS_BEST(name) name##_plain
    #endif
    static void balas_measure_floats(int squares, const float *matrix, size_t dimension,
                                     const int32_t *rows, size_t count, const float *query,
                                     float *out) {
        (squares ? BALAS_BEST(balas_float_squares) : BALAS_BEST(balas_float_products))(
            matrix, dimension, rows, count, query, out);
    }
    static void balas_measure_doubles(int squares, const double *matrix, size_t dimension,
                                      const int32_t *rows, size_t count, const double *query,
                                      double *out) {
        (squares ? BALAS_BEST(balas_double_squares) : BALAS_BEST(balas_double_products))(
            matrix, dimension, rows, count, query, out);
    }
    """
    void balas_measure_floats(int squares, const float *matrix, size_t dimension,
                              const int32_t *rows, size_t count, const float *query,
                              float *out) noexcept nogil
    void balas_measure_doubles(int squares, const double *matrix, size_t dimension,
                               const int32_t *rows, size_t count, const double *query,
                               double *out) noexcept nogil

cdef enum:
    # So many rows are measured before the nearest of them are picked.
    BLOCK = 256
    # Rows that are a larger part of all than one in so many are measured with those between them:
    # memory is read faster in one go.
    DENSE_SHARE = 3

# The type of the matrix and of the query.
ctypedef fused real:
    float
    double


cdef struct Candidate:
    # A document and its distance.
    double apart
    uint32_t doc


cdef inline bint before(const Candidate *one, const Candidate *other) noexcept nogil:
    """Whether it is nearer, or as near with a lower id; what is no number is farthest."""
    if one.apart < other.apart:
        return True
    if one.apart > other.apart:
        return False
    if (one.apart != one.apart) != (other.apart != other.apart):
        return other.apart != other.apart
    return one.doc < other.doc


cdef int in_order(const void *one, const void *other) noexcept nogil:
    """The same, for qsort."""
    return -1 if before(<const Candidate *>one, <const Candidate *>other) else 1


cdef void offer(Candidate *heap, Py_ssize_t size, Candidate new) noexcept nogil:
    """Put a candidate in the place of the farthest, which is on top."""
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t child
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and before(&heap[child], &heap[child + 1]):
            child += 1
        if not before(&new, &heap[child]):
            break
        heap[at] = heap[child]
        at = child
    heap[at] = new


cdef void add(Candidate *heap, Py_ssize_t size, Candidate new) noexcept nogil:
    """Add a candidate to those of a heap that is not full."""
    cdef Py_ssize_t at = size
    cdef Py_ssize_t above
    while at:
        above = (at - 1) // 2
        if not before(&heap[above], &new):
            break
        heap[at] = heap[above]
        at = above
    heap[at] = new


cdef void measure(bint squares, const real *matrix, Py_ssize_t dimension, const int32_t *rows,
                  Py_ssize_t count, const real *query, real *out) noexcept nogil:
    """Distances of some rows, or of so many from the first on if `rows` is NULL."""
    cdef Py_ssize_t i
    if real is float:
        balas_measure_floats(squares, matrix, dimension, rows, count, query, out)
    else:
        balas_measure_doubles(squares, matrix, dimension, rows, count, query, out)
    if not squares:
        for i in range(count):
            out[i] = 1 - out[i]


cdef Py_ssize_t pick(bint squares, const real *matrix, Py_ssize_t dimension, const uint32_t *docs,
                     const int32_t *rows, const uint8_t *chosen, Py_ssize_t begin,
                     Py_ssize_t total, const real *query, Candidate *heap, Py_ssize_t size,
                     Py_ssize_t count, uint32_t gone) noexcept nogil:
    """Put the nearest of the rows from `begin` to `total` into a heap of `size`, without free ones
    and those that are not `chosen`.

    Returns how many it then holds, at most `count`.
    """
    cdef real[BLOCK] distances
    cdef Candidate new
    cdef Py_ssize_t i, block
    while begin < total:
        block = min(<Py_ssize_t>BLOCK, total - begin)
        if rows == NULL:
            measure(squares, matrix + begin * dimension, dimension, NULL, block, query, distances)
        else:
            measure(squares, matrix, dimension, rows + begin, block, query, distances)
        for i in range(block):
            if size == count and distances[i] > heap[0].apart:
                continue
            if chosen != NULL and not chosen[begin + i]:
                continue
            new.doc = docs[begin + i if rows == NULL else rows[begin + i]]
            if new.doc == gone:
                continue
            new.apart = distances[i]
            if size < count:
                add(heap, size, new)
                size += 1
            elif before(&new, &heap[0]):
                offer(heap, size, new)
        begin += block
    return size


cdef tuple nearest_rows(const real *matrix, Py_ssize_t dimension, const uint32_t *docs,
                        const int32_t *rows, const uint8_t *chosen, Py_ssize_t total,
                        const real *query, Py_ssize_t count, bint squares, uint32_t gone,
                        check_time, Py_ssize_t some):
    """The documents of the nearest of these rows, nearest first, and their distances."""
    cdef Candidate *heap
    cdef Py_ssize_t size = 0
    cdef Py_ssize_t begin = 0
    cdef Py_ssize_t end
    cdef Py_ssize_t i
    cdef uint32_t[::1] found
    cdef double[::1] apart
    count = min(count, total)
    heap = <Candidate *>malloc(max(count, 1) * sizeof(Candidate))
    if heap == NULL:
        raise MemoryError
    try:
        if count > 0:
            while begin < total:
                if begin:
                    check_time()
                end = min(begin + max(some, 1), total)
                with nogil:
                    size = pick(squares, matrix, dimension, docs, rows, chosen, begin, end, query,
                                heap, size, count, gone)
                begin = end
            qsort(heap, size, sizeof(Candidate), in_order)
        found_docs, distances = np.empty(size, np.uint32), np.empty(size)
        found, apart = found_docs, distances
        for i in range(size):
            found[i] = heap[i].doc
            apart[i] = heap[i].apart
        return found_docs, distances
    finally:
        free(heap)


def nearest(const real[:, ::1] matrix not None, const uint32_t[::1] docs not None,
            Py_ssize_t used, const real[::1] query not None, Py_ssize_t count, bint squares,
            uint32_t gone, check_time, Py_ssize_t some):
    """The documents of the `count` nearest of the first `used` rows, and their distances.

    The nearest come first, of those as near the lower id; a row of the document `gone` is free.
    Distances are squares (L2), or 1 less the product. `check_time` is called after each `some` rows
    (at least 1) that were looked at; what it raises ends this.
    """
    check_size(matrix.shape[0], matrix.shape[1], query.shape[0])
    if not 0 <= used <= min(matrix.shape[0], docs.shape[0]):
        raise IndexError(f"{used} rows of {matrix.shape[0]}")
    return nearest_rows(&matrix[0, 0], matrix.shape[1], &docs[0], NULL, NULL, used, &query[0],
                        count, squares, gone, check_time, some)


def nearest_among(const real[:, ::1] matrix not None, const uint32_t[::1] docs not None,
                  const int32_t[::1] row_of not None, const uint32_t[::1] among not None,
                  const real[::1] query not None, Py_ssize_t count, bint squares, uint32_t gone,
                  check_time, Py_ssize_t some):
    """The same, of the rows that some documents have: `row_of` them, where that is not -1."""
    cdef Py_ssize_t total = 0
    cdef Py_ssize_t used = 0
    cdef Py_ssize_t i
    cdef int32_t *rows
    cdef uint8_t *chosen = NULL
    check_size(matrix.shape[0], matrix.shape[1], query.shape[0])
    rows = <int32_t *>malloc(max(among.shape[0], 1) * sizeof(int32_t))
    if rows == NULL:
        raise MemoryError
    try:
        for i in range(among.shape[0]):
            if among[i] < row_of.shape[0] and row_of[among[i]] >= 0:
                rows[total] = row_of[among[i]]
                if rows[total] >= min(matrix.shape[0], docs.shape[0]):
                    raise IndexError(f"row {rows[total]} of {matrix.shape[0]}")
                used = max(used, rows[total] + 1)
                total += 1
        if total * DENSE_SHARE < used:
            return nearest_rows(&matrix[0, 0], matrix.shape[1], &docs[0], rows, NULL, total,
                                &query[0], count, squares, gone, check_time, some)
        chosen = <uint8_t *>calloc(used, 1)
        if chosen == NULL:
            raise MemoryError
        for i in range(total):
            chosen[rows[i]] = 1
        return nearest_rows(&matrix[0, 0], matrix.shape[1], &docs[0], NULL, chosen, used,
                            &query[0], count, squares, gone, check_time, some)
    finally:
        free(chosen)
        free(rows)


def measured(const real[:, ::1] matrix not None, const int32_t[::1] rows,
             const real[::1] query not None, bint squares):
    """The distances of some rows from the query, or without `rows` those of all."""
    cdef Py_ssize_t total = matrix.shape[0] if rows is None else rows.shape[0]
    cdef Py_ssize_t i
    cdef real[::1] out
    found = np.empty(total, np.float32 if real is float else np.float64)
    if not total:
        return found
    check_size(matrix.shape[0], matrix.shape[1], query.shape[0])
    out = found
    if rows is None:
        with nogil:
            measure(squares, &matrix[0, 0], matrix.shape[1], NULL, total, &query[0], &out[0])
        return found
    for i in range(total):
        if not 0 <= rows[i] < matrix.shape[0]:
            raise IndexError(f"row {rows[i]} of {matrix.shape[0]}")
    with nogil:
        measure(squares, &matrix[0, 0], matrix.shape[1], &rows[0], total, &query[0], &out[0])
    return found


cdef int check_size(Py_ssize_t height, Py_ssize_t width, Py_ssize_t dimension) except -1:
    """Raise ValueError for what would be read beyond the matrix or the query."""
    if width != dimension or width == 0 or height == 0:
        raise ValueError(f"{height} rows of {width} numbers, a query of {dimension}")
    return 0
