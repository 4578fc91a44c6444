"""House rules that nobody has to remember."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sources import (
    CORE,
    MODULE_ROOTS,
    TOP,
    command_functions,
    functions,
    repository,
    sources,
    tree,
)

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 100
CODE = {".py", ".pyi", ".pyx", ".pxd", ".sh", ".toml"}
TEXT = CODE | {".md", ".txt", ".cfg", ".conf", ".yml", ""}

# Each with what to do instead. Written in pieces, or this file would offend.
BANNED = {
    r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b": "finish it, or say in README what is missing",
    r"(?<![\w.<])/(work|farm|root|home)/\w": "a path of one machine means nothing on another",
    r"suppress\((Base)?Exception\)": "say which exception is expected",
}

# Names at the top of a file that may hold a container: nobody changes it once the file is imported.
CONSTANT = re.compile(r"_*[A-Z]|__all__|commands$|types$|options$")


def name(path: Path) -> str:
    return str(path.relative_to(TOP))


def cython_functions(path: Path) -> list[tuple[str, int, int]]:
    """Name, first line and length of each function of a .pyx, judged by indentation."""
    found = []
    lines = path.read_text().splitlines()
    head = re.compile(r"^(\s*)(?:async\s+)?(?:def|cdef(?! class)|cpdef)\b[^=\n]*?(\w+)\s*\(")
    for number, line in enumerate(lines):
        if match := head.match(line):
            indent = len(match[1])
            end = number + 1
            while end < len(lines) and not ends_function(lines[end], indent):
                end += 1
            while not lines[end - 1].strip():
                end -= 1
            found.append((match[2], number + 1, end - number))
    return found


def ends_function(line: str, indent: int) -> bool:
    """Whether a line stands outside the function whose head has this indent."""
    stripped = line.strip()
    depth = len(line) - len(line.lstrip())
    return bool(stripped) and depth <= indent and not stripped.startswith(("#", ")"))


def files(suffixes: set[str]) -> Iterator[tuple[str, Path]]:
    """Name and path of every file of the repository that ends in one of the suffixes."""
    found = [(name(path), path) for path in repository() if path.suffix in suffixes]
    assert found
    yield from found


def test_files_and_lines_are_not_too_long() -> None:
    offences = []
    for file, path in files(CODE):
        lines = path.read_text().splitlines()
        if len(lines) > FILE_LINES_MAX:
            offences.append(f"{file}: {len(lines)} lines; a file is one subject: split it")
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX:
                offences.append(f"{file}:{number}: longer than {COLUMNS_MAX}")
    assert not offences


def test_functions_are_not_too_long() -> None:
    offences = []
    for file, path in files({".py"}):
        for function in functions(path):
            length = (function.end_lineno or 0) - function.lineno + 1
            if length > FUNCTION_LINES_MAX:
                offences.append(f"{file}:{function.lineno}: {function.name} has {length} lines")
    assert not offences


def test_compiled_functions_are_not_too_long() -> None:
    found = [(name(path), *each) for path in sources(".pyx") for each in cython_functions(path)]
    assert found
    assert not [each for each in found if each[-1] > FUNCTION_LINES_MAX]


def test_no_banned_words() -> None:
    offences = []
    for file, path in files(TEXT):
        text = path.read_text()
        for pattern, advice in BANNED.items():
            offences += [f"{file}: {m[0]!r}: {advice}" for m in re.finditer(pattern, text)]
    assert not offences


def test_compiled_sources_have_a_stub() -> None:
    """Mypy and editors see the .pyi."""
    paths = sources(".pyx")
    assert paths
    assert not [name(path) for path in paths if not path.with_suffix(".pyi").exists()]


def test_no_state_outlives_a_server() -> None:
    """A module-level container is a constant, in capitals; nothing rebinds a module's names."""
    paths = sources(".py")
    assert paths
    assert not [f"{name(path)}:{line}" for path in paths for line in lines_with_state(tree(path))]


def lines_with_state(module: ast.Module) -> Iterator[int]:
    """The lines that keep what belongs in an object."""
    yield from (node.lineno for node in ast.walk(module) if isinstance(node, ast.Global))
    for node in module.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and is_container(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if not isinstance(target, ast.Name) or not CONSTANT.match(target.id):
                    yield node.lineno


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("cache = {}", [1]),
        ("found: list[int] = []", [1]),
        ("LIMITS = {}\n_KNOWN = set()\n__all__ = []\ncommands = []", []),
        ("x = 1\ndef f():\n    global x\n    x = 2", [3]),
        ("a.b = dict()", [1]),
        ("def f():\n    held = {}", []),
    ],
)
def test_state_is_seen(code: str, lines: list[int]) -> None:
    assert list(lines_with_state(ast.parse(code))) == lines


def is_container(value: ast.expr | None) -> bool:
    """Whether an expression makes something that can be changed."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id in {"dict", "list", "set", "defaultdict", "deque", "OrderedDict"}
    return isinstance(value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp)


def declared() -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Name and function of every command of core and of the bundled modules."""
    found = [
        each
        for path in sources(".py")
        if not path.is_relative_to(CORE / "balas" / "testing")
        for each in command_functions(path)
    ]
    assert found
    return found


def test_a_command_s_docstring_opens_with_its_synopsis() -> None:
    """A blank line follows, and then what it does: a synopsis alone explains nothing."""
    offences = []
    for command, function in declared():
        synopsis, blank, rest = (ast.get_docstring(function) or "").partition("\n\n")
        opens = synopsis == command or synopsis.startswith((command + " ", command + "\n"))
        if not (opens and blank and rest.strip()):
            offences.append(command)
    assert not offences


def test_a_command_has_a_test() -> None:
    """A test sends it: as a line of a transcript, or in quotes in Python."""
    folder = TOP / "tests"
    in_python = "\n".join(p.read_text() for p in folder.rglob("*.py") if p != Path(__file__))
    in_transcripts = "\n".join(path.read_text() for path in folder.rglob("*.txt"))
    offences = []
    for command, _ in declared():
        words = [re.escape(word) for word in command.split()]
        line = r"^(@send |@raw ['\"])?" + r" +".join(words) + r"\b"
        quoted = r"""["'\n]""" + r"""(?: +|["'], *b?["'])""".join(words) + r"""(["' \\])"""
        if not (re.search(line, in_transcripts, re.I | re.M) or re.search(quoted, in_python, re.I)):
            offences.append(command)
    assert not offences


def test_readme_names_the_two_commands_first() -> None:
    blocks = re.findall(r"^ {4}(make \w+)", (TOP / "README.md").read_text(), re.M)
    assert blocks[:2] == ["make run", "make test"]


def test_a_bundled_module_is_known_to_the_settings() -> None:
    settings = tomllib.loads((TOP / "pyproject.toml").read_text())
    entry_points = settings["project"]["entry-points"]["balas.modules"].values()
    for root in MODULE_ROOTS:
        folder = str(root.relative_to(TOP))
        (package,) = (path.name for path in root.glob("balas_*"))
        assert folder in settings["tool"]["mypy"]["mypy_path"]
        assert any(target.startswith(package + ":") for target in entry_points)
        assert (root / package / "py.typed").exists()
