"""docs/guides.md says what is so: its blocks are one module, and its session happens."""

import re
from collections.abc import Iterator

import pytest

from balas.testing import InProcessServer
from balas.testing.wire import split_arguments
from sources import TOP

PAGE = (TOP / "docs" / "guides.md").read_text()
PROMPT = "127.0.0.1:6379> "


def module() -> str:
    return "\n\n".join(arranged(re.findall(r"^```python\n(.*?)^```$", PAGE, re.S | re.M)))


def arranged(blocks: list[str]) -> list[str]:
    """The blocks in the page's order, but the class's last: it goes on over several of them."""
    inside = [block for block in blocks if block.startswith((" ", "class "))]
    return [block for block in blocks if block not in inside] + inside


@pytest.fixture
def server() -> Iterator[InProcessServer]:
    with InProcessServer(bundled=False) as server:
        (server.directory / "guide.py").write_text(module())
        yield server


def test_the_session_happens(server: InProcessServer) -> None:
    client = server.client()
    (session,) = re.findall(r"^```console\n(.*?)^```$", PAGE, re.S | re.M)
    for part in session.split(PROMPT)[1:]:
        line, _, expected = part.partition("\n")
        reply = client(*split_arguments(line))
        shown = f"(integer) {reply}" if isinstance(reply, int) else reply.decode()
        assert shown == expected.strip(), line


def test_the_module_does_what_the_page_says(server: InProcessServer) -> None:
    client = server.client()
    client("SET", "early", "x")
    client("MODULE", "LOAD", "./guide.py")
    client("SET", "k", "v", "PX", 100)
    assert b"guide_names:2\r\n" in client("INFO", "guide")
    server.advance(60_001)
    assert client("GET", "minutes") == b"1"
    waiting = server.client()
    waiting.send("GUIDE.WAIT", "w", 0)
    client("SET", "w", "here")
    assert waiting.read() == b"here"
    server.run_loop(lambda: client("EXISTS", "heard") == 1, timeout_s=10)
    assert client("EXISTS", "heard") == 1
    assert "failed" not in server.log


def test_links_lead_somewhere() -> None:
    for name in re.findall(r"\]\(([^)#]+)", PAGE):
        assert (TOP / "docs" / name).exists(), name
