"""GEO: places on earth, found by distance."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from balas_search.evaluation.cursors import Cursor, SetCursor
from balas_search.fields.base import BadField, Docs, FieldIndex
from balas_search.fields.numeric import SPREAD_MIN, number_of
from balas_search.fields.spec import FieldSpec
from balas_search.index.tables import Pairs
from balas_search.postings import sets
from balas_search.query.tree import Geo

if TYPE_CHECKING:
    from balas_search.evaluation.evaluation import Evaluation

# As Redis has it.
EARTH_RADIUS_M = 6372797.560856
UNIT_M = {b"m": 1.0, b"km": 1000.0, b"ft": 0.3048, b"mi": 1609.34}
LATITUDE_MAX = 85.05112878
# Places are kept as Redis keeps them: each coordinate in 26 bits.
STEPS = 1 << 26


class GeoIndex(FieldIndex):
    """The places of one field."""

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self.longitudes = Pairs()
        self.latitudes = Pairs()

    def prepare(self, values: list[Any]) -> list[tuple[float, float]]:
        """The places, as they will be found."""
        return [rounded(*place_of(value)) for value in values]

    def add(self, doc: int, prepared: list[tuple[float, float]]) -> int:
        """Add a document's places."""
        for longitude, latitude in prepared:
            self.longitudes.add(doc, longitude)
            self.latitudes.add(doc, latitude)
        return len(prepared)

    def sort_value(self, prepared: Any, values: list[Any]) -> bytes | None:
        """The text."""
        return values[0] if values and isinstance(values[0], bytes) else None

    def cursor(self, node: Any, evaluation: Evaluation) -> Cursor:
        """A circle."""
        if not isinstance(node, Geo):
            return super().cursor(node, evaluation)
        radius_m = node.radius * UNIT_M[node.unit]
        found = self.near(node.longitude, node.latitude, radius_m)
        spread = len(self.longitudes) >= SPREAD_MIN
        return SetCursor(found, numeric=True, spread=spread, node=node)

    def near(self, longitude: float, latitude: float, radius_m: float) -> Docs:
        """The documents with a place no farther away than that."""
        if not len(self.longitudes):
            return np.empty(0, np.uint32)
        longitudes, latitudes = self.longitudes.values, self.latitudes.values
        margin = np.degrees(radius_m / EARTH_RADIUS_M) * 1.000001
        candidates = np.flatnonzero(np.abs(latitudes - latitude) <= margin)
        apart_m = distance_m(longitude, latitude, longitudes[candidates], latitudes[candidates])
        found = self.longitudes.docs[candidates[apart_m <= radius_m]]
        return sets.distinct(found) if self.longitudes.several else found

    def renumber(self, new_ids: Docs) -> None:
        """Move to new ids."""
        self.longitudes.renumber(new_ids)
        self.latitudes.renumber(new_ids)

    def memory(self) -> int:
        """Bytes it takes."""
        return self.longitudes.memory() + self.latitudes.memory()


def distance_m(
    longitude: float,
    latitude: float,
    longitudes: NDArray[np.float64],
    latitudes: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Great-circle distances from one place to many, in metres."""
    here, there = np.radians(latitude), np.radians(latitudes)
    across = np.sin((there - here) / 2)
    along = np.sin((np.radians(longitudes) - np.radians(longitude)) / 2)
    half_chord = across**2 + np.cos(here) * np.cos(there) * along**2
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(half_chord)))


def place_of(value: Any) -> tuple[float, float]:
    """Longitude and latitude, from "lon,lat" or "lon lat"."""
    if not isinstance(value, bytes | bytearray):
        raise BadField("Invalid geo string")
    parts = re.split(rb"[,\s]+", bytes(value).strip())
    if len(parts) != 2:
        raise BadField("Invalid geo string")
    try:
        longitude, latitude = (number_of(part) for part in parts)
    except BadField:
        raise BadField("Invalid geo string") from None
    if not (-180 <= longitude <= 180 and abs(latitude) <= LATITUDE_MAX):
        raise BadField(f"Invalid geo coordinates: {longitude:f}, {latitude:f}")
    return longitude, latitude


def rounded(longitude: float, latitude: float) -> tuple[float, float]:
    """The middle of the cell of a geohash of 52 bits, which is all that is known of a place."""
    return (
        (int((longitude + 180) / 360 * STEPS) + 0.5) / STEPS * 360 - 180,
        (int((latitude + LATITUDE_MAX) / (2 * LATITUDE_MAX) * STEPS) + 0.5)
        / STEPS
        * (2 * LATITUDE_MAX)
        - LATITUDE_MAX,
    )
