"""Every module's transcripts are played to Balas and to a real server with the real module."""

from collections.abc import Callable
from pathlib import Path

import pytest

from balas.testing import Both, InProcessServer, RealRedis

TRANSCRIPTS = sorted(Path(__file__).parent.glob("*/transcripts/*.txt"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda p: f"{p.parts[-3]}-{p.stem}")
def test_a_module_answers_as_the_real_one_does(
    path: Path, balas_server: InProcessServer, real_servers: Callable[..., RealRedis]
) -> None:
    with Both(balas_server, real_servers(path.parts[-3])) as both:
        both.transcript(path)
