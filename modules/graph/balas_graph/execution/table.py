"""Rows that stand in columns: what a projection of columns makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from balas_graph.evaluation.run import Row


class Table(Sequence[Row]):
    """Rows as lists of values by names, all of one length; a row is made when it is asked for."""

    def __init__(self, names: list[str], columns: list[list[object]]) -> None:
        self.names = names
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def __iter__(self) -> Iterator[Row]:
        names = self.names
        return iter([dict(zip(names, row, strict=True)) for row in zip(*self.columns, strict=True)])

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> Table: ...

    def __getitem__(self, place: int | slice) -> Row | Table:
        if isinstance(place, slice):
            return Table(self.names, [column[place] for column in self.columns])
        return dict(zip(self.names, [column[place] for column in self.columns], strict=True))

    def taken(self, places: list[int]) -> Table:
        """The rows at some places."""
        return Table(self.names, [[column[place] for place in places] for column in self.columns])
