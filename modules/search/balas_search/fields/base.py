"""What every kind of field does for its index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from balas.api import ReplyError
from balas_search.evaluation.cursors import Cursor, SetCursor
from balas_search.fields.spec import FieldSpec

if TYPE_CHECKING:
    from balas_search.evaluation.evaluation import Evaluation

Docs = NDArray[np.uint32]


class BadField(ValueError):
    """A value that cannot be indexed: its document is left out of the index, with this reason."""


class FieldIndex:
    """The values of one field, found by what they are.

    A document is indexed in two steps, so that a bad value leaves no trace: `prepare` for every
    field, then `add` for every field. Ids given to `add` increase. A document that goes is not
    taken out at once: queries leave it out by themselves, and `renumber` drops it later. A kind
    that must know at once sets `wants_removals`.

    `values` is what the document holds in this field: usually one item, of JSON maybe more.
    """

    wants_removals: ClassVar[bool] = False

    def __init__(self, spec: FieldSpec) -> None:
        self.spec = spec

    def prepare(self, values: list[Any]) -> Any:
        """What `add` will take; raises BadField."""
        raise NotImplementedError

    def add(self, doc: int, prepared: Any) -> int:
        """Index a document; returns how many records that made."""
        raise NotImplementedError

    def cursor(self, node: Any, evaluation: Evaluation) -> Cursor:
        """What a node of the query that names this field matches.

        `node` is of any kind that can name a field (Tag, Numeric, Geo, Shape, Knn, VectorRange);
        those that are not for this kind of field match nothing.
        """
        return SetCursor(np.empty(0, np.uint32))

    def remove(self, doc: int) -> None:
        """A document has gone; called only where `wants_removals` is set."""

    def upkeep(self) -> Iterator[None] | None:
        """Steps that are to be done soon; None if there are none, or somebody does them."""
        return None

    def settled(self) -> Iterator[None]:
        """Finish, in steps, what `renumber` has left; it is called again only after that."""
        return iter(())

    def emptied(self) -> Iterator[None]:
        """Free what is held, in steps; nothing else is to be asked. `close` comes after it."""
        return iter(())

    def close(self) -> None:
        """End what is still to be done: the field is dropped."""

    def renumber(self, new_ids: Docs) -> None:
        """Move every document i to new_ids[i], and drop it where that is GONE."""
        raise NotImplementedError

    def memory(self) -> int:
        """Bytes it takes."""
        raise NotImplementedError

    def sort_value(self, prepared: Any, values: list[Any]) -> Any:
        """What a SORTABLE field is sorted by: a number, bytes, or None."""
        return None


def no_such_kind(spec: FieldSpec) -> ReplyError:
    """The error for a field of another kind."""
    return ReplyError(f"Invalid field type for field `{spec.name.decode('utf-8', 'replace')}`")
