"""Names with ids that never change: clients keep them."""

from __future__ import annotations


class Names:
    """Names in the order they first came; a name's id is its place."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.ids: dict[str, int] = {}

    def get(self, name: str) -> int:
        """The id of a name, or -1."""
        return self.ids.get(name, -1)

    def intern(self, name: str) -> int:
        """The id of a name, which gets one if it has none."""
        found = self.ids.get(name)
        if found is None:
            found = self.ids[name] = len(self.names)
            self.names.append(name)
        return found
