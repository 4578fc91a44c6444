"""Groups of words that stand for each other."""

from __future__ import annotations

# What stands before the id of a group among the terms.
GROUP_PREFIX = b"~"


class Synonyms:
    """Which groups a term belongs to, and the terms that stand for them in the index."""

    def __init__(self) -> None:
        self.groups: dict[bytes, list[bytes]] = {}
        self.terms: dict[bytes, list[bytes]] = {}

    def update(self, group: bytes, terms: list[bytes]) -> None:
        """Add terms to a group."""
        for term in terms:
            known = self.groups.setdefault(term.lower(), [])
            if group not in known:
                known.append(group)
                self.terms.setdefault(term.lower(), []).append(GROUP_PREFIX + group)
