from typing import Any

from balas.engine.context import Context
from balas.services.acl.users import Acl

class Execution:
    ctx: Context
    script: Any
    words: list[bytes]
    resp: int
    wrote: bool
    paused: bool
    killed: bool
    started_s: float
    resumed_s: float
    outcome: Any
    def __init__(
        self,
        ctx: Context,
        script: Any,
        acl: Acl,
        read_only: bool,
        out_of_memory: bool,
    ) -> None: ...
