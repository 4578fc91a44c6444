"""The test that docs/testing.md shows for modules is one that passes."""

import re
import textwrap
from collections.abc import Callable
from typing import Any

from balas.testing import Client
from balas.testing.checks import Clock
from sources import TOP

PAGE = (TOP / "docs" / "testing.md").read_text()


def test_the_fixtures_work_as_shown(
    balas_client: Client,
    propagates: Callable[..., Any],
    survives_reload: Callable[..., None],
    balas_clock: Clock,
) -> None:
    shown = re.search(r"^    def test_a_member_is.*?(?=^\S)", PAGE, re.S | re.M)
    assert shown is not None
    names: dict[str, Any] = {}
    exec(textwrap.dedent(shown[0]), names)
    names["test_a_member_is_removed_by_name"](
        balas_client, propagates, survives_reload, balas_clock
    )
