from balas.types.sorted_set import SortedSet

def places_within(
    found: SortedSet,
    longitude: float,
    latitude: float,
    radius_m: float,
    width_m: float,
    height_m: float,
    limit: int,
) -> list[tuple[float, bytes, float]]: ...
