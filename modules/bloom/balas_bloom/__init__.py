"""Bloom filters: RedisBloom's BF.* commands and its value "MBbloom--".

`_filter` has the bits, `filter` the value, `commands` the commands, `settings` the options.
"""

from collections.abc import Sequence

from balas.api import Attachment, Module, hook
from balas_bloom import commands as filter_commands
from balas_bloom.filter import BloomFilter
from balas_bloom.settings import OPTIONS, from_arguments


class Bloom(Module):
    """The module "bf", with the version of RedisBloom it stands in for."""

    name = "bf"
    version = 20812
    commands = (filter_commands,)
    types = (BloomFilter,)
    options = OPTIONS
    categories = ("bloom",)

    @hook
    def load(self, server: Attachment, arguments: Sequence[bytes]) -> None:
        """Take settings from the arguments, unless the configuration says otherwise."""
        for option, value in from_arguments(arguments):
            if server.option(option.name) == option.default:
                server.call(b"CONFIG", b"SET", option.name.encode(), value)
