"""The transcripts again, with all that commands do beside replying: events, records, counters."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from balas.testing import InProcessServer, RealRedis, Transcript
from balas.testing.transcript import Step
from observation import BalasObserver, RealObserver

# Families of transcripts that consist of commands of one client; a new family joins here.
FAMILIES = (
    "stream",
    "string",
    "generic",
    "list",
    "sort",
    "set",
    "bitmap",
    "hyperloglog",
    "hash",
    "zset",
    "geo",
)
PATHS = [
    path
    for family in FAMILIES
    for path in sorted(Path(__file__).parent.glob(f"transcripts/{family}_*.txt"))
]
# Those of which the replies alone would depend on when the servers look for what has expired.
PATHS += sorted(Path(__file__).parent.glob("observed/*.txt"))


@pytest.fixture(scope="module")
def logging_redis() -> Iterator[RealRedis]:
    """A real server that keeps an append-only file."""
    with RealRedis(RealObserver.OPTIONS) as server:
        yield server


@pytest.fixture
def balas() -> Iterator[InProcessServer]:
    """Balas, with its clock at the real server's time."""
    with InProcessServer(now_ms=int(time.time() * 1000)) as server:
        yield server


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_commands_have_the_same_consequences(
    path: Path, resp: int, balas: InProcessServer, logging_redis: RealRedis
) -> None:
    with RealObserver(logging_redis, resp) as real:
        ours = BalasObserver(balas, resp)
        real("FLUSHALL")
        steps = Transcript.load(path).steps
        wrong = [text for step in steps if (text := complaint(step, ours, real))]
    assert not wrong, "\n".join(wrong)


def complaint(step: Step, balas: BalasObserver, real: RealObserver) -> str:
    """Play a step to both; what differs, or nothing."""
    match step.action:
        case "sleep":
            real.sleep_ms(int(step.arguments[0]))
        case "config":
            real.configure(*step.arguments)
            balas.configure(*step.arguments)
        case "command":
            theirs, ours = real(*step.arguments), balas(*step.arguments)
            if not ours.same_as(theirs, step.comparison):
                return f"{step.line}: {step.text}\n  real  {theirs}\n  balas {ours}"
        case _:
            pytest.fail(f"line {step.line}: @{step.action} cannot be observed")
    return ""
