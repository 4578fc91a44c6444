"""The configuration: which options there are, what they are set to, redis.conf in and out.

`table` declares the options, `options` and `kinds` say what an option is, `store` holds the
values, `grammar` and `reader` read redis.conf, `rewrite` writes it.
"""

from balas.services.config.options import Option
from balas.services.config.store import Config

__all__ = ["Config", "Option"]
