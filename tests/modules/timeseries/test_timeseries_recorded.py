"""Replies as recorded from RedisTimeSeries 1.12.2: it needs a library that many systems lack, so
transcripts are not played to it, but hold its replies.

What memory a series takes, is told but not compared.
"""

import re
from pathlib import Path

import pytest

from balas.testing import InProcessServer
from balas.testing.transcript import Transcript
from balas.testing.wire import show

TRANSCRIPTS = sorted((Path(__file__).parent / "recorded").glob("*.txt"))
MEMORY = re.compile(r"((?:memoryUsage|size|bytesPerSample)[,:]) (?:double )?\"?[0-9.]+\"?")


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_replies_are_those_recorded(path: Path, balas_server: InProcessServer) -> None:
    transcript = Transcript.load(path)
    replies = transcript.play(balas_server)
    wrong = []
    for step in transcript.steps:
        if step.expected is not None:
            reply = MEMORY.sub(r"\1 -", show(replies[step.line]))
            expected = MEMORY.sub(r"\1 -", step.expected)
            if reply.rstrip() != expected:
                wrong.append(f"{step.line}: {step.text}\n  expected {expected}\n  replied  {reply}")
    assert not wrong, "\n".join(wrong)
