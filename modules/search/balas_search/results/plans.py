"""Queries that were understood before: their options and trees, by the words of the command.

A tree depends on the schema, on synonyms and on a few settings. So an index forgets its plans when
the first two change, and a plan is found only under the settings it was made with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from balas_search.aggregate.plan import AggregateOptions
    from balas_search.query.tree import Node
    from balas_search.results.options import SearchOptions

# So many are kept, and none of a longer command.
PLANS_MAX = 256
WORDS_MAX = 32
BYTES_MAX = 1024


@dataclass(slots=True)
class Plan:
    """The options of a query; and its tree, once it was made. Both are only read from then on."""

    options: SearchOptions
    tree: Node | None = None


@dataclass(slots=True)
class AggregatePlan:
    """The same of FT.AGGREGATE."""

    options: AggregateOptions
    tree: Node | None = None


class Plans:
    """The plans of one index. The words of FT.SEARCH come without its name, others with theirs."""

    def __init__(self) -> None:
        self._by_words: dict[tuple[bytes, ...], tuple[object, Any]] = {}
        self._options: dict[tuple[bytes, ...], tuple[object, SearchOptions]] = {}

    def find(self, words: tuple[bytes, ...], settings: object) -> Any:
        """The plan of a command, if it was made with these very settings."""
        known = self._by_words.get(words)
        return known[1] if known is not None and known[0] is settings else None

    def keep(self, words: tuple[bytes, ...], settings: object, plan: Any) -> None:
        """Keep a plan, in the place of the oldest if there are too many."""
        if len(words) > WORDS_MAX or sum(map(len, words)) > BYTES_MAX:
            return
        if len(self._by_words) >= PLANS_MAX:
            del self._by_words[next(iter(self._by_words))]
        self._by_words[words] = settings, plan

    def find_options(self, words: tuple[bytes, ...], settings: object) -> SearchOptions | None:
        """The options of FT.SEARCH that these words behind some query were."""
        known = self._options.get(words)
        return known[1] if known is not None and known[0] is settings else None

    def keep_options(
        self, words: tuple[bytes, ...], settings: object, options: SearchOptions
    ) -> None:
        """Keep them: queries of one program differ in their words, and hardly in their options."""
        if len(words) > WORDS_MAX or sum(map(len, words)) > BYTES_MAX:
            return
        if len(self._options) >= PLANS_MAX:
            del self._options[next(iter(self._options))]
        self._options[words] = settings, options

    def clear(self) -> None:
        """Forget all."""
        self._by_words.clear()
        self._options.clear()
