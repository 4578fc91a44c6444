"""The compiled parts: the codec, the row of chunks, accumulators; numbers as clients write them."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.api import ReplyError
from balas_timeseries._aggregation import NAMES, Accumulator, aggregate, aggregate_chunks
from balas_timeseries._chunk import Chunk
from balas_timeseries._numbers import parse_time, parse_value, shown
from balas_timeseries._samples import Samples

TIME_MAX = 2**63 - 1
DECIMAL, FLOATS = 0, 1

times = st.one_of(
    st.integers(0, TIME_MAX), st.integers(0, 10_000), st.integers(0, 1000).map(lambda n: n * 10_000)
)
values = st.one_of(
    st.floats(),
    st.integers(-1000, 1000).map(float),
    st.integers(-(10**6), 10**6).map(lambda n: n / 100),
    st.sampled_from([0.0, -0.0, 1e300, 5e-324, 2.0**53, 2.0**53 + 2, 0.1 + 0.2, 1e-7]),
)


def filled(samples: dict[int, float], chunk_bytes: int = 4096, plain: bool = False) -> Samples:
    made = Samples(chunk_bytes, plain)
    stamps = np.array(sorted(samples), dtype=np.int64)
    made.load(stamps, np.array([samples[at] for at in sorted(samples)], dtype=np.float64))
    made.check_invariants()
    return made


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


@given(
    st.dictionaries(times, values, max_size=300), st.sampled_from([48, 128, 4096]), st.booleans()
)
def test_chunks_give_back_what_was_put_in(
    samples: dict[int, float], chunk_bytes: int, plain: bool
) -> None:
    stamps, found = filled(samples, chunk_bytes, plain).range(0, TIME_MAX)
    assert stamps.tolist() == sorted(samples)
    assert [bits(one) for one in found] == [bits(samples[at]) for at in sorted(samples)]


@given(st.lists(values, min_size=2, max_size=60))
def test_the_last_value_of_a_chunk_can_be_replaced(all_values: list[float]) -> None:
    """Again and again, as TS.INCRBY does; the chunk goes on as if it had held no other."""
    samples = Samples(128)
    for at, value in enumerate(all_values):
        samples.append(at * 10, 1.0)
        for other in (0.5, 7.0, value):
            samples.put(at * 10, other)
        samples.check_invariants()
    _, found = samples.range(0, TIME_MAX)
    assert [bits(one) for one in found] == [bits(one) for one in all_values]


@pytest.mark.parametrize(
    ("name", "most"), [("steady", 0.5), ("counter", 1.2), ("gauge", 1.1), ("noise", 9.5)]
)
def test_measured_values_take_few_bytes(name: str, most: float) -> None:
    chance = random.Random(name)
    level, samples = 50.0, {}
    for place in range(20_000):
        if name == "counter":
            level += chance.randrange(280, 320)
        elif name == "gauge":
            level = round(level + chance.gauss(0, 0.5), 1) + 0.0
        elif name == "noise":
            level = chance.random()
        samples[place * 10_000] = level
    assert filled(samples).room_bytes / len(samples) < most


def test_a_sample_is_found_without_decoding_thousands() -> None:
    steady = filled({place * 1000: 50.0 for place in range(20_000)})
    assert max(chunk.count for chunk in steady.chunks) <= 1025


def test_a_float_turns_one_chunk_of_decimals_over() -> None:
    samples = Samples(128)
    for at in range(1000):
        samples.append(at, 1 / 3 if at == 500 else at / 10)
    forms = [chunk.form for chunk in samples.chunks]
    assert forms.count(FLOATS) in (1, 2)
    assert forms[0] == forms[-1] == DECIMAL


def test_a_chunk_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="without room"):
        Chunk(40)


@pytest.mark.parametrize("seed", range(12))
def test_late_samples_and_deletions_beside_a_dictionary(seed: int) -> None:
    chance = random.Random(seed)
    samples, twin = Samples(chance.choice([48, 128, 1024]), seed % 4 == 0), {}
    for _ in range(200):
        low = chance.randrange(300)
        if chance.random() < 0.12:
            gone = [at for at in twin if low <= at <= low + 40]
            assert samples.remove(low, low + 40) == len(gone)
            for at in gone:
                del twin[at]
        else:
            twin[low] = chance.choice([float(chance.randrange(10)), chance.random(), -0.5])
            samples.put(low, twin[low])
        samples.check_invariants()
        assert samples.find(low) == twin.get(low)
        earlier, later = [at for at in twin if at < low], [at for at in twin if at > low]
        assert samples.before(low, 0) == ((max(earlier), twin[max(earlier)]) if earlier else None)
        assert samples.after(low) == ((min(later), twin[min(later)]) if later else None)
    stamps, found = samples.range(0, TIME_MAX)
    assert dict(zip(stamps.tolist(), found.tolist(), strict=True)) == twin


@given(st.dictionaries(st.integers(0, 500), values, max_size=60), st.integers(1, 90))
def test_chunks_and_arrays_come_to_the_same(samples: dict[int, float], width: int) -> None:
    kept = filled(samples, 48)
    kinds = [kind for name, kind in NAMES.items() if name != b"twa"]
    one = aggregate_chunks(kept.chunks, 0, TIME_MAX, kinds, width, 7)
    other = aggregate(*kept.range(0, TIME_MAX), kinds, width, 7)
    assert one[0].tobytes() == other[0].tobytes()
    for left, right in zip(one[1], other[1], strict=True):
        np.testing.assert_array_equal(left, right)


@given(st.lists(values, min_size=1, max_size=30))
def test_a_rule_and_a_query_come_to_the_same_to_the_last_bit(all_values: list[float]) -> None:
    accumulator = Accumulator()
    accumulator.begin(0, None)
    for at, value in enumerate(all_values):
        accumulator.add(at, value)
    stamps = np.arange(len(all_values), dtype=np.int64)
    for name, kind in NAMES.items():
        if name != b"twa":
            _, (found,) = aggregate(stamps, np.array(all_values), (kind,), 100, 0)
            alone = np.float64(accumulator.value(kind, 100, None))
            np.testing.assert_array_equal(found, [alone])
    again = Accumulator()
    again.load(accumulator.save())
    assert repr(again.save()) == repr(accumulator.save())


def test_an_average_may_have_a_sum_beyond_all_doubles() -> None:
    _, (found,) = aggregate(np.arange(4), np.full(4, 1.5e308), (NAMES[b"avg"],), 10, 0)
    assert found.tolist() == pytest.approx([1.5e308])


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_values_are_read_as_written(value: float) -> None:
    text = repr(value)
    assert bits(parse_value(text.encode())) == bits(value)


@given(st.decimals(-(10**9), 10**9, places=5))
def test_decimals_are_read_as_python_reads_them(value: object) -> None:
    text = f"{value:f}"
    assert bits(parse_value(text.encode())) == bits(float(text))


@pytest.mark.parametrize(
    "text", ["", "-", "+1", ".5", "1.", "1.e5", "1e", "01", "-01", " 1", "inf", "nan", "1e400"]
)
def test_what_is_no_value(text: str) -> None:
    with pytest.raises(ReplyError, match="invalid value"):
        parse_value(text.encode())


@pytest.mark.parametrize("text", ["", "-", "a", "1.5", "017", " 1", "1 ", "-0", str(2**63), "+1"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ReplyError, match="invalid timestamp"):
        parse_time(text.encode())


def test_times_reach_as_far_as_64_bits() -> None:
    assert parse_time(b"0") == 0
    assert parse_time(str(TIME_MAX).encode()) == TIME_MAX
    with pytest.raises(ReplyError, match="must be a nonnegative integer"):
        parse_time(b"-5")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_shown_reads_as_the_same(value: float) -> None:
    assert bits(float(shown(value).text)) == bits(value)


@pytest.mark.parametrize("plain", [False, True])
def test_a_counted_range_gives_what_the_whole_one_begins_or_ends_with(plain: bool) -> None:
    chance = random.Random(4)
    samples = Samples(48, plain)
    for place in range(600):
        samples.append(place * 10, chance.choice([place / 4, chance.random()]))
    assert len(samples.chunks) > 20
    for _ in range(300):
        start, end = chance.randrange(-5, 6100), chance.randrange(-5, 6100)
        count = chance.choice([0, 1, 2, 7, 50, 1000])
        times, values = samples.range(start, end)
        assert times.tolist() == [at for at in range(0, 6000, 10) if start <= at <= end]
        first_times, first_values = samples.range(start, end, count)
        last_times, last_values = samples.range(start, end, count, True)
        wanted = min(count, len(times))
        assert first_times[:wanted].tolist() == times[:wanted].tolist()
        assert first_values[:wanted].tolist() == values[:wanted].tolist()
        assert (
            last_times[len(last_times) - wanted :].tolist() == times[len(times) - wanted :].tolist()
        )
        assert last_values[len(last_times) - wanted :].tolist() == (
            values[len(times) - wanted :].tolist()
        )


def test_values_of_any_size_are_written_as_the_shortest_text_that_reads_the_same() -> None:
    chance = random.Random(8)
    values = [chance.uniform(-1, 1) * 10 ** chance.randrange(-300, 300) for _ in range(3000)]
    values += [float(chance.randrange(10**17)) / 10 ** chance.randrange(12) for _ in range(3000)]
    for value in values:
        text = shown(value).text
        assert float(text) == value
        digits = text.lower().split("e")[0].replace(".", "").replace("-", "").strip("0")
        shortest = repr(value).lower().split("e")[0].replace(".", "").replace("-", "").strip("0")
        assert len(digits) == len(shortest)
