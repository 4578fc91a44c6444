"""Probabilistic structures: RedisBloom's commands and its values.

Each structure has a kernel, a value and its commands: `_filter`, `filter` and `commands` are the
Bloom filter's (BF.*), `_cuckoo`, `cuckoo` and `cuckoo_commands` the cuckoo filter's (CF.*). The
count-min sketch (CMS.*) is `_sketch` and so on. `settings` has the options.
"""

from collections.abc import Sequence

from balas.api import Attachment, Module, hook
from balas_bloom import commands as filter_commands
from balas_bloom import (
    cuckoo_commands,
    merging,
    sketch_commands,
    tdigest_commands,
    topk_commands,
)
from balas_bloom.cuckoo import CuckooFilter
from balas_bloom.filter import BloomFilter
from balas_bloom.settings import OPTIONS, from_arguments
from balas_bloom.sketch import CountMinSketch
from balas_bloom.tdigest import TDigest
from balas_bloom.topk import TopK


class Bloom(Module):
    """The module "bf", with the version of RedisBloom it stands in for."""

    name = "bf"
    version = 20812
    commands = (
        *(filter_commands, cuckoo_commands, merging),
        *(sketch_commands, topk_commands, tdigest_commands),
    )
    types = (BloomFilter, CuckooFilter, CountMinSketch, TopK, TDigest)
    options = OPTIONS
    categories = ("bloom", "cuckoo", "cms", "topk", "tdigest")

    @hook
    def load(self, server: Attachment, arguments: Sequence[bytes]) -> None:
        """Take settings from the arguments, unless the configuration says otherwise."""
        for option, value in from_arguments(arguments):
            if server.option(option.name) == option.default:
                server.call(b"CONFIG", b"SET", option.name.encode(), value)
