"""JSON documents: RedisJSON's JSON.* commands and its value "ReJSON-RL".

`_cells` is how a document lies in memory, `_parser` and `_printer` lead from and to text, `_paths`
compiles paths and `_search` follows them, `_changes` changes documents, `value` is what stands at a
key. The commands are in `reading`, `writing` and `arrays`.
"""

from balas.api import Attachment, Module, hook
from balas_json import arrays, reading, writing
from balas_json._names import names_bytes
from balas_json._paths import PathCache
from balas_json.value import JsonValue

# Programs use some dozens of paths; a compiled one takes about 300 bytes.
PATHS_KEPT = 1000


class Json(Module):
    """The module "ReJSON", with the version of RedisJSON it stands in for."""

    name = "ReJSON"
    version = 20803
    commands = (reading, writing, arrays)
    types = (JsonValue,)
    categories = ("json",)

    def __init__(self) -> None:
        self.paths = PathCache(PATHS_KEPT)
        self.server: Attachment | None = None

    @hook
    def load(self, server: Attachment) -> None:
        """Remember the server, to tell it what the names of members take."""
        self.server = server

    @hook
    def cron(self) -> None:
        """Count the memory of names, which belong to no value alone."""
        if self.server is not None:
            self.server.count_memory(names_bytes())
