"""Who this server is: names made of chance, by which a run of it and its data are told apart."""

from __future__ import annotations

from random import Random

NO_ID = "0" * 40


class Identity:
    """The identifiers of one server, forty hexadecimal digits each.

    Attributes:
        run_id: of this run.
        replication_id: of the history of its data; `replication_id_2` of the one before.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.run_id = self._draw()
        self.replication_id = self._draw()
        self.replication_id_2 = NO_ID

    def change_replication_id(self) -> None:
        """Begin another history: nobody can go on from the one before."""
        self.replication_id = self._draw()
        self.replication_id_2 = NO_ID

    def _draw(self) -> str:
        return f"{self._rng.getrandbits(160):040x}"
