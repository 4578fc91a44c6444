"""The public surface: recorded in docs/api.md, described, and taken away only with a warning."""

import inspect
import re

import pytest

import balas.api
from balas.authoring.reference import page
from balas.host.deprecation import BalasDeprecationWarning, deprecated
from sources import TOP


def test_the_surface_is_the_recorded_one() -> None:
    recorded = (TOP / "docs" / "api.md").read_text()
    assert page() == recorded, "python -m balas.authoring.reference > docs/api.md, if it is meant"


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
