from collections.abc import Iterable

from balas.types.fields import Fields
from balas.types.limits import Limits

class Hash(Fields):
    @classmethod
    def of(cls, pairs: Iterable[tuple[bytes, bytes]], limits: Limits) -> Hash: ...
    def copy(self) -> Hash: ...
