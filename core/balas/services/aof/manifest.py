"""The manifest: which files make up the log, in which order.

One line a file: ``file appendonly.aof.1.base.rdb seq 1 type b``. Types: b, the base (a snapshot, or commands), at most one;
i, an increment, in rising order, the last of which is appended to; h, history: no longer needed, to be removed. The manifest is
replaced as a whole by renaming, so that a crash leaves either the old or the new one.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from balas.services.config.grammar import UnbalancedQuotes, quote, split_arguments
from balas.services.snapshots import sync_folder


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
        name = quote(self.name) if any(c in self.name for c in " \"'\\\n\t") else self.name
        return f"file {name} seq {self.sequence} type {self.kind}\n"


@dataclass
class Manifest:
    """The files of the log. `prefix` is `appendfilename`, `folder` the directory that holds them."""

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
    def files(self) -> list[LogFile]:
        """The files to load, in order."""
        return ([self.base] if self.base else []) + self.increments

    def copy(self) -> Manifest:
        """A manifest to change while this one stays in force."""
        return replace(self, increments=list(self.increments), history=list(self.history))

    def new_base(self, extension: str) -> LogFile:
        """Name the next base (extension "rdb" or "aof") and put all files there were before an increment into history."""
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

    def text(self) -> str:
        """The whole manifest."""
        ordered = ([self.base] if self.base else []) + self.history + self.increments
        return "".join(file.line() for file in ordered)

    def persist(self) -> None:
        """Put this manifest in force. Raises OSError."""
        temporary = self.folder / f"temp-{self.prefix}.manifest"
        with temporary.open("w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(self.text())
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self.path)
        sync_folder(str(self.folder))

    def remove_history(self) -> None:
        """Remove the files nobody needs, then forget them. A file that cannot be removed is tried again at the next start."""
        kept = []
        for file in self.history:
            try:
                (self.folder / file.name).unlink(missing_ok=True)
            except OSError:
                kept.append(file)
        if kept != self.history:
            self.history = kept
            with suppress(OSError):  # the old manifest still names removed history, which is harmless
                self.persist()

    @classmethod
    def read(cls, folder: Path, prefix: str) -> Manifest | None:
        """The manifest in force; None if there is none. Raises BadManifest, OSError."""
        manifest = cls(folder, prefix)
        try:
            text = manifest.path.read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return None
        if not text:
            raise BadManifest(f"Found an empty AOF manifest: {manifest.path}")
        for number, line in enumerate(text.split("\n")[:-1] if text.endswith("\n") else text.split("\n"), 1):
            if not line.startswith("#"):
                manifest._take_line(line, number)
        return manifest

    def _take_line(self, line: str, number: int) -> None:
        file = self._parse(line, number)
        if file.kind == "b":
            if self.base is not None:
                raise BadManifest(f"Found duplicate base file information in {self.path}, line {number}")
            self.base, self.base_sequence = file, file.sequence
        elif file.kind == "h":
            self.history.append(file)
        else:
            if file.sequence <= self.increment_sequence:
                raise BadManifest(f"Found a non-monotonic sequence number in {self.path}, line {number}")
            self.increments.append(file)
            self.increment_sequence = file.sequence

    def _parse(self, line: str, number: int) -> LogFile:
        wrong = BadManifest(f"Invalid AOF manifest file format: {self.path}, line {number}: {line!r}")
        try:
            words = split_arguments(line)
        except UnbalancedQuotes:
            raise wrong from None
        pairs = dict(zip(words[::2], words[1::2], strict=False))
        name, kind, sequence = pairs.get("file", ""), pairs.get("type", ""), pairs.get("seq", "")
        if len(words) % 2 or not name or kind not in ("b", "i", "h") or not sequence.isdigit():
            raise wrong
        if os.path.basename(name) != name:
            raise BadManifest(f"File can't be a path, just a filename: {self.path}, line {number}: {line!r}")
        return LogFile(name, int(sequence), kind)
