"""LOAD CSV: the rows of files in one folder, and of no other place."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from balas.api import Option
from balas_graph.errors import QueryError
from balas_graph.evaluation.run import Row, Run
from balas_graph.language import tree

SCHEME = "file://"
IMPORT_FOLDER = "graph-import-folder"
OPTIONS = (Option(IMPORT_FOLDER, "", mutable=False, doc="The folder that LOAD CSV reads from."),)


def located(source: object, folder: str) -> Path:
    """The file of a URI, which lies in the folder whatever its name says."""
    if not isinstance(source, str):
        raise QueryError("URI to CSV must be a string")
    if not source.startswith(SCHEME):
        raise QueryError("Unsupported URI")
    if not folder:
        raise QueryError(f"LOAD CSV needs a folder: set {IMPORT_FOLDER}")
    root = Path(folder).resolve()
    path = (root / source.removeprefix(SCHEME).lstrip("/")).resolve()
    if not path.is_relative_to(root):
        raise QueryError(f"Error opening CSV URI: {source}")
    return path


def records(path: Path, source: object, separator: str) -> Iterator[list[str | None]]:
    """The lines of a file; a field with nothing in it is null."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for line in csv.reader(file, delimiter=separator, strict=True):
                if line:
                    yield [field.strip() or None for field in line]
    except (OSError, UnicodeDecodeError) as error:
        raise QueryError(f"Error opening CSV URI: {source}") from error
    except csv.Error as error:
        raise QueryError(f"Error reading CSV URI: {source}: {error}") from error


def load(clause: tree.LoadCsv, rows: list[Row], run: Run) -> list[Row]:
    """For each row one for each line: a list, or a map by the names in the first line."""
    evaluate = run.compiler.compile(clause.source)
    result: list[Row] = []
    for row in rows:
        source = evaluate(row, run)
        path = located(source, run.import_folder)
        width, names = None, None
        for line in records(path, source, clause.separator):
            run.step(len(result))
            width = len(line) if width is None else width
            if len(line) != width:
                raise QueryError("CSV row of unexpected length")
            if clause.headers and names is None:
                names = [name or "" for name in line]
                continue
            value: object = line
            if names is not None:
                pairs = zip(names, line, strict=True)
                value = {name: field for name, field in pairs if field is not None}
            result.append({**row, clause.variable: value})
    return result
