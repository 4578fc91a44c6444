"""Every option the core knows: all of Redis 8.2's, with its defaults.

The declarations stand in four files by subject; this one only joins them. Where a default differs
from a stock Redis, the declaration says so with "Differs from Redis:". CONFIG REWRITE appends
options in this order.
"""

from balas.services.config.table_data import DATA
from balas.services.config.table_distributed import DISTRIBUTED
from balas.services.config.table_persistence import PERSISTENCE
from balas.services.config.table_server import SERVER

OPTIONS = (*SERVER, *DATA, *PERSISTENCE, *DISTRIBUTED)
