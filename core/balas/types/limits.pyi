from balas.structures.slabs import Slabs

OPTIONS: dict[str, str]

class Limits:
    hash_entries: int
    hash_value: int
    list_size: int
    list_compress_depth: int
    set_intset_entries: int
    set_entries: int
    set_value: int
    zset_entries: int
    zset_value: int
    hll_sparse_bytes: int
    stream_node_bytes: int
    stream_node_entries: int
    hash_seed: int
    slabs: Slabs
