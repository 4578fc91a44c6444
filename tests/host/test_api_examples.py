"""Every name of `balas.api` has an example, and each does what it says."""

from __future__ import annotations

import doctest
import inspect
import pydoc
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from textwrap import dedent
from types import ModuleType

import pytest

import balas.api
from balas.authoring.examples import EXAMPLES, example
from balas.authoring.reference import ALIASES
from balas.testing import Client, InProcessServer

NAME = "balas_api_example"


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack
    sys.modules.pop(NAME, None)


@pytest.mark.parametrize("name", balas.api.__all__)
def test_its_example_happens(name: str, servers: ExitStack) -> None:
    space = ModuleType(NAME)
    sys.modules[NAME] = space
    space.__file__ = "example.py"

    def serve(resp: int = 2) -> Client:
        if not any(is_module(thing) for thing in vars(space).values()):
            exec("class Demo(Module):\n    name = 'demo'\n", vars(space))
        kind = next(thing for thing in vars(space).values() if is_module(thing))
        server = servers.enter_context(InProcessServer(bundled=False))
        client = server.client(resp=resp)
        client("MODULE", "LOAD", f"{NAME}:{kind.__name__}")
        return client

    vars(space).update({one: getattr(balas.api, one) for one in balas.api.__all__})
    vars(space)["serve"] = serve
    text = dedent(example(name)[1])
    assert name in text
    parsed = doctest.DocTestParser().get_doctest(text, {}, name, "examples.py", 0)
    assert parsed.examples
    parsed.globs = vars(space)
    said: list[str] = []
    failed, _ = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL).run(
        parsed, out=said.append, clear_globs=False
    )
    assert not failed, "".join(said)


def is_module(thing: object) -> bool:
    return (
        isinstance(thing, type)
        and issubclass(thing, balas.api.Module)
        and thing is not balas.api.Module
    )


@pytest.mark.parametrize("name", balas.api.__all__)
def test_help_shows_it(name: str) -> None:
    """Constants cannot have docstrings of their own, nor can aliases of types."""
    thing = getattr(balas.api, name)
    if name not in ALIASES and (inspect.isroutine(thing) or inspect.isclass(thing)):
        assert "Example:\n" in pydoc.render_doc(thing, renderer=pydoc.plaintext), name
        assert name not in EXAMPLES


def test_there_is_no_example_for_what_is_not_there() -> None:
    assert set(EXAMPLES) <= set(balas.api.__all__)
