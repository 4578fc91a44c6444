"""Bloom filters: RedisBloom's BF.* commands and its value "MBbloom--".

`_filter` has the bits, `filter` the value, `commands` the commands, `settings` the options.
"""

from balas.api import Module
from balas_bloom import commands as filter_commands
from balas_bloom.filter import BloomFilter
from balas_bloom.settings import OPTIONS


class Bloom(Module):
    """The module "bf", with the version of RedisBloom it stands in for."""

    name = "bf"
    version = 20812
    commands = (filter_commands,)
    types = (BloomFilter,)
    options = OPTIONS
    categories = ("bloom",)
