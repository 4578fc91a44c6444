"""Search: RediSearch's FT.* commands over hashes and JSON documents.

How it works is described in docs/search-internals.md.
"""

from __future__ import annotations

from balas_search.commands import (
    aggregate,
    dictionaries,
    documents,
    hybrid,
    indexes,
    information,
    profiling,
    search,
    settings,
    suggestions,
)
from balas_search.module import SearchBase
from balas_search.settings import OPTIONS
from balas_search.suggestions.suggestions import Suggestions


class Search(SearchBase):
    """The module "search", with the version of RediSearch it stands in for."""

    options = OPTIONS
    types = (Suggestions,)
    commands = (
        indexes,
        search,
        aggregate,
        hybrid,
        profiling,
        information,
        dictionaries,
        suggestions,
        settings,
        documents,
    )
