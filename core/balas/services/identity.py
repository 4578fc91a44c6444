"""Who this server is: names made of chance, by which a run of it and its data are told apart."""

from __future__ import annotations

from random import Random

NO_ID = "0" * 40


class Identity:
    """The identifiers of one server, forty hexadecimal digits each.

    Attributes:
        run_id: of this run.
        replication_id: of the history of its data; `replication_id_2` of the one before, which
        is the same up to the position `shared_until` of the stream (-1: there is none).
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.run_id = self._draw()
        self.change_replication_id()

    def change_replication_id(self) -> None:
        """Begin another history: nobody can go on from the one before."""
        self.take_history(self._draw())

    def take_history(self, replication_id: str) -> None:
        """Hold the data of this history, and of no other."""
        self.replication_id = replication_id
        self.replication_id_2 = NO_ID
        self.shared_until = -1

    def part_ways(self, position: int, replication_id: str = "") -> None:
        """From this position of the stream on, go on as another history: a new one if it has no
        name.
        """
        self.replication_id_2, self.shared_until = self.replication_id, position
        self.replication_id = replication_id or self._draw()

    def shares(self, replication_id: str, position: int) -> bool:
        """Whether a history is one's own from its beginning up to a position."""
        if replication_id == self.replication_id:
            return True
        return replication_id == self.replication_id_2 and position <= self.shared_until

    def _draw(self) -> str:
        return f"{self._rng.getrandbits(160):040x}"
