from balas.types.limits import Limits

class ItemReader:
    limits: Limits
    now_ms: int

class ItemWriter: ...
