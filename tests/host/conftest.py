"""A server without bundled modules, a client, and an author of modules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from balas.testing import Client, InProcessServer
from host.author import Author


@pytest.fixture
def server() -> Iterator[InProcessServer]:
    with InProcessServer(bundled=False) as server:
        yield server


@pytest.fixture
def client(server: InProcessServer) -> Client:
    return server.client()


@pytest.fixture
def author(server: InProcessServer) -> Author:
    return Author(server)
