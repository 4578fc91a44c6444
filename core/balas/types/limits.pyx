"""Up to which size a collection is kept compact: the options `hash-max-listpack-entries` and so on.

One object for each server. Commands find it as `ctx.limits`, a value that is loaded as
`source.limits`; the composition root keeps it equal to the configuration.
"""

from balas.structures.slabs cimport Slabs


cdef class Limits:
    """Thresholds of the compact encodings, at first those of Redis.

    Attributes:
        hash_entries, hash_value: fields a compact hash may have, bytes of a field or value of it.
        list_size: elements of a node of a list, or with -1 to -5 its bytes (4 to 64 KB).
        list_compress_depth: nodes at each end of a list that would not be compressed.
        set_intset_entries: members of a set of whole numbers.
        set_entries, set_value: members of another compact set, bytes of a member.
        zset_entries, zset_value: the same for sorted sets.
        hll_sparse_bytes: bytes of a sparse HyperLogLog.
        stream_node_bytes, stream_node_entries: size of a node of a stream; 0 sets no limit.
        hash_seed: the secret of the server's hash functions, for what becomes a table.
        slabs: where the entries of such tables stand, those of the whole server.
    """

    def __cinit__(self):
        self.slabs = Slabs()
        self.hash_entries = 512
        self.hash_value = 64
        self.list_size = -2
        self.list_compress_depth = 0
        self.set_intset_entries = 512
        self.set_entries = 128
        self.set_value = 64
        self.zset_entries = 128
        self.zset_value = 64
        self.hll_sparse_bytes = 3000
        self.stream_node_bytes = 4096
        self.stream_node_entries = 100


# The option behind each attribute.
OPTIONS = {
    "hash_entries": "hash-max-listpack-entries",
    "hash_value": "hash-max-listpack-value",
    "list_size": "list-max-listpack-size",
    "list_compress_depth": "list-compress-depth",
    "set_intset_entries": "set-max-intset-entries",
    "set_entries": "set-max-listpack-entries",
    "set_value": "set-max-listpack-value",
    "zset_entries": "zset-max-listpack-entries",
    "zset_value": "zset-max-listpack-value",
    "hll_sparse_bytes": "hll-sparse-max-bytes",
    "stream_node_bytes": "stream-node-max-bytes",
    "stream_node_entries": "stream-node-max-entries",
}
