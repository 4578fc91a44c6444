"""GEOSHAPE: polygons and points, found by how they lie to another.

The geometry is shapely's, on whole arrays; a tree of boxes finds the candidates. On a sphere the
edges of a polygon are great circles: they are followed by short straight ones.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import shapely
from numpy.typing import NDArray

from balas.api import ReplyError
from balas_search.evaluation.cursors import Cursor, SetCursor
from balas_search.fields.base import BadField, Docs, FieldIndex
from balas_search.fields.spec import FieldSpec
from balas_search.index.emptying import emptied
from balas_search.index.tables import GONE
from balas_search.query.tree import Shape

if TYPE_CHECKING:
    from balas_search.evaluation.evaluation import Evaluation

UNKNOWN = "unknown geometry type"
# An edge on a sphere is followed in steps of so many degrees.
STEP_DEGREES = 0.5
SHAPE_BYTES, POINT_BYTES = 200, 16


class GeoShapeIndex(FieldIndex):
    """The shapes of one field."""

    wants_removals: ClassVar[bool] = True

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self.shapes: dict[int, Any] = {}
        self.points = 0
        # The documents and shapes as arrays and the tree of them, made when a query needs them.
        self._docs: Docs = np.empty(0, np.uint32)
        self._array: NDArray[Any] = np.empty(0, object)
        self._tree: Any = None

    def prepare(self, values: list[Any]) -> Any:
        """The shape; raises BadField."""
        value = values[0]
        if not isinstance(value, bytes | bytearray):
            raise BadField(f"Error indexing geoshape: {UNKNOWN}")
        try:
            return shape_of(bytes(value), self.spec.spherical)
        except ValueError as error:
            raise BadField(f"Error indexing geoshape: {error}") from None

    def add(self, doc: int, prepared: Any) -> int:
        """Add a document's shape."""
        self.shapes[doc] = prepared
        self.points += int(shapely.get_num_coordinates(prepared))
        self._tree = None
        return 1

    def remove(self, doc: int) -> None:
        """Take a document's shape out."""
        shape = self.shapes.pop(doc, None)
        if shape is not None:
            self.points -= int(shapely.get_num_coordinates(shape))
            self._tree = None

    def renumber(self, new_ids: Docs) -> None:
        """Move to new ids."""
        moved = {int(new_ids[doc]): shape for doc, shape in self.shapes.items()}
        self.shapes = {doc: shape for doc, shape in moved.items() if doc != GONE}
        self._tree = None

    def sort_value(self, prepared: Any, values: list[Any]) -> bytes | None:
        """The text."""
        return values[0] if values and isinstance(values[0], bytes) else None

    def cursor(self, node: Any, evaluation: Evaluation) -> Cursor:
        """The documents whose shapes lie to the query's as it says."""
        if not isinstance(node, Shape):
            return super().cursor(node, evaluation)
        try:
            shape = shape_of(node.text, self.spec.spherical)
        except ValueError as error:
            raise ReplyError(f"Error querying geoshape index: {error}") from None
        return SetCursor(self.related(node.relation, shape), weight=0.0, node=node)

    def related(self, relation: bytes, shape: Any) -> Docs:
        """The documents whose shapes are WITHIN, CONTAINS, INTERSECTS or DISJOINT, sorted."""
        if self._tree is None:
            self._docs = np.fromiter(self.shapes, np.uint32, len(self.shapes))
            self._array = np.array(list(self.shapes.values()), object)
            self._tree = shapely.STRtree(self._array)
        if relation == b"DISJOINT":
            left = np.ones(len(self._docs), bool)
            left[self._tree.query(shape, "intersects")] = False
            return np.sort(self._docs[left])
        # The tree asks how the query lies to the shapes.
        asked = {b"WITHIN": "contains", b"CONTAINS": "within", b"INTERSECTS": "intersects"}
        found = self._tree.query(shape, asked[relation])
        if relation != b"INTERSECTS" and shape.geom_type == "Point":
            # Of two points neither is within the other.
            found = found[shapely.get_type_id(self._array[found]) != 0]
        return np.sort(self._docs[found])

    def emptied(self) -> Iterator[None]:
        """Free what is held, in steps."""
        self._tree, self._array = None, np.empty(0, object)
        return emptied(self.shapes)

    def memory(self) -> int:
        """Bytes it takes."""
        return SHAPE_BYTES * len(self.shapes) + POINT_BYTES * self.points


def shape_of(text: bytes, spherical: bool) -> Any:
    """The polygon or point of a well-known text; raises ValueError with the reason."""
    shown = text.decode("utf-8", "replace").strip()
    found = re.fullmatch(r"(POINT|POLYGON)\s*\((.*)\)", shown, re.DOTALL)
    if found is None:
        raise ValueError(UNKNOWN)
    if found[1] == "POINT":
        return shapely.Point(place(found[2], shown))
    texts = re.findall(r"\(([^()]*)\)", found[2])
    rings = [[place(pair, shown) for pair in ring.split(",")] for ring in texts]
    if not rings or any(len(ring) < 3 for ring in rings):
        raise ValueError("invalid geometry: Geometry has too few points")
    rings = [ring if ring[0] == ring[-1] else [*ring, ring[0]] for ring in rings]
    if any(len(ring) < 4 for ring in rings):
        raise ValueError("invalid geometry: Geometry has too few points")
    made = shapely.Polygon(rings[0], rings[1:])
    if not made.is_valid:
        reason = shapely.is_valid_reason(made)
        raise ValueError(f"invalid geometry: Geometry has invalid self-intersections. {reason}")
    if spherical:
        made = shapely.Polygon(followed(rings[0]), [followed(ring) for ring in rings[1:]])
    shapely.prepare(made)
    return made


def place(text: str, whole: str) -> tuple[float, float]:
    """Two coordinates; raises ValueError."""
    parts = text.split()
    numbers = []
    for part in parts:
        try:
            numbers.append(float(part))
        except ValueError:
            raise ValueError(
                "bad lexical cast: source type value could not be interpreted as target at "
                f"'{part}' in '{whole}'"
            ) from None
    if len(numbers) != 2:
        raise ValueError(f"expected two coordinates in '{whole}'")
    return numbers[0], numbers[1]


def followed(ring: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A ring whose edges, which are great circles, are cut into short straight ones."""
    made = [ring[0]]
    for begin, end in pairwise(ring):
        here, there = unit_vector(begin), unit_vector(end)
        angle = math.acos(max(-1.0, min(1.0, sum(a * b for a, b in zip(here, there, strict=True)))))
        steps = math.ceil(math.degrees(angle) / STEP_DEGREES)
        # Along a meridian a straight edge is right as it is.
        if steps > 1 and begin[0] != end[0]:
            for step in range(1, steps):
                share = step / steps
                made.append(between(here, there, angle, share))
        made.append(end)
    return made


def unit_vector(point: tuple[float, float]) -> tuple[float, float, float]:
    """A place on earth as a vector of length 1."""
    longitude, latitude = math.radians(point[0]), math.radians(point[1])
    across = math.cos(latitude)
    return across * math.cos(longitude), across * math.sin(longitude), math.sin(latitude)


def between(
    here: tuple[float, float, float],
    there: tuple[float, float, float],
    angle: float,
    share: float,
) -> tuple[float, float]:
    """The place at a share of the way from one to another."""
    one, other = math.sin((1 - share) * angle), math.sin(share * angle)
    x, y, z = (one * a + other * b for a, b in zip(here, there, strict=True))
    return math.degrees(math.atan2(y, x)), math.degrees(math.atan2(z, math.hypot(x, y)))
