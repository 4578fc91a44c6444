from libc.stdint cimport int64_t, uint64_t

from balas.structures.slabs cimport Slabs

cdef class Limits:
    cdef public int64_t hash_entries
    cdef public int64_t hash_value
    cdef public int64_t list_size
    cdef public int64_t list_compress_depth
    cdef public int64_t set_intset_entries
    cdef public int64_t set_entries
    cdef public int64_t set_value
    cdef public int64_t zset_entries
    cdef public int64_t zset_value
    cdef public int64_t hll_sparse_bytes
    cdef public int64_t stream_node_bytes
    cdef public int64_t stream_node_entries
    cdef public uint64_t hash_seed        # of the server's hash tables
    cdef public Slabs slabs               # where their entries stand
