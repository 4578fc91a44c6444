"""Products of a vector with the rows of a matrix, wherever they stand in it.

Rows that a filter leaves lie far apart in memory: each is fetched while those before it are
multiplied, and nothing is copied.
"""

import numpy as np

from libc.stdint cimport int64_t

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

    /* Four sums side by side, since each addition waits for the one before it. */
    #define BALAS_PRODUCTS(name, number, vector, stored, attributes) \
        attributes static void name(const number *matrix, size_t dimension, const int64_t *rows, \
                                    size_t count, const number *query, number *out) { \
            enum { LANES = sizeof(vector) / sizeof(number) }; \
            size_t row_bytes = dimension * sizeof(number); \
            for (size_t i = 0; i < count; i++) { \
                const number *row = matrix + (size_t)rows[i] * dimension; \
                if (i + BALAS_ROWS_AHEAD < count) { \
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
                    first += one[0] * other[0]; \
                    second += one[1] * other[1]; \
                    third += one[2] * other[2]; \
                    fourth += one[3] * other[3]; \
                } \
                vector sum = (first + second) + (third + fourth); \
                number total = 0; \
                for (int lane = 0; lane < LANES; lane++) total += sum[lane]; \
                for (; at < dimension; at++) total += row[at] * query[at]; \
                out[i] = total; \
            } \
        }
    BALAS_PRODUCTS(balas_float_products_plain, float, balas_floats, balas_float_row, )
    BALAS_PRODUCTS(balas_double_products_plain, double, balas_doubles, balas_double_row, )
    #if defined(__x86_64__)
    #define BALAS_WIDE __attribute__((target("avx2,fma")))
    BALAS_PRODUCTS(balas_float_products_wide, float, balas_floats, balas_float_row, BALAS_WIDE)
    BALAS_PRODUCTS(balas_double_products_wide, double, balas_doubles, balas_double_row, BALAS_WIDE)
    #define BALAS_IS_WIDE (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    #else
    #define balas_float_products_wide balas_float_products_plain
    #define balas_double_products_wide balas_double_products_plain
    #define BALAS_IS_WIDE 0
    #endif
    static void balas_float_products(const float *matrix, size_t dimension, const int64_t *rows,
                                     size_t count, const float *query, float *out) {
        (BALAS_IS_WIDE ? balas_float_products_wide : balas_float_products_plain)(
            matrix, dimension, rows, count, query, out);
    }
    static void balas_double_products(const double *matrix, size_t dimension, const int64_t *rows,
                                      size_t count, const double *query, double *out) {
        (BALAS_IS_WIDE ? balas_double_products_wide : balas_double_products_plain)(
            matrix, dimension, rows, count, query, out);
    }
    """
    void balas_float_products(const float *matrix, size_t dimension, const int64_t *rows,
                              size_t count, const float *query, float *out) noexcept nogil
    void balas_double_products(const double *matrix, size_t dimension, const int64_t *rows,
                               size_t count, const double *query, double *out) noexcept nogil


def of_floats(const float[:, ::1] matrix not None, const int64_t[::1] rows not None,
              const float[::1] query not None) -> np.ndarray:
    """The product of the query and each of these rows (float32)."""
    found = np.empty(rows.shape[0], np.float32)
    cdef float[::1] out = found
    check(matrix.shape[0], matrix.shape[1], rows, query.shape[0])
    if rows.shape[0]:
        with nogil:
            balas_float_products(&matrix[0, 0], matrix.shape[1], &rows[0], rows.shape[0],
                                 &query[0], &out[0])
    return found


def of_doubles(const double[:, ::1] matrix not None, const int64_t[::1] rows not None,
               const double[::1] query not None) -> np.ndarray:
    """The product of the query and each of these rows (float64)."""
    found = np.empty(rows.shape[0], np.float64)
    cdef double[::1] out = found
    check(matrix.shape[0], matrix.shape[1], rows, query.shape[0])
    if rows.shape[0]:
        with nogil:
            balas_double_products(&matrix[0, 0], matrix.shape[1], &rows[0], rows.shape[0],
                                  &query[0], &out[0])
    return found


cdef int check(Py_ssize_t height, Py_ssize_t width, const int64_t[::1] rows,
               Py_ssize_t dimension) except -1:
    """Raise IndexError or ValueError for what would be read beyond the matrix or the query."""
    cdef Py_ssize_t i
    if width != dimension or width == 0:
        raise ValueError(f"rows of {width} numbers, a query of {dimension}")
    for i in range(rows.shape[0]):
        if not 0 <= rows[i] < height:
            raise IndexError(f"row {rows[i]} of {height}")
    return 0
