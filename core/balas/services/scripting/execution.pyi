from typing import Any

from balas.engine.context import Context
from balas.services.acl.users import Acl

class Execution:
    ctx: Context
    script: Any
    chunk: Any
    keys: tuple[bytes, ...]
    arguments: tuple[bytes, ...]
    resp: int
    wrote: bool
    paused: bool
    killed: bool
    started_s: float
    resumed_s: float
    outcome: Any
    @staticmethod
    def begin(
        own: Context,
        ctx: Context,
        script: Any,
        chunk: Any,
        keys: tuple[bytes, ...],
        arguments: tuple[bytes, ...],
        acl: Acl,
        read_only: bool,
        out_of_memory: bool,
    ) -> Execution: ...
