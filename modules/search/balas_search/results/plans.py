"""Queries that were understood before: their options and trees, by the words of the command.

A tree depends on the schema, on synonyms and on a few settings. So an index forgets its plans when
the first two change, and a plan is found only under the settings it was made with.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from balas_search.query.tree import Knn

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
        self._options: dict[tuple[bytes, ...], tuple[object, Any]] = {}
        # By the words before and behind the vector; with the tree, which holds that vector.
        self._nearest: dict[tuple[tuple[bytes, ...], ...], tuple[object, Plan, Knn]] = {}

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

    def find_options(self, words: tuple[bytes, ...], settings: object) -> Any:
        """The options that words behind a query were; those of FT.AGGREGATE come with its name."""
        known = self._options.get(words)
        return known[1] if known is not None and known[0] is settings else None

    def keep_options(self, words: tuple[bytes, ...], settings: object, options: Any) -> None:
        """Keep them: queries of one program differ in their words, and hardly in their options."""
        if len(words) > WORDS_MAX or sum(map(len, words)) > BYTES_MAX:
            return
        if len(self._options) >= PLANS_MAX:
            del self._options[next(iter(self._options))]
        self._options[words] = settings, options

    def find_nearest(self, words: tuple[bytes, ...], settings: object) -> Plan | None:
        """The plan of a KNN query that differs from one known in its vector alone."""
        at = parameter_at(words) if self._nearest else 0
        if not at:
            return None
        known = self._nearest.get((words[:at], words[at + 1 :]))
        if known is None or known[0] is not settings:
            return None
        return Plan(known[1].options, replace(known[2], vector=words[at]))

    def keep_nearest(self, words: tuple[bytes, ...], settings: object, plan: Plan) -> None:
        """Keep the plan of a KNN query for those with another vector.

        That must be its only parameter, which stands in the query once, and nothing else in the
        command may look like parameters.
        """
        at, tree = parameter_at(words), plan.tree
        if not at or not isinstance(tree, Knn) or len(words) > WORDS_MAX:
            return
        others = words[:at], words[at + 1 :]
        name, vector = words[at - 1], words[at]
        if (
            plan.options.parameters == {name: vector}
            and tree.vector == vector
            and tree.parameter in (name, b"$" + name)
            and words[1].count(b"$") == 1
            and sum(word.upper() == b"PARAMS" for word in words) == 1
            and sum(len(word) for some in others for word in some) <= BYTES_MAX
        ):
            if len(self._nearest) >= PLANS_MAX:
                del self._nearest[next(iter(self._nearest))]
            self._nearest[others] = settings, plan, tree

    def clear(self) -> None:
        """Forget all."""
        self._by_words.clear()
        self._options.clear()
        self._nearest.clear()


def parameter_at(words: tuple[bytes, ...]) -> int:
    """Where the value of the only parameter seems to stand, 0 if there is none or several."""
    if b"PARAMS" not in words:
        return 0
    at = words.index(b"PARAMS")
    return at + 3 if at + 3 < len(words) and words[at + 1] == b"2" else 0
