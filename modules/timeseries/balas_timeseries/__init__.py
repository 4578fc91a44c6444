"""Time series: RedisTimeSeries' commands on compressed samples.

`_chunk` is the codec, `_samples` a row of chunks, `series` the value of the keyspace.
`_aggregation` puts samples together: for queries (`ranges`, `queries`) and for rules (`rule`,
`compaction`).
`registry` knows all series by key and by label (`labels`). `commands` are those that change series.
How it works is described in docs/timeseries-internals.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from balas.api import Attachment, LoadStream, Module, SaveStream, hook
from balas_timeseries import commands, information, queries
from balas_timeseries import rule_commands as rules
from balas_timeseries.registry import Registry
from balas_timeseries.series import Series
from balas_timeseries.settings import OPTIONS, from_arguments


class TimeSeries(Module):
    """The module "timeseries", with the version of RedisTimeSeries it stands in for."""

    name = "timeseries"
    version = 11202
    commands = (commands, rules, queries, information)
    types = (Series,)
    options = OPTIONS
    categories = ("timeseries",)
    aux_name = "ts-series"
    aux_version = 1

    def __init__(self) -> None:
        self.registry = Registry()

    @hook
    def load(self, server: Attachment, arguments: Sequence[bytes]) -> None:
        """Follow the keys; take settings from the arguments, unless the configuration has them."""
        self.registry.attach(server)
        for option, value in from_arguments(arguments):
            if server.option(option.name) == option.default:
                server.call(b"CONFIG", b"SET", option.name.encode(), value)

    @hook
    def aux_save(self, out: SaveStream, after_keys: bool) -> None:
        """Say that there are series, so that who loads the snapshot need not look for some among
        all keys.
        """
        if after_keys and self.registry.count():
            out.save_unsigned(self.registry.count())

    @hook
    def aux_load(self, source: LoadStream) -> None:
        """Get to know the series of a snapshot, before the commands of a log come to them."""
        self.registry.expect(source.load_unsigned())

    @hook
    def data_loaded(self) -> None:
        """Get to know the series that came with the data."""
        self.registry.settle()

    @hook
    def database_changed(self, index: int) -> None:
        """The same for one database."""
        self.registry.reload_database(index)
