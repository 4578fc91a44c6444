"""Names with ids that never change: clients keep them."""

from __future__ import annotations


class Names:
    """Names in the order they first came; a name's id is its place."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.ids: dict[str, int] = {}
        # So many of them stay if a query fails.
        self.kept = 0

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

    def keep(self) -> None:
        """The names that have come stay."""
        self.kept = len(self.names)

    def forget(self) -> None:
        """Forget the names that have come since they were last kept."""
        if len(self.names) == self.kept:
            return
        for name in self.names[self.kept :]:
            del self.ids[name]
        del self.names[self.kept :]
