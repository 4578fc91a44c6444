"""House rules that nobody has to remember."""

import ast
import re
import tomllib
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


@pytest.mark.parametrize("path", [p for p in repository() if p.suffix in CODE], ids=name)
def test_files_and_lines_are_not_too_long(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= FILE_LINES_MAX, "a file is one subject: split it"
    long = [n for n, line in enumerate(lines, 1) if len(line) > COLUMNS_MAX]
    assert not long, f"lines {long} are longer than {COLUMNS_MAX}"


@pytest.mark.parametrize("path", [p for p in repository() if p.suffix == ".py"], ids=name)
def test_functions_are_not_too_long(path: Path) -> None:
    long = {
        function.name: length
        for function in functions(path)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert not long


@pytest.mark.parametrize("path", sources(".pyx"), ids=name)
def test_compiled_functions_are_not_too_long(path: Path) -> None:
    assert not [found for found in cython_functions(path) if found[2] > FUNCTION_LINES_MAX]


@pytest.mark.parametrize("path", [p for p in repository() if p.suffix in TEXT], ids=name)
def test_no_banned_words(path: Path) -> None:
    text = path.read_text()
    for pattern, advice in BANNED.items():
        match = re.search(pattern, text)
        assert match is None, f"{match[0] if match else ''!r}: {advice}"


@pytest.mark.parametrize("path", sources(".pyx"), ids=name)
def test_compiled_sources_have_a_stub(path: Path) -> None:
    assert path.with_suffix(".pyi").exists(), "mypy and editors see the .pyi"


@pytest.mark.parametrize("path", sources(".py"), ids=name)
def test_no_state_outlives_a_server(path: Path) -> None:
    """A module-level container is a constant, in capitals; nothing rebinds a module's names."""
    assert not [n.lineno for n in ast.walk(tree(path)) if isinstance(n, ast.Global)]
    for node in tree(path).body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and is_container(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                constant = isinstance(target, ast.Name) and re.match(
                    r"_*[A-Z]|__all__|commands$|types$|options$", target.id
                )
                assert constant, f"line {node.lineno}: state belongs in an object"


def is_container(value: ast.expr | None) -> bool:
    """Whether an expression makes something that can be changed."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id in {"dict", "list", "set", "defaultdict", "deque", "OrderedDict"}
    return isinstance(value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp)


COMMANDS = {
    command: (function, path)
    for path in sources(".py")
    if not path.is_relative_to(CORE / "balas" / "testing")
    for command, function in command_functions(path)
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_s_docstring_opens_with_its_synopsis(command: str) -> None:
    function, _ = COMMANDS[command]
    synopsis, blank, rest = (ast.get_docstring(function) or "").partition("\n\n")
    assert synopsis == command or synopsis.startswith((command + " ", command + "\n"))
    assert blank, "a blank line follows the synopsis"
    assert rest.strip(), "the synopsis alone explains nothing"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_a_test(command: str) -> None:
    assert is_mentioned(command), f"no test under tests/ sends {command}"


def is_mentioned(command: str) -> bool:
    """Whether a test sends the command: as a line of a transcript, or in quotes in Python."""
    words = [re.escape(word) for word in command.split()]
    in_transcript = re.compile(r"^(@send |@raw ['\"])?" + r" +".join(words) + r"\b", re.I | re.M)
    in_python = re.compile(
        r"""["'\n]""" + r"""(?: +|["'], *b?["'])""".join(words) + r"""(["' \\])""", re.I
    )
    return any(
        (in_transcript if path.suffix == ".txt" else in_python).search(text)
        for path, text in texts_of_tests()
    )


def texts_of_tests() -> list[tuple[Path, str]]:
    folder = TOP / "tests"
    paths = [*folder.rglob("*.py"), *folder.rglob("*.txt")]
    return [(path, path.read_text()) for path in paths if path != Path(__file__)]


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
