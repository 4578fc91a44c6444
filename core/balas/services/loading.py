"""Loads the data at start: the log if there is one, else the snapshot.

Loading goes in steps, so that whoever drives it can let clients be answered in between (with
-LOADING, or INFO). What cannot be loaded stops the start: the reason, with file and offset, is in
the log, and nothing on disk is touched.

While data are loaded no key's time comes: a log was written when it was not yet over, and what
follows in it may have made the key permanent.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from balas.engine import attention
from balas.engine.dispatch import Engine
from balas.errors import BadData
from balas.services.aof.append import AppendOnlyFile
from balas.services.aof.load import BadLog, LogReplay, truncate
from balas.services.aof.manifest import BadManifest, LogFile, Manifest
from balas.services.children import WorkFailed
from balas.services.config.store import Config
from balas.services.log import Log
from balas.services.rdb.dataset import DatasetReader
from balas.services.rdb.reader import RdbReader
from balas.services.snapshots import Snapshots
from balas.services.system import StartRefused
from balas.types.registry import TypeRegistry

# What a snapshot says of itself, by name.
Remarks = dict[bytes, bytes]
# What a module kept beside the keys: type id, after the keys?, its bytes.
ModuleAux = tuple[int, bool, bytes]

PROGRESS_LOG_MS = 5000


class LoadFailed(Exception):
    """The data cannot be loaded; says why, with file and offset."""


class Loading:
    """The loading of one server.

    Attributes:
        active: whether it is under way.
        total_bytes, loaded_bytes: of the files; started_ms: when it began.
        keys_loaded, keys_expired: of the last snapshot loaded.
        remarks: of the last snapshot loaded.
        take_functions, take_module_aux: get what a snapshot holds beside the keys; raise BadData.
        take_place: gets the remarks of the snapshot that all data were loaded from at the start.
        on_loaded: called when all keys are there, after the start and after every reload.
    """

    def __init__(
        self,
        engine: Engine,
        config: Config,
        log: Log,
        types: TypeRegistry,
        snapshots: Snapshots,
        aof: AppendOnlyFile,
    ) -> None:
        self._engine = engine
        self._config = config
        self._log = log
        self._types = types
        self._snapshots = snapshots
        self._aof = aof
        self.active = False
        self.started_ms = 0
        self.total_bytes = 0
        self.loaded_bytes = 0
        self.keys_loaded = 0
        self.keys_expired = 0
        self.take_functions: Callable[[list[bytes]], None] = lambda functions: None
        self.remarks: Remarks = {}
        self.take_place: Callable[[Remarks], None] = lambda remarks: None
        self.take_module_aux: Callable[[list[ModuleAux]], None] = lambda found: None
        self.on_loaded: list[Callable[[], None]] = []
        self._dataset: DatasetReader | None = None
        self._before = 0
        self._told_ms = 0

    # --- the start, and again --------------------------------------------------------------------

    def steps(self) -> Iterator[None]:
        """Load everything and open the log. Raises StartRefused."""
        try:
            yield from self._guarded(self._start())
        except LoadFailed as error:
            self._log.warning(f"Fatal error loading the DB: {error}. Exiting.")
            raise StartRefused from error

    def _start(self) -> Iterator[None]:
        if not self._config.get("appendonly"):
            follows = self._config.get("replicaof") is not None
            yield from self._load_snapshot(keep_expired=follows)
            if follows or not self.keys_expired:
                self.take_place(self.remarks)
            return
        folder = self._aof.folder
        folder.mkdir(mode=0o755, exist_ok=True)
        manifest = self._find_manifest(folder)
        if manifest.files:
            yield from self._load_log(manifest)
            self._engine.reset_stats()  # of commands that clients sent before this start
        else:
            # Differs from Redis: where the log was switched on for a server that had only
            # snapshots until now, Redis starts empty. Here the snapshot becomes the log's base.
            yield from self._load_snapshot()
        self._aof.open(manifest)

    def reload(self, *, flush: bool = True, replace: bool = False) -> None:
        """Load the snapshot again, in one go, into databases that are emptied before (`flush`).

        With `replace` keys that are there are overwritten, instead of being a fault of the file.
        Raises LoadFailed; what was loaded until then is there.
        """
        for _ in self._guarded(self._again(flush, self._load_snapshot(replace=replace))):
            pass

    def replace(self, path: Path) -> Iterator[None]:
        """Load the snapshot that a primary has sent in place of all data, in steps; the data that
        were here are freed in between. Raises LoadFailed; what was loaded until then is there.
        """
        steps = self._load_snapshot(path, keep_expired=True)
        yield from self._guarded(self._again(True, steps, lazy=True))

    def reload_log(self) -> None:
        """Replay the log again, in one go, into empty databases. Raises LoadFailed."""
        if self._aof.manifest is not None:
            self._aof.flush()
            for _ in self._guarded(self._again(True, self._load_log(self._aof.manifest))):
                pass

    def _again(self, flush: bool, steps: Iterator[None], *, lazy: bool = False) -> Iterator[None]:
        if flush:
            for db in self._engine.databases:
                db.flush(lazy)
        yield from steps
        for db in self._engine.databases:
            self._engine.changes.touch_all(db)

    def _guarded(self, steps: Iterator[None]) -> Iterator[None]:
        """Load under the sign of loading; whatever is wrong with the files is a LoadFailed."""
        self._begin()
        try:
            yield from steps
        except (BadData, BadLog, BadManifest, WorkFailed) as error:
            raise LoadFailed(str(error)) from error
        except OSError as error:
            raise LoadFailed(f"{error.filename}: {error.strerror}") from error
        finally:
            self._end()
        for action in self.on_loaded:
            action()

    def _begin(self) -> None:
        self.active = True
        self.started_ms = self._told_ms = self._engine.clock.refresh()
        self.total_bytes = self.loaded_bytes = self._before = 0
        self._engine.set_attention(attention.LOADING, True)
        self._engine.changes.set_loading(True)
        self._engine.pause.keep_keys("loading", True)

    def _end(self) -> None:
        self.active = False
        self._dataset = None
        self._engine.set_attention(attention.LOADING, False)
        self._engine.changes.set_loading(False)
        self._engine.pause.keep_keys("loading", False)

    def _seconds_since(self, started_ms: int) -> str:
        return f"{(self._engine.clock.refresh() - started_ms) / 1000:.3f} seconds"

    def _reader(self, file: io.RawIOBase) -> RdbReader:
        return RdbReader(
            file,
            checksum=self._config.get("rdbchecksum"),
            limits=self._engine.limits,
            now_ms=self._engine.clock.now_ms,
        )

    # --- snapshots -------------------------------------------------------------------------------

    def _load_snapshot(
        self, given: Path | None = None, *, replace: bool = False, keep_expired: bool = False
    ) -> Iterator[None]:
        """Load this snapshot, or one's own if there is one."""
        path = given or Path(self._snapshots.path)
        if given is None and not (self._config.get("dbfilename") and path.exists()):
            return
        started_ms = self._engine.clock.refresh()
        self.total_bytes = path.stat().st_size
        with path.open("rb", buffering=0) as file:
            reader = self._reader(file)
            yield from self._read(reader, path, keep_expired=keep_expired, replace=replace)
        self._log.notice(f"DB loaded from disk: {self._seconds_since(started_ms)}")

    def _read(
        self, reader: RdbReader, path: Path, *, keep_expired: bool = False, replace: bool = False
    ) -> Iterator[None]:
        """Read a data set from its header on. Raises BadData with the file's name."""
        try:
            reader.read_header()
            dataset = self._dataset = DatasetReader(
                reader,
                self._engine.databases,
                self._types,
                self._engine.clock.now_ms,
                keep_expired=keep_expired,
                replace=replace,
                delay_us=self._config.get("key-load-delay"),
            )
            for position in dataset.steps(
                self._config.get("loading-process-events-interval-bytes")
            ):
                self._advance(position)
                yield
            self.take_functions(dataset.functions)
            self.take_module_aux(dataset.module_aux)
        except BadData as error:
            raise BadData(f"{path}: {error}") from error
        self.remarks = dataset.aux
        self.keys_loaded, self.keys_expired = dataset.loaded, dataset.expired
        self._log.notice(
            f"Done loading RDB, keys loaded: {dataset.loaded}, keys expired: {dataset.expired}."
        )
        for name, count in sorted(self._types.orphans.items()):
            if count:
                self._log.warning(
                    f"No module understands the type '{name}': {count} values of it are kept as "
                    "they are"
                )

    def _advance(self, position: int) -> None:
        """So much of the file under way is loaded."""
        self.loaded_bytes = self._before + position
        now_ms = self._engine.clock.refresh()
        if now_ms - self._told_ms >= PROGRESS_LOG_MS:
            self._told_ms = now_ms
            percent = 100 * self.loaded_bytes / max(self.total_bytes, 1)
            self._log.notice(f"Loading the DB: {percent:.1f}% of {self.total_bytes >> 20} MB")

    # --- the log ---------------------------------------------------------------------------------

    def _find_manifest(self, folder: Path) -> Manifest:
        """The manifest in force; an empty one for a log that begins today."""
        prefix = self._config.get("appendfilename")
        old = Path(self._config.get("dir")) / prefix
        manifest = Manifest.read(folder, prefix)
        if manifest is None:
            if not old.is_file():
                return new_manifest(folder, prefix, self._log)
            # The single file of Redis before 7.0. The manifest first: a crash in between leaves
            # one that names a file which is still in its old place.
            manifest = Manifest(folder, prefix, LogFile(prefix, 1, "b"), base_sequence=1)
            manifest.persist()
        path = folder / prefix
        adopted = manifest.base is not None and manifest.base.name == prefix
        if adopted and not path.exists() and old.is_file():
            old.rename(path)
            self._log.notice(f"Successfully migrated an old-style AOF configuration ({old})")
        return manifest

    def _load_log(self, manifest: Manifest) -> Iterator[None]:
        """Load all files that a manifest names."""
        for file in manifest.files:
            path = manifest.path_of(file)
            if not path.exists():
                raise BadManifest(f"The AOF file {path} named in the manifest does not exist")
            self.total_bytes += path.stat().st_size
        for file in manifest.files:
            yield from self._load_file(manifest, file)
        self._log.notice(f"DB loaded from append only file: {self._seconds_since(self.started_ms)}")

    def _load_file(self, manifest: Manifest, file: LogFile) -> Iterator[None]:
        path = manifest.path_of(file)
        size = path.stat().st_size
        started_ms = self._engine.clock.refresh()
        start = 0
        if has_preamble(path):
            self._log.notice("Reading RDB base file on AOF loading...")
            with path.open("rb", buffering=0) as source:
                reader = self._reader(source)
                yield from self._read(reader, path, keep_expired=True)
                start = reader.position
        replay = LogReplay(self._engine, self._log, path)
        for offset in replay.steps(start):
            self._advance(offset)
            yield
        self._before += size
        self.loaded_bytes = self._before
        if replay.truncated:
            self._cut(path, replay.good_bytes, last=file is manifest.files[-1])
        kind = "base" if file.kind == "b" else "incr"
        took = self._seconds_since(started_ms)
        self._log.notice(f"DB loaded from {kind} file {path.name}: {took}")

    def _cut(self, path: Path, size: int, *, last: bool) -> None:
        """Cut the end off that a crash has left, if that may be done. Raises BadLog, OSError."""
        if last and self._config.get("aof-load-truncated"):
            truncate(path, size, self._log)
            return
        why = "and aof-load-truncated is off" if last else "and it is not the last file of the log"
        raise BadLog(
            f"Unexpected end of file reading the append only file {path} at offset {size}, {why}. "
            "You can: 1) Make a backup of your AOF file, then use ./redis-check-aof --fix "
            "<filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' "
            "configuration option to yes and restart the server"
        )

    # --- INFO ------------------------------------------------------------------------------------

    def info(self) -> dict[str, object]:
        """The fields that INFO's section Persistence begins with."""
        return {"loading": int(self.active), "async_loading": 0}

    def last_info(self) -> dict[str, object]:
        """The fields of INFO's section Persistence that tell of the last snapshot loaded."""
        return {
            "rdb_last_load_keys_expired": self.keys_expired,
            "rdb_last_load_keys_loaded": self.keys_loaded,
        }

    def progress(self) -> dict[str, object]:
        """More such fields, while loading."""
        if not self.active:
            return {}
        elapsed_ms = max(self._engine.clock.now_ms - self.started_ms, 1)
        left = max(self.total_bytes - self.loaded_bytes, 0)
        per_ms = self.loaded_bytes / elapsed_ms
        used = self._dataset.aux.get(b"used-mem", b"0") if self._dataset is not None else b"0"
        return {
            "loading_start_time": self.started_ms // 1000,
            "loading_total_bytes": self.total_bytes,
            "loading_rdb_used_mem": int(used) if used.isdigit() else 0,
            "loading_loaded_bytes": self.loaded_bytes,
            "loading_loaded_perc": f"{100 * self.loaded_bytes / max(self.total_bytes, 1):.2f}",
            "loading_eta_seconds": int(left / per_ms / 1000) if per_ms else 1,
        }


def has_preamble(path: Path) -> bool:
    """Whether a file begins as a snapshot."""
    with path.open("rb") as file:
        return file.read(5) == b"REDIS"


def new_manifest(folder: Path, prefix: str, log: Log) -> Manifest:
    """The manifest of a new log. Raises BadManifest if there are records that none names.

    A crash can leave a base that was made for a log whose manifest was not written any more; its
    name is not used again. Records are only ever written to files that a manifest names: where it
    is gone, a person has to say what shall become of them.
    """
    manifest = Manifest(folder, prefix)
    form = re.compile(re.escape(prefix) + r"\.([0-9]{1,18})\.(base|incr)\.(rdb|aof)")
    for path in folder.iterdir():
        match = form.fullmatch(path.name)
        if match is None:
            continue
        number, kind = int(match[1]), match[2]
        if kind == "base":
            log.warning(f"{path} is left from a log without a manifest and is not loaded")
            manifest.base_sequence = max(manifest.base_sequence, number)
        elif path.stat().st_size:
            raise BadManifest(
                f"The AOF file {path} is there, but no manifest {manifest.path.name} that names it"
            )
    return manifest
