"""Clients of a server that holds the module "graph"."""

from collections.abc import Iterator

import pytest

from balas.testing import Client, InProcessServer


@pytest.fixture
def graph_server() -> Iterator[InProcessServer]:
    with InProcessServer(bundled=False) as server:
        server.client()("MODULE", "LOAD", "balas_graph:Graphs")
        yield server


@pytest.fixture
def graph(graph_server: InProcessServer) -> Client:
    return graph_server.client(resp=2)
