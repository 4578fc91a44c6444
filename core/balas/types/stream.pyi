from typing import Any

from balas.types.stream_entries import Entries
from balas.types.stream_groups import Consumer, Group

Delivery = tuple[int, bytes, int, int]

class Stream(Entries):
    def set_ids(self, last_id: int, entries_added: int, max_deleted_id: int) -> None: ...
    def entries_up_to(self, id: int) -> int: ...
    def lag(self, group: Group) -> int | None: ...
    def groups_in_order(self) -> list[Group]: ...
    def add_group(self, name: bytes, last_id: int, entries_read: int) -> Group: ...
    def drop_group(self, group: Group) -> None: ...
    def deliver(
        self, group: Group, consumer: Consumer, start: int, count: int, no_ack: bool, now_ms: int
    ) -> list[Any]: ...
    def redeliver(
        self, group: Group, consumer: Consumer, start: int, count: int, now_ms: int
    ) -> list[Any]: ...
    def claim(
        self,
        group: Group,
        consumer: Consumer,
        id: int,
        idle_min_ms: int,
        now_ms: int,
        delivered_ms: int,
        deliveries: int,
        just_id: bool,
        force: bool,
    ) -> tuple[bool, Delivery] | None: ...
    def claim_idle(
        self,
        group: Group,
        consumer: Consumer,
        start: int,
        idle_min_ms: int,
        count: int,
        now_ms: int,
        just_id: bool,
    ) -> tuple[int, list[int], list[int], list[Delivery]]: ...
