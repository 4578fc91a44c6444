# Gives the classes of replies.py C fields, so that the writer reads them without a look-up.

cdef class Status:
    cdef readonly str text
    cdef readonly bytes line
