"""Loads the data at start: the log if there is one, else the snapshot.

Loading goes in steps, so that whoever drives it can let clients be answered (with -LOADING, or PING and INFO) in between. What
cannot be loaded stops the start: the reason, with file and offset, is in the log, and nothing on disk is touched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from balas.engine import attention
from balas.engine.dispatch import Engine
from balas.errors import BadData
from balas.services.aof.append import AppendOnlyFile
from balas.services.aof.load import BadLog, LogReplay, truncate
from balas.services.aof.manifest import BadManifest, LogFile, Manifest
from balas.services.config.store import Config
from balas.services.log import Log
from balas.services.rdb.dataset import DatasetReader
from balas.services.rdb.reader import RdbReader
from balas.services.system import StartRefused
from balas.types.registry import TypeRegistry

# What a module kept beside the keys: type id, after the keys?, its bytes.
ModuleAux = tuple[int, bool, bytes]


class Loading:
    """The loading of one server.

    Attributes:
        active: whether it is under way.
        total_bytes, loaded_bytes: of the files; started_ms: when it began.
        keys_loaded, keys_expired: of the last snapshot loaded.
        take_functions, take_module_aux: get what a snapshot holds beside the keys.
    """

    def __init__(self, engine: Engine, config: Config, log: Log, types: TypeRegistry, aof: AppendOnlyFile) -> None:
        self._engine = engine
        self._config = config
        self._log = log
        self._types = types
        self._aof = aof
        self.active = False
        self.started_ms = 0
        self.total_bytes = 0
        self.loaded_bytes = 0
        self._before = 0
        self.keys_loaded = 0
        self.keys_expired = 0
        self.take_functions: Callable[[list[bytes]], None] = lambda functions: None
        self.take_module_aux: Callable[[list[ModuleAux]], None] = lambda found: None

    # --- the start ---------------------------------------------------------------------------------------------

    def steps(self) -> Iterator[None]:
        """Load everything and open the log. Raises StartRefused."""
        self._begin()
        try:
            if self._config.get("appendonly"):
                yield from self._load_log()
            else:
                yield from self._load_snapshot(Path(self._config.path("dbfilename")), "RDB")
        except (BadData, BadLog, BadManifest) as error:
            self._refuse(str(error))
        except OSError as error:
            self._refuse(f"{error.filename}: {error.strerror}")
        finally:
            self._end()

    def _refuse(self, reason: str) -> None:
        self._log.warning(f"Fatal error loading the DB: {reason}. Exiting.")
        raise StartRefused

    def _begin(self) -> None:
        self.active = True
        self.started_ms = self._engine.clock.refresh()
        self._engine.set_attention(attention.LOADING, True)
        self._engine.changes.expires_keys = False

    def _end(self) -> None:
        self.active = False
        self._engine.set_attention(attention.LOADING, False)
        self._engine.changes.expires_keys = True

    # --- snapshots ---------------------------------------------------------------------------------------------

    def _load_snapshot(self, path: Path, what: str) -> Iterator[None]:
        """Load a snapshot if there is one."""
        if not path.exists():
            return
        self.total_bytes = path.stat().st_size
        started_ms = self._engine.clock.refresh()
        yield from self.read_snapshot(path)
        seconds = (self._engine.clock.refresh() - started_ms) / 1000
        self._log.notice(
            f"Done loading {what}, keys loaded: {self.keys_loaded}, keys expired: {self.keys_expired}."
        )
        self._log.notice(f"DB loaded from disk: {seconds:.3f} seconds")

    def read_snapshot(self, path: Path, *, keep_expired: bool = False) -> Iterator[None]:
        """Read one RDB file into the empty databases. Raises BadData with the file's name, OSError."""
        with path.open("rb", buffering=0) as file:
            yield from self.read_from(RdbReader(file, checksum=self._config.get("rdbchecksum")), str(path), keep_expired)

    def read_from(self, reader: RdbReader, name: str, keep_expired: bool = False) -> Iterator[None]:
        """Read a data set from its header on. Raises BadData with `name`."""
        try:
            reader.read_header()
            dataset = DatasetReader(reader, self._engine.databases, self._types, self._engine.clock.now_ms, keep_expired)
            for position in dataset.steps():
                self.loaded_bytes = self._before + position
                self._engine.clock.refresh()
                yield
        except BadData as error:
            raise BadData(f"{name}: {error}") from error
        self.keys_loaded, self.keys_expired = dataset.loaded, dataset.expired
        self.take_functions(dataset.functions)
        self.take_module_aux(dataset.module_aux)

    # --- the log -----------------------------------------------------------------------------------------------

    def _load_log(self) -> Iterator[None]:
        """Load what the manifest lists, and go on appending to it."""
        folder = self._aof.folder
        folder.mkdir(mode=0o755, exist_ok=True)
        prefix = self._config.get("appendfilename")
        manifest = Manifest.read(folder, prefix)
        if manifest is None:
            manifest = self._adopt_old_log(folder, prefix)
        if manifest.files:
            self.total_bytes = sum(self._file(manifest, file).stat().st_size for file in manifest.files)
            for file in manifest.files:
                yield from self._load_file(manifest, file, last=file is manifest.files[-1])
            self._log.notice(f"DB loaded from append only file: {self._seconds():.3f} seconds")
        else:
            # Differs from Redis: where the log was switched on for a server that had only snapshots until now, Redis
            # starts empty. Here the snapshot is loaded, and becomes the log's base.
            yield from self._load_snapshot(Path(self._config.path("dbfilename")), "RDB")
        self._aof.open(manifest)

    def _seconds(self) -> float:
        return (self._engine.clock.refresh() - self.started_ms) / 1000

    def _file(self, manifest: Manifest, file: LogFile) -> Path:
        path = manifest.folder / file.name
        if not path.exists():
            raise BadManifest(f"The AOF file {path} named in the manifest does not exist")
        return path

    def _adopt_old_log(self, folder: Path, prefix: str) -> Manifest:
        """A manifest for a server that has none: empty, or with the single file of Redis before 7.0 as the base."""
        manifest = Manifest(folder, prefix)
        old = Path(self._config.get("dir")) / prefix
        if old.is_file():
            self._log.notice(f"Successfully migrated an old-style AOF configuration ({old})")
            manifest.base = LogFile(prefix, 1, "b")
            manifest.base_sequence = 1
            os.rename(old, folder / prefix)
            manifest.persist()
        return manifest

    def _load_file(self, manifest: Manifest, file: LogFile, *, last: bool) -> Iterator[None]:
        path = self._file(manifest, file)
        self._before = self.loaded_bytes
        start = 0
        if has_preamble(path):
            self._log.notice(f"Reading RDB base file on AOF loading... ({path.name})")
            with path.open("rb", buffering=0) as source:
                reader = RdbReader(source, checksum=self._config.get("rdbchecksum"))
                yield from self.read_from(reader, str(path), keep_expired=True)
                start = reader.position
        replay = LogReplay(self._engine, self._log, path)
        for offset in replay.steps(start):
            self.loaded_bytes = self._before + offset
            yield
        self.loaded_bytes = self._before + path.stat().st_size
        if not replay.truncated:
            return
        if not last or not self._config.get("aof-load-truncated"):
            raise BadLog(
                f"Unexpected end of file reading the append only file {path} at offset {replay.good_bytes}. You can: "
                "1) Make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>. "
                "2) Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart the server"
            )
        truncate(path, replay.good_bytes, self._log)

    # --- INFO --------------------------------------------------------------------------------------------------

    def info(self) -> dict[str, object]:
        """The fields of INFO's section Persistence that tell of loading."""
        fields: dict[str, object] = {"loading": int(self.active), "async_loading": 0}
        return fields

    def progress(self) -> dict[str, object]:
        """More such fields, while loading."""
        if not self.active:
            return {}
        elapsed_ms = max(self._engine.clock.now_ms - self.started_ms, 1)
        left = max(self.total_bytes - self.loaded_bytes, 0)
        per_ms = self.loaded_bytes / elapsed_ms
        return {
            "loading_start_time": self.started_ms // 1000,
            "loading_total_bytes": self.total_bytes,
            "loading_rdb_used_mem": 0,
            "loading_loaded_bytes": self.loaded_bytes,
            "loading_loaded_perc": f"{100 * self.loaded_bytes / max(self.total_bytes, 1):.2f}",
            "loading_eta_seconds": int(left / per_ms / 1000) if per_ms else 1,
        }


def has_preamble(path: Path) -> bool:
    """Whether a file begins as a snapshot."""
    with path.open("rb") as file:
        return file.read(5) == b"REDIS"
