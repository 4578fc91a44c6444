"""Values that are let go: what their memory costs to free, and when that is put off.

Freeing a big collection takes as long as it has parts, and freeing a long string as long as it has
pages, for the system takes them back one by one. Where laziness is asked for, such values wait in a
list and are freed in steps (`Database.free_retired`).
"""

from cpython.bytearray cimport (
    PyByteArray_AS_STRING, PyByteArray_CheckExact, PyByteArray_GET_SIZE,
)
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.ref cimport PyObject, _Py_REFCNT

from balas.keyspace.entries cimport OBJECT, Entry, object_of
from balas.structures.allocator cimport LARGE_BLOCK, PAGE_BYTES, forget_pages
from balas.types.value cimport Value

cdef enum:
    # Freeing a value of more than this many allocations is put off.
    LAZY_EFFORT = 64
    # So is freeing a string of this length.
    LAZY_LENGTH = 1 << 20


cdef inline char *text_of(PyObject *held, size_t *size) noexcept:
    """The bytes of a string; NULL for any other object."""
    if PyBytes_CheckExact(<object> held):
        size[0] = PyBytes_GET_SIZE(<object> held)
        return PyBytes_AS_STRING(<object> held)
    if PyByteArray_CheckExact(<object> held):
        size[0] = PyByteArray_GET_SIZE(<object> held)
        return PyByteArray_AS_STRING(<object> held)
    return NULL


cdef void give_up_pages(const Entry *entry) noexcept:
    """Return the memory of a long string that is about to go for good, if nobody else holds it."""
    cdef PyObject *held
    cdef char *text
    cdef size_t size = 0
    if entry.kind != OBJECT:
        return
    held = object_of(entry)
    if _Py_REFCNT(held) == 1:
        text = text_of(held, &size)
        if size >= LARGE_BLOCK:
            forget_pages(text, size)


cdef bint put_off(PyObject *held, list waiting) noexcept:
    """Have a value freed in steps if it takes long to free; whether it does."""
    cdef size_t size = 0
    if text_of(held, &size) != NULL:
        if size < LAZY_LENGTH or _Py_REFCNT(held) > 1:
            return False
        waiting.append(RetiredText(<object> held))
        return True
    if not isinstance(<object> held, Value) or (<Value> held).free_effort() <= LAZY_EFFORT:
        return False
    waiting.append(<object> held)
    return True


cdef class RetiredText:
    """A long string that nobody else holds, whose memory is returned page by page."""

    cdef object text
    cdef size_t done

    def __init__(self, text):
        self.text = text

    def free_step(self, effort: int) -> bool:
        """Return about so many pages; True while there are more."""
        cdef size_t size = 0, step = effort * PAGE_BYTES
        cdef char *text = text_of(<PyObject *> self.text, &size)
        step = min(step, size - self.done)
        # Whole pages only go if both ends are within the step.
        forget_pages(text + self.done, min(step + PAGE_BYTES, size - self.done))
        self.done += step
        return self.done < size
