"""The manifest: which files make up the log, in which order.

One line a file: ``file appendonly.aof.1.base.rdb seq 1 type b``. Types: b, the base (a snapshot, or
commands), at most one; i, an increment, in rising order, the last of which is appended to; h,
history: no longer needed, to be removed. The manifest is replaced as a whole by renaming, so that a
crash leaves either the old or the new one; the files a new one names are there before it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from balas.services.config.grammar import UnbalancedQuotes, quote, split_arguments
from balas.services.disk import remove_quietly, sync_folder

NEEDS_QUOTES = frozenset(" \"'\\\r\n\t")


class BadManifest(Exception):
    """A manifest that makes no sense; names the file and the line."""


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of the log; `kind` is "b", "i" or "h"."""

    name: str
    sequence: int
    kind: str

    def line(self) -> str:
        """As the manifest writes it."""
        name = quote(self.name) if NEEDS_QUOTES & set(self.name) else self.name
        return f"file {name} seq {self.sequence} type {self.kind}\n"


@dataclass
class Manifest:
    """The files of the log. `prefix` is `appendfilename`, `folder` the directory that holds them.

    Attributes:
        base_sequence, increment_sequence: the highest that were given out.
    """

    folder: Path
    prefix: str
    base: LogFile | None = None
    increments: list[LogFile] = field(default_factory=list)
    history: list[LogFile] = field(default_factory=list)
    base_sequence: int = 0
    increment_sequence: int = 0

    @property
    def path(self) -> Path:
        """The manifest's own file."""
        return self.folder / f"{self.prefix}.manifest"

    @property
    def temporary_increment(self) -> Path:
        """Where records are written while the log is being switched on and has no base yet."""
        return self.folder / f"temp-{self.prefix}.incr"

    @property
    def files(self) -> list[LogFile]:
        """The files to load, in order."""
        return ([self.base] if self.base else []) + self.increments

    def path_of(self, file: LogFile) -> Path:
        """Where a file is."""
        return self.folder / file.name

    # --- changing --------------------------------------------------------------------------------

    def copy(self) -> Manifest:
        """A manifest to change while this one stays in force."""
        return replace(self, increments=list(self.increments), history=list(self.history))

    def new_base(self, extension: str) -> LogFile:
        """Name the next base (extension "rdb" or "aof") and put the one before into history."""
        if self.base is not None:
            self.history.append(replace(self.base, kind="h"))
        self.base_sequence += 1
        name = f"{self.prefix}.{self.base_sequence}.base.{extension}"
        self.base = LogFile(name, self.base_sequence, "b")
        return self.base

    def new_increment(self) -> LogFile:
        """Name and add the next file to append to."""
        self.increment_sequence += 1
        name = f"{self.prefix}.{self.increment_sequence}.incr.aof"
        self.increments.append(LogFile(name, self.increment_sequence, "i"))
        return self.increments[-1]

    def retire_increments(self, count: int) -> None:
        """Put the first `count` increments into history: a new base holds what they say."""
        self.history += [replace(file, kind="h") for file in self.increments[:count]]
        del self.increments[:count]

    def give_up(self, other: Manifest) -> None:
        """Note that `other`, made from a copy of this one, could not be brought in force for sure.

        Whichever of the two a crash would leave, its files are there; none of their names is used
        again, and what only the other one names is removed when the next one is in force.
        """
        self.base_sequence = other.base_sequence
        self.increment_sequence = other.increment_sequence
        known = {file.name for file in (*self.files, *self.history)}
        self.history += [replace(file, kind="h") for file in other.files if file.name not in known]

    # --- on disk ---------------------------------------------------------------------------------

    def text(self) -> str:
        """The whole manifest."""
        ordered = ([self.base] if self.base else []) + self.history + self.increments
        return "".join(file.line() for file in ordered)

    def persist(self) -> None:
        """Put this manifest in force. Raises OSError; then it may or may not be (see `give_up`)."""
        temporary = self.folder / f"temp-{self.prefix}.manifest"
        try:
            with temporary.open("w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(self.text())
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self.path)
        except OSError:
            remove_quietly(temporary)
            raise
        sync_folder(str(self.folder))

    def take_history(self) -> list[Path]:
        """Forget the files nobody needs any more; returns them, to be removed."""
        needed = {file.name for file in self.files}
        paths = [self.path_of(file) for file in self.history if file.name not in needed]
        self.history = []
        return paths

    @classmethod
    def read(cls, folder: Path, prefix: str) -> Manifest | None:
        """The manifest in force; None if there is none. Raises BadManifest, OSError."""
        manifest = cls(folder, prefix)
        try:
            text = manifest.path.read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return None
        if not text:
            raise BadManifest(f"{manifest.path}: found an empty AOF manifest")
        *lines, rest = text.split("\n")
        if rest:
            raise BadManifest(f"{manifest.path}, line {len(lines) + 1}: the line has no end")
        manifest._take_lines(lines)
        return manifest

    def _take_lines(self, lines: Iterable[str]) -> None:
        for number, line in enumerate(lines, 1):
            if not line.startswith("#"):
                self._take_line(line, f"{self.path}, line {number}: {line!r}: ")

    def _take_line(self, line: str, where: str) -> None:
        file = parse_line(line, where)
        if file.kind == "b":
            if self.base is not None:
                raise BadManifest(f"{where}found duplicate base file information")
            self.base, self.base_sequence = file, file.sequence
        elif file.kind == "h":
            self.history.append(file)
        else:
            if file.sequence <= self.increment_sequence:
                raise BadManifest(f"{where}found a non-monotonic sequence number")
            self.increments.append(file)
            self.increment_sequence = file.sequence


def parse_line(line: str, where: str) -> LogFile:
    """The file that a line tells of, in pairs of a name and a value; unknown names are for later
    versions. Raises BadManifest that begins with `where`.
    """
    try:
        words = split_arguments(line)
    except UnbalancedQuotes:
        words = []
    pairs = {key.lower(): value for key, value in zip(words[::2], words[1::2], strict=False)}
    name, kind, sequence = (pairs.get(key, "") for key in ("file", "type", "seq"))
    if len(words) % 2 or not name or not kind or not sequence.isdecimal() or not int(sequence):
        raise BadManifest(f"{where}invalid AOF manifest file format")
    if os.path.basename(name) != name or "\0" in name:
        raise BadManifest(f"{where}file can't be a path, just a filename")
    if kind not in ("b", "i", "h"):
        raise BadManifest(f"{where}unknown AOF file type")
    return LogFile(name, int(sequence), kind)
