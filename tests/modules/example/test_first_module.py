"""docs/first-module.md says what is so: its blocks make the example, and its sessions happen."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from balas.errors import ReplyError
from balas.testing import Client, InProcessServer
from balas.testing.wire import split_arguments
from sources import TOP

PAGE = (TOP / "docs" / "first-module.md").read_text()
RING = (Path(__file__).parent / "ring.py").read_text()
PROMPT = "127.0.0.1:6379> "


def blocks(info: str) -> list[str]:
    """The page's fenced blocks of this kind, in order."""
    return re.findall(rf"^```{info}\n(.*?)^```$", PAGE, re.S | re.M)


def squeezed(text: str) -> list[str]:
    """The lines that are not empty."""
    return [line for line in text.splitlines() if line]


@pytest.fixture
def server() -> Iterator[InProcessServer]:
    with InProcessServer(bundled=False) as server:
        (server.directory / "ring.py").write_text(RING)
        yield server


def test_the_blocks_of_the_page_make_the_example() -> None:
    assert squeezed("\n".join(blocks("python"))) == squeezed(RING)


def test_the_sessions_of_the_page_happen(server: InProcessServer) -> None:
    first, changed, aside = blocks("console")
    (restarted,) = blocks("console restarted")
    client = server.client()
    play(client, first)
    (edit,) = blocks("python edit")
    with (server.directory / "ring.py").open("a") as file:
        file.write("\n\n" + edit)
    play(client, changed)
    play(client, aside)
    server.restart()
    play(server.client(), restarted)


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    (tmp_path / "ring.py").write_text(RING)
    (tmp_path / "test_ring.py").write_text(blocks("python test_ring.py")[0])
    arguments = ["-q", "-p", "no:cacheprovider", "-p", "balas.testing.plugin", "--rootdir", "."]
    if is_installed():
        del arguments[3:5]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def is_installed() -> bool:
    """Whether pytest finds the plugin of the test kit by itself."""
    from importlib.metadata import entry_points

    return any(entry.name == "balas" for entry in entry_points(group="pytest11"))


def test_the_page_links_to_files_that_exist() -> None:
    for name in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (TOP / "docs" / name).exists(), name


def play(client: Client, session: str) -> None:
    """Send what stands behind the prompts; the replies must look as redis-cli shows them."""
    for part in session.split(PROMPT)[1:]:
        line, _, expected = part.partition("\n")
        client.send(*split_arguments(line))
        assert shown(client.read()) == expected.rstrip("\n"), line


def shown(reply: Any) -> str:
    """A reply in the words of redis-cli, but for a bulk that stands alone, which looks a status."""
    if isinstance(reply, ReplyError):
        return f"(error) {reply.text}"
    if isinstance(reply, int):
        return f"(integer) {reply}"
    if isinstance(reply, list):
        lines = [f"{n}) {quoted(item)}" for n, item in enumerate(reply, 1)]
        return "\n".join(lines) or "(empty array)"
    return reply.decode()  # type: ignore[no-any-return]


def quoted(item: Any) -> str:
    return f'"{item.decode()}"' if isinstance(item, bytes) else shown(item)
