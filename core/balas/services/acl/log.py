"""What was refused lately, for ACL LOG: equal refusals within a minute are one entry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SAME_WITHIN_MS = 60_000


@dataclass
class Entry:
    """Something that was refused `count` times.

    Attributes:
        reason: auth, command, key or channel; `context` toplevel, multi, lua or module.
        subject: the command, key or channel.
        client: its line in CLIENT LIST at the last time.
    """

    number: int
    reason: str
    context: str
    subject: bytes
    user: bytes
    client: str
    created_ms: int
    updated_ms: int
    count: int = 1


class AclLog:
    """The newest entries, newest first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._entries: list[Entry] = []
        self._next_number = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def add(
        self, reason: str, context: str, subject: bytes, user: bytes, client: str, now_ms: int
    ) -> None:
        """Note a refusal."""
        entry = self._same(reason, context, subject, user, now_ms)
        if entry is None:
            number, self._next_number = self._next_number, self._next_number + 1
            entry = Entry(number, reason, context, subject, user, client, now_ms, now_ms)
        else:
            entry.count += 1
            entry.client, entry.updated_ms = client, now_ms
            self._entries.remove(entry)
        self._entries.insert(0, entry)
        del self._entries[self.size :]

    def _same(
        self, reason: str, context: str, subject: bytes, user: bytes, now_ms: int
    ) -> Entry | None:
        for entry in self._entries[:10]:
            same = (entry.reason, entry.context, entry.subject, entry.user)
            recent = now_ms - entry.created_ms <= SAME_WITHIN_MS
            if recent and same == (reason, context, subject, user):
                return entry
        return None

    def clear(self) -> None:
        """Forget all entries."""
        self._entries.clear()

    def resize(self, size: int) -> None:
        """Keep no more than so many."""
        self.size = size
        del self._entries[size:]
