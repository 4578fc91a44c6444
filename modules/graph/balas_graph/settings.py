"""What GRAPH.CONFIG knows."""

from __future__ import annotations

from balas.api import ReplyError
from balas_graph.evaluation.run import ROW_BYTES

# Every setting with its default; those of THREADS and beyond are fixed when the server starts.
DEFAULTS: dict[str, int | str] = {
    "TIMEOUT": 0,
    "TIMEOUT_DEFAULT": 0,
    "TIMEOUT_MAX": 0,
    "CACHE_SIZE": 25,
    "ASYNC_DELETE": 1,
    "OMP_THREAD_COUNT": 1,
    "THREAD_COUNT": 1,
    "RESULTSET_SIZE": -1,
    "VKEY_MAX_ENTITY_COUNT": 100_000,
    "MAX_QUEUED_QUERIES": 4_294_967_295,
    "QUERY_MEM_CAPACITY": 0,
    "DELTA_MAX_PENDING_CHANGES": 10_000,
    "NODE_CREATION_BUFFER": 16_384,
    "CMD_INFO": 1,
    "MAX_INFO_QUERIES": 1000,
    "EFFECTS_THRESHOLD": 300,
    "BOLT_PORT": 65_535,
    "DELAY_INDEXING": 0,
    # The folder of LOAD CSV is an option of the server.
    "IMPORT_FOLDER": "",
    "TEMP_FOLDER": "/tmp",
}
CHANGEABLE = (
    "TIMEOUT", "TIMEOUT_DEFAULT", "TIMEOUT_MAX", "RESULTSET_SIZE", "MAX_QUEUED_QUERIES",
    "QUERY_MEM_CAPACITY", "DELTA_MAX_PENDING_CHANGES", "VKEY_MAX_ENTITY_COUNT", "CMD_INFO",
    "MAX_INFO_QUERIES", "EFFECTS_THRESHOLD", "DELAY_INDEXING",
)  # fmt: skip


class Settings:
    """The settings of graphs on one server."""

    def __init__(self) -> None:
        self.values = dict(DEFAULTS)

    def __getitem__(self, name: str) -> int:
        # Only of settings that are numbers.
        return self.values[name]  # type: ignore[return-value]

    def set_all(self, pairs: list[tuple[str, str]]) -> None:
        """Set some settings, or none of them if one is refused."""
        before = dict(self.values)
        try:
            for name, value in pairs:
                self.set(name, value)
        except ReplyError:
            self.values = before
            raise

    def set(self, name: str, text: str) -> None:
        """Set one from its text."""
        if name not in self.values:
            raise ReplyError("Unknown configuration field")
        if name not in CHANGEABLE:
            raise ReplyError("This configuration parameter cannot be set at run-time")
        words = {"yes": 1, "no": 0} if name in ("CMD_INFO", "DELAY_INDEXING") else {}
        low = -1 if name == "RESULTSET_SIZE" else 0
        try:
            value = words[text.lower()] if text.lower() in words else int(text)
        except ValueError:
            value = low - 1
        if value < low and name != "RESULTSET_SIZE":
            raise ReplyError(f"Failed to set config value {name} to {text}")
        if name == "TIMEOUT" and (self["TIMEOUT_MAX"] or self["TIMEOUT_DEFAULT"]):
            raise ReplyError(
                "The TIMEOUT configuration parameter is deprecated. "
                "Please set TIMEOUT_MAX and TIMEOUT_DEFAULT instead"
            )
        self.values[name] = max(value, low)
        if self["TIMEOUT_MAX"] and self["TIMEOUT_DEFAULT"] > self["TIMEOUT_MAX"]:
            raise ReplyError(
                "TIMEOUT_DEFAULT configuration parameter cannot be set to a value higher "
                "than TIMEOUT_MAX"
            )

    def timeout_ms(self, given_ms: int, read_only: bool) -> int:
        """How long a query may run that asks for `given_ms`; 0 for no end."""
        most = self["TIMEOUT_MAX"]
        if most and given_ms > most:
            raise ReplyError(
                "The query TIMEOUT parameter value cannot exceed the TIMEOUT_MAX configuration "
                "parameter value"
            )
        usual = self["TIMEOUT_DEFAULT"] or most
        return given_ms or usual or (self["TIMEOUT"] if read_only else 0)

    def rows_max(self, usual: int) -> int:
        """How many rows may stand between two clauses."""
        capacity_bytes = self["QUERY_MEM_CAPACITY"]
        return min(usual, capacity_bytes // ROW_BYTES) if capacity_bytes else usual
