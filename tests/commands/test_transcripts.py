"""Every transcript is played to Balas and to the real server, and the replies must match."""

from pathlib import Path

import pytest

from balas.testing import Both

TRANSCRIPTS = sorted(Path(__file__).parent.glob("transcripts/*.txt"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_balas_answers_as_redis_does(path: Path, both: Both) -> None:
    both.transcript(path)
