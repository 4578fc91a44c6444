"""Indexes over JSON documents need two modules on both sides."""

from collections.abc import Callable
from pathlib import Path

import pytest

from balas.testing import Both, InProcessServer, RealRedis

FOLDER = Path(__file__).parent / "json"


@pytest.mark.parametrize("name", ["json.txt", "aggregate.txt", "several.txt"])
def test_json_documents_are_found_as_the_real_modules_find_them(
    name: str, balas_server: InProcessServer, real_servers: Callable[..., RealRedis]
) -> None:
    with Both(balas_server, real_servers("json", "search")) as both:
        both.transcript(FOLDER / name)
