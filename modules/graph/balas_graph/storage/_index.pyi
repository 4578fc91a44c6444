from collections.abc import Sequence

class Index:
    edges: bool
    label: int
    key: int
    entries: dict[object, object]
    count: int
    def find(self, value: object) -> Sequence[int]: ...
