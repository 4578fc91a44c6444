"""The module itself: what it holds for one server, and the hooks that the server calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from balas.api import Attachment, LoadStream, Module, NotUnderstood, SaveStream, hook
from balas_search import persistence
from balas_search.aggregate.cursors import Cursors
from balas_search.evaluation.evaluation import Limits
from balas_search.index.index import Index
from balas_search.index.indexes import Indexes
from balas_search.report import sections
from balas_search.results.search import Timing

TIDY_MS = 1000


@dataclass(frozen=True, slots=True)
class QuerySettings:
    """What queries ask of the settings, gathered once."""

    dialect: int
    search_results_max: int
    aggregate_results_max: int
    cursor_idle_max_ms: int
    limits: Limits
    timing: Timing


class SearchBase(Module):
    """Everything of the module but its commands, which find it by its class `Search`."""

    name = "search"
    version = 21005
    aux_name = persistence.DEFINITIONS
    aux_version = persistence.DEFINITIONS_VERSION
    aux_others = MappingProxyType({persistence.DICTIONARIES: persistence.DICTIONARIES_VERSION})

    def __init__(self) -> None:
        self.indexes = Indexes()
        self.dictionaries: dict[bytes, dict[bytes, None]] = {}
        self.cursors = Cursors()
        self._settings: QuerySettings | None = None

    @hook
    def load(self, server: Attachment) -> None:
        """Begin to follow the keys."""
        self.server = server
        self.indexes.attach(server)
        server.every(TIDY_MS, self.tidy)

    def tidy(self) -> None:
        """Forget what nobody asks for any more."""
        self.indexes.tidy()
        self.cursors.collect(self.server.now_ms)

    @hook
    def data_loaded(self) -> None:
        """Fill the indexes that came with the data."""
        for index in self.indexes.by_name.values():
            self.indexes.refill(index)

    @hook
    def database_changed(self, index: int) -> None:
        """Indexes live in database 0: with its keys they go, too, or are filled anew."""
        if index != 0:
            return
        if self.server.key_count(0) == 0:
            self.indexes.clear()
            self.dictionaries.clear()
        for known in self.indexes.by_name.values():
            self.indexes.refill(known)

    @hook
    def aux_save(self, out: SaveStream, after_keys: bool, name: str) -> None:
        """Save definitions before the keys and dictionaries after them, as RediSearch does."""
        if name == persistence.DEFINITIONS and not after_keys and self.indexes.by_name:
            persistence.save_definitions(out, self.indexes)
        elif name == persistence.DICTIONARIES and after_keys and any(self.dictionaries.values()):
            persistence.save_dictionaries(out, self.dictionaries)

    @hook
    def aux_load(self, source: LoadStream, version: int, after_keys: bool, name: str) -> None:
        """Take definitions or dictionaries from a snapshot, our own or one of RediSearch."""
        if version != self.aux_types()[name]:
            raise NotUnderstood(f"version {version} of '{name}' is unknown")
        if name == persistence.DEFINITIONS:
            persistence.load_definitions(source, self.indexes, self.setting("search-min-stem-len"))
        elif after_keys:
            persistence.load_dictionaries(source, self.dictionaries)

    @hook
    def aof_rewrite(self) -> Iterator[Sequence[bytes]]:
        """Make indexes and dictionaries anew, for a log that begins with no snapshot."""
        yield from persistence.commands(self.indexes, self.dictionaries)

    @hook
    def info(self) -> dict[str, dict[str, object]]:
        """What INFO shows."""
        return sections(self)

    def cursor_counts(self, index: Index) -> tuple[int, int]:
        """How many cursors an index has, and how many there are in all."""
        return self.cursors.count(index), len(self.cursors.by_number)

    def setting(self, name: str) -> int:
        """The value of one of the module's options."""
        value: int = self.server.option(name)
        return value

    @hook
    def config_changed(self, name: str, value: Any) -> None:
        """Settings are read again."""
        self._settings = None

    @property
    def query_settings(self) -> QuerySettings:
        """The settings that queries keep to."""
        if self._settings is None:
            self._settings = QuerySettings(
                self.setting("search-default-dialect"),
                self.setting("search-max-search-results"),
                self.setting("search-max-aggregate-results"),
                self.setting("search-cursor-max-idle"),
                Limits(
                    self.setting("search-min-prefix"),
                    self.setting("search-max-prefix-expansions"),
                    self.setting("search-bm25std-tanh-factor"),
                ),
                Timing(
                    self.setting("search-timeout"),
                    self.server.option("search-on-timeout") == "fail",
                ),
            )
        return self._settings

    def limits(self) -> Limits:
        """Those that an evaluation keeps to."""
        return self.query_settings.limits
