from collections.abc import Callable

from balas.keyspace.database import Database

class ExpiryCycle:
    effort: int
    stale_share: float
    time_cap_reached: int
    spent_ns: int
    def __init__(
        self,
        databases: list[Database],
        delete: Callable[[Database, bytes], object],
        monotonic_ns: Callable[[], int],
    ) -> None: ...
    def set_effort(self, effort: int) -> None: ...
    def run(self, now_ms: int, limit_ns: int) -> bool: ...
