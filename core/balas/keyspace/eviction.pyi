from collections.abc import Callable

from balas.keyspace.access import AccessClock
from balas.keyspace.database import Account, Database

FREED: int
MORE_TO_FREE: int
NOTHING_TO_FREE: int
POLICIES: dict[str, tuple[int, bool]]

class Eviction:
    policy: str
    samples: int
    def __init__(
        self,
        databases: list[Database],
        account: Account,
        access: AccessClock,
        delete: Callable[[Database, bytes], object],
        monotonic_ns: Callable[[], int],
        seed: int,
    ) -> None: ...
    def use_policy(self, policy: str) -> None: ...
    def free(self, limit: int, time_limit_ns: int) -> int: ...
