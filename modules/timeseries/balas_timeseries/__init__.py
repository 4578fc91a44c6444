"""Time series: RedisTimeSeries' commands on compressed samples.

`_chunk` is the codec, `series` the value of the keyspace, `buckets` the aggregation on arrays,
`commands` what clients send.
"""

from balas.api import Module
from balas_timeseries import commands
from balas_timeseries.series import Series


class TimeSeries(Module):
    """The module "timeseries", with the version of RedisTimeSeries it stands in for."""

    name = "timeseries"
    version = 11202
    commands = (commands,)
    types = (Series,)
    categories = ("timeseries",)
