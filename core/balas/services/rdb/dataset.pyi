from collections.abc import Callable, Iterator

from balas.keyspace.access import AccessClock
from balas.keyspace.database import Database
from balas.services.rdb.reader import RdbReader
from balas.services.rdb.writer import RdbWriter
from balas.types.registry import TypeRegistry

class DatasetWriter:
    keys: int
    def __init__(
        self,
        out: RdbWriter,
        access: AccessClock,
        keep_access: bool = False,
        progress: Callable[[int], object] | None = None,
        delay_us: int = 0,
    ) -> None: ...
    def write_database(self, db: Database) -> None: ...

class DatasetReader:
    aux: dict[bytes, bytes]
    functions: list[bytes]
    module_aux: list[tuple[int, bool, bytes]]
    loaded: int
    expired: int
    def __init__(
        self,
        source: RdbReader,
        databases: list[Database],
        types: TypeRegistry,
        now_ms: int,
        *,
        keep_expired: bool = False,
        replace: bool = False,
        delay_us: int = 0,
    ) -> None: ...
    def steps(self, step_bytes: int = ...) -> Iterator[int]: ...
