"""The public surface: recorded in docs/api.md, described, and taken away only with a warning."""

import inspect
import re

import pytest

import balas.api
from balas.authoring.reference import PAGES
from balas.host.deprecation import BalasDeprecationWarning, deprecated
from host.author import Author
from sources import TOP


@pytest.mark.parametrize("page", PAGES)
def test_the_reference_is_what_the_code_says(page: str) -> None:
    """Of `balas.api` it is the record of the public surface as well."""
    recorded = (TOP / "docs" / f"{page}.md").read_text()
    hint = f"python -m balas.authoring.reference {page} > docs/{page}.md, if it is meant"
    assert PAGES[page]() == recorded, hint


def test_the_version_is_major_and_minor() -> None:
    assert re.fullmatch(r"\d+\.\d+", balas.api.api_version)


def test_what_is_exported_is_there_and_described() -> None:
    for name in balas.api.__all__:
        thing = getattr(balas.api, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), name


def test_what_goes_warns_and_names_module_and_verb() -> None:
    def old_verb() -> None:
        deprecated("ctx.old_verb", "ctx.new_verb")

    text = r"test_api uses ctx\.old_verb, which will be gone: use ctx\.new_verb"
    with pytest.warns(BalasDeprecationWarning, match=text) as caught:
        old_verb()
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("1.0", ""),
        ("1.999", "'tally' is written for balas.api 1.999, this is 1.0: a newer Balas is needed"),
        ("2.0", "'tally' is written for balas.api 2.0, this is 1.0: a newer Balas is needed"),
        ("0.9", "'tally' is written for balas.api 0.9, this is 1.0: a newer version of the module"),
        ("new", "api_version of 'tally' is 'new', not such as '1.0'"),
        (1.0, "api_version of 'tally' is 1.0, not such as '1.0'"),
    ],
)
def test_a_module_says_which_version_it_needs(wanted: object, text: str, author: Author) -> None:
    author.tally(("version = 10203", f"version = 10203\n    api_version = {wanted!r}"))
    before = author.traces()
    client = author.server.client()
    if not text:
        assert client("MODULE", "LOAD", "./tally.py") == b"OK"
        return
    error = client.error("MODULE", "LOAD", "./tally.py")
    assert error.startswith(f"ERR Error loading the extension: {text}")
    assert author.traces() == before
