"""The repository's own files, for the tests that read them."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
CORE = TOP / "core"
MODULE_ROOTS = sorted(path.parent for path in TOP.glob("modules/*/balas_*"))
IGNORED = {"build", "dist", ".git", "__pycache__"}


def sources(*suffixes: str) -> list[Path]:
    """Every source of core and of the bundled modules that ends in one of the suffixes."""
    return [
        path
        for root in (CORE, *MODULE_ROOTS)
        for path in sorted(root.rglob("*"))
        if path.suffix in suffixes
    ]


@cache
def repository() -> list[Path]:
    """Every file that is, or could be, committed; without git, every file outside build folders."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=TOP, capture_output=True, text=True)
    if listing.returncode == 0:
        paths = [TOP / name for name in listing.stdout.split("\0") if name]
    else:
        paths = [
            path
            for path in TOP.rglob("*")
            if not any(part in IGNORED or part.startswith(".venv") for part in path.parts)
        ]
    return sorted(path for path in paths if path.is_file())


def module_name(path: Path) -> str:
    """The import name of a source: core/balas/engine/context.pyx is balas.engine.context."""
    for root in (CORE, *MODULE_ROOTS):
        if path.is_relative_to(root):
            parts = path.relative_to(root).with_suffix("").parts
            return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    raise ValueError(f"{path} is in no source root")


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(path.read_text(), str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method of a Python file, inner ones too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def command_functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every command a file declares: its name (``"CONFIG GET"``) and its function."""
    for function in functions(path):
        for decorator in function.decorator_list:
            if (
                isinstance(decorator, ast.Call)
                and isinstance(decorator.func, ast.Name)
                and decorator.func.id == "command"
                and decorator.args
                and isinstance(decorator.args[0], ast.Constant)
            ):
                yield str(decorator.args[0].value), function
