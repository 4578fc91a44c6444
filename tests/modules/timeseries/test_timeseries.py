"""Time series: the codec beside arrays, and replies as recorded from RedisTimeSeries 1.12.2."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balas.testing import InProcessServer
from balas.testing.transcript import Transcript
from balas_timeseries._chunk import decode_all, encode_all

TRANSCRIPT = Path(__file__).parent / "recorded.txt"
SAMPLES = st.dictionaries(
    st.one_of(st.integers(0, 2**62), st.integers(0, 10_000)),
    st.floats(allow_nan=False, allow_infinity=False),
    max_size=300,
)


def loaded() -> InProcessServer:
    """A server that holds the module."""
    server = InProcessServer(bundled=False)
    server.client()("MODULE", "LOAD", "balas_timeseries:TimeSeries")
    return server


@settings(max_examples=60, deadline=None)
@given(SAMPLES, st.sampled_from([48, 128, 4096]))
def test_chunks_give_back_what_was_put_in(samples: dict[int, float], size_bytes: int) -> None:
    times = np.array(sorted(samples), dtype=np.int64)
    values = np.array([samples[at] for at in sorted(samples)], dtype=np.float64)
    found_times, found_values = decode_all(encode_all(times, values, size_bytes))
    assert (found_times == times).all()
    assert found_values.tobytes() == values.tobytes()


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(-5, 5), st.booleans()), max_size=120))
def test_late_samples_and_deletions(steps: list[tuple[int, int, bool]]) -> None:
    with loaded() as server:
        client = server.client()
        client("TS.CREATE", "k", "CHUNK_SIZE", 48, "DUPLICATE_POLICY", "LAST")
        twin: dict[int, int] = {}
        for at, value, delete in steps:
            if delete:
                gone = [stamp for stamp in twin if at <= stamp <= at + 5]
                assert client("TS.DEL", "k", at, at + 5) == len(gone)
                for stamp in gone:
                    del twin[stamp]
            else:
                client("TS.ADD", "k", at, value)
                twin[at] = value
        found = [(at, float(value)) for at, value in client("TS.RANGE", "k", "-", "+")]
        assert found == sorted(twin.items())


def test_replies_are_those_recorded() -> None:
    transcript = Transcript.load(TRANSCRIPT)
    with loaded() as server:
        replies = transcript.play(server)
    for step in transcript.steps:
        if step.expected is not None:
            reply = replies[step.line]
            assert step.comparison.meets(reply, step.expected), (step.text, reply)


@pytest.mark.parametrize("way", ["COPY", "DUMP"])
def test_a_series_is_copied_whole(way: str) -> None:
    with loaded() as server:
        client = server.client()
        for at in range(500):
            client("TS.ADD", "k", at * 1000, at / 7)
        if way == "COPY":
            client("COPY", "k", "l")
        else:
            client("RESTORE", "l", 0, client("DUMP", "k"))
        assert client("TS.RANGE", "l", "-", "+") == client("TS.RANGE", "k", "-", "+")


def test_info_counts_and_revrange_reverses() -> None:
    with loaded() as server:
        client = server.client(resp=3)
        client("TS.CREATE", "k", "RETENTION", 60_000)
        for at in range(0, 50_000, 1000):
            client("TS.ADD", "k", at, at)
        info = client("TS.INFO", "k")
        assert (info[b"totalSamples"], info[b"lastTimestamp"]) == (50, 49_000)
        assert info[b"retentionTime"] == 60_000
        assert client("TS.REVRANGE", "k", "-", "+") == client("TS.RANGE", "k", "-", "+")[::-1]
