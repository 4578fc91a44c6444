"""Geohashes: scores, texts, distances and searches are those of Redis; areas hold what is near."""

import random
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.structures import geohash
from balas.structures.ordered import OrderedIndex
from balas.testing.real_server import RealRedis

longitudes = st.floats(-180, 180)
latitudes = st.floats(-geohash.LATITUDE_MAX, geohash.LATITUDE_MAX)
EDGES = [
    (0.0, 0.0),
    (180.0, 85.05112878),
    (-180.0, -85.05112878),
    (180.0, 0.0),
    (13.361389, 38.115556),
    (-179.999, 66.5),
    (179.999, -80.5),
    (1e-9, -1e-9),
]


def places(count: int, seed: int) -> list[tuple[float, float]]:
    chance = random.Random(seed)
    near = [(15 + chance.gauss(0, 1), 37 + chance.gauss(0, 1)) for _ in range(count // 2)]
    far = [(chance.uniform(-180, 180), chance.uniform(-85, 85)) for _ in range(count // 2)]
    return EDGES + near + far


def shown(distance_m: float) -> bytes:
    """A distance as Redis replies it: rounded after multiplying, which is not what %.4f does."""
    return b"%d.%04d" % divmod(round(distance_m * 10_000), 10_000)


@given(longitudes, latitudes)
def test_a_score_stands_for_a_point_nearby(longitude: float, latitude: float) -> None:
    score = geohash.encode(longitude, latitude)
    found_longitude, found_latitude = geohash.decode(score)
    assert abs(found_longitude - longitude) < 180 / 2**25
    assert abs(found_latitude - latitude) < 90 / 2**25


@pytest.mark.parametrize("point", [(180.1, 0), (0, 85.06), (0, -90), (float("nan"), 0)])
def test_points_beyond_the_map_are_refused(point: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="beyond"):
        geohash.encode(*point)


@given(longitudes, latitudes, st.floats(0, 2e6), st.floats(-3, 3), st.floats(-3, 3))
def test_areas_hold_what_is_near(
    longitude: float, latitude: float, radius_m: float, east: float, north: float
) -> None:
    # The very edge in the east has a score beyond all areas, as in Redis.
    near_longitude = max(-180.0, min(179.9999, longitude + east * radius_m / 1e5))
    near_latitude = max(-85.0, min(85.0, latitude + north * radius_m / 1e5))
    score = geohash.encode(near_longitude, near_latitude)
    crosses = abs(near_longitude - longitude) > 90 or abs(latitude) > 75
    areas = geohash.circle_areas(longitude, latitude, radius_m)
    if geohash.distance_in_circle(longitude, latitude, radius_m, score) is not None and not crosses:
        assert any(low <= score < high for low, high in areas)


def test_points_are_those_of_redis(real_redis: RealRedis) -> None:
    points = places(400, 5)
    with real_redis.client() as client:
        for n, (longitude, latitude) in enumerate(points):
            client("GEOADD", "k", repr(longitude), repr(latitude), n)
            score = geohash.encode(longitude, latitude)
            assert int(client("ZSCORE", "k", n)) == score
            ((theirs_longitude, theirs_latitude),) = client("GEOPOS", "k", n)
            ours = geohash.decode(score)
            assert (float(theirs_longitude), float(theirs_latitude)) == ours
            assert client("GEOHASH", "k", n) == [geohash.text(score)]
            other = geohash.decode(geohash.encode(*points[n // 2]))
            assert client("GEODIST", "k", n, n // 2) == shown(geohash.distance(*ours, *other))


def search(
    index: OrderedIndex,
    areas: list[tuple[int, int]],
    measure: Callable[[int], float | None],
) -> list[list[bytes]]:
    found = []
    for low, high in areas:
        pairs = index.flat(index.count_below(low), index.count_below(high))
        for member, score in zip(pairs[::2], pairs[1::2], strict=True):
            distance = measure(int(score))
            if distance is not None:
                assert isinstance(member, bytes)
                found.append([member, shown(distance)])
    return found


def test_searches_find_what_redis_finds_in_its_order(real_redis: RealRedis) -> None:
    chance = random.Random(9)
    points = places(3000, 6)
    index = OrderedIndex(1)
    with real_redis.client() as client:
        for n, (longitude, latitude) in enumerate(points):
            client("GEOADD", "k", repr(longitude), repr(latitude), n)
            index.set(b"%d" % n, geohash.encode(longitude, latitude))
        for _ in range(300):
            centre = chance.choice(points)
            width, height = (10 ** chance.uniform(0, 7.4) for _ in range(2))
            ask = ["GEOSEARCH", "k", "FROMLONLAT", repr(centre[0]), repr(centre[1])]
            theirs = client(*ask, "BYRADIUS", repr(width), "m", "WITHDIST")
            areas = geohash.circle_areas(*centre, width)
            measure = partial(geohash.distance_in_circle, *centre, width)
            assert search(index, areas, measure) == theirs
            theirs = client(*ask, "BYBOX", repr(width), repr(height), "m", "WITHDIST")
            areas = geohash.box_areas(*centre, width, height)
            measure = partial(geohash.distance_in_box, *centre, width, height)
            assert search(index, areas, measure) == theirs
