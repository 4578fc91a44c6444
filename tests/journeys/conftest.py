"""For journeys with real clients: a server to visit, Node's packages, programs beside the test.

Each story is told to Balas and to the real Redis: what fails on both is wrong with the story.
"""

import hashlib
import math
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import pytest

from balas.testing import BalasProcess, RealRedis, ServerProcess
from bench.node import SCRIPTS, NodeMissing, node_modules

STORY_MAX_S = 120.0
VECTOR_DIMENSION = 16


class Program:
    """A program that runs beside the test; what it prints is kept."""

    def __init__(self, argv: list[str], output: IO[bytes], environment: dict[str, str]) -> None:
        self._output = Path(output.name)
        self.process = subprocess.Popen(
            argv,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )

    @property
    def printed(self) -> str:
        """What it has printed so far."""
        return self._output.read_text(errors="replace")

    def wait_for(self, text: str, timeout_s: float = 30.0) -> None:
        """Wait until it has printed this."""
        deadline = time.monotonic() + timeout_s
        while text not in self.printed:
            assert self.process.poll() is None, f"it ended:\n{self.printed}"
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.printed}"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.fixture(params=["balas", "redis"])
def visited(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """The server of a story: Balas, then the real one."""
    kind: Callable[[], ServerProcess] = BalasProcess if request.param == "balas" else RealRedis
    with kind() as server:
        yield server
        if request.param == "balas":
            assert "Traceback" not in server.log


@pytest.fixture(params=["balas", "redis"])
def stack(request: pytest.FixtureRequest) -> Iterator[ServerProcess]:
    """The same with search and JSON."""
    server = BalasProcess() if request.param == "balas" else RealRedis(modules=["search", "json"])
    with server:
        yield server
        if request.param == "balas":
            assert "Traceback" not in server.log


@pytest.fixture(scope="session")
def embed() -> Callable[[str], list[float]]:
    """A function from a text to a vector of length 1, near to those of texts that share words."""

    def vector_of(text: str) -> list[float]:
        words = text.lower().replace("?", "").replace(".", "").split()
        digests = [hashlib.sha256(word.encode()).digest() for word in words]
        vector = [
            sum((digest[place] - 127.5 for digest in digests), 0.0)
            for place in range(VECTOR_DIMENSION)
        ]
        length = math.hypot(*vector) or 1.0
        return [number / length for number in vector]

    return vector_of


@pytest.fixture
def run_beside(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """A function that starts a program: its argv, then variables of its environment by name."""
    started: list[Program] = []
    with ExitStack() as stack:

        def start(*argv: Any, **environment: str) -> Program:
            path = tmp_path / f"program-{len(started)}.log"
            output = stack.enter_context(path.open("wb"))
            started.append(Program([str(word) for word in argv], output, environment))
            return started[-1]

        yield start
        for program in started:
            program.kill()


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder of Node's packages. Without Node this fails: a story untold is no success."""
    try:
        return node_modules()
    except NodeMissing as missing:
        pytest.fail(str(missing))


@pytest.fixture
def node(packages: Path, run_beside: Callable[..., Program]) -> Callable[..., Program]:
    """A function that starts one of our scripts: its name and its arguments."""

    def start(script: str, *arguments: Any) -> Program:
        return run_beside("node", SCRIPTS / script, *arguments, NODE_PATH=str(packages))

    return start


@pytest.fixture
def told(node: Callable[..., Program]) -> Callable[..., None]:
    """A function that runs a script to its happy end: its name and its arguments."""

    def run(script: str, *arguments: Any) -> None:
        program = node(script, *arguments)
        code = program.process.wait(STORY_MAX_S)
        assert code == 0, program.printed
        assert "all is well" in program.printed

    return run
