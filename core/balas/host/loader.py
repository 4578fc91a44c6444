"""Finds the class of a module: by the name of an entry point, a dotted name, or a path.

    bf                          an entry point of the group "balas.modules" of an installed package
    package.module:Class        an importable class; without ":Class", the only module in there
    rings.py, ./rings/          a file or the folder of a package, relative to the server's `dir`

What is loaded by its path is imported under a name that nobody else can have, so that two servers,
or the old and the new code of a reload, never meet; nothing of it is left in `sys.modules` when it
is forgotten. Installed packages are imported as always, once for the whole process, and imported
anew by a reload or a second load. The last server that unloads one takes it out of `sys.modules`,
unless the program had imported it before. None of that can be done to a package with compiled
parts, which Python takes in only once.

The rule a reader would get wrong: code is compiled from its source, never taken from
`__pycache__`, wherever it may have been edited a moment ago. The cache knows the age of a file only
to the second.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TypeGuard

from balas.host.errors import ModuleError, reason
from balas.host.module import Module

GROUP = "balas.modules"
DISTRIBUTION = "balas"
# Set on an installed package that was imported for servers: how many of them use it now.
USERS = "__balas_users__"


@dataclass(frozen=True, slots=True)
class Found:
    """A module's class and where it came from.

    Attributes:
        target: as it was asked for; asking again finds the same.
        path: what MODULE LIST shows: an absolute path, or the file of an installed package.
        as_it_was: the code was to be read anew, but has compiled parts.
        undo: makes the import undone, where the loading failed after it.
        forget: removes what only this module uses from `sys.modules`.
    """

    kind: type[Module]
    target: str
    path: str
    as_it_was: bool
    undo: Callable[[], None]
    forget: Callable[[], None]

    def holds(self, file: str) -> bool:
        """Whether a source file is one of the module's."""
        if file == self.path:
            return True
        folder = Path(self.path)
        if not is_path(self.target):
            depth = self.kind.__module__.count(".") + (folder.name == "__init__.py")
            folder = folder.parents[depth - 1] if depth else folder
        return file.startswith(f"{folder}{os.sep}")


class Loader:
    """Finds and imports modules for one server. `folder` is what relative paths start from."""

    def __init__(self, folder: Callable[[], str]) -> None:
        self._folder = folder
        self._count = 0
        self._imported: set[str] = set()

    def find(self, target: str, *, anew: bool = False) -> Found:
        """The module that `target` names; `anew`: read installed code again, too.

        Raises ModuleError with the reason, whatever the imported code does.
        """
        if is_path(target):
            return self._find_by_path(target)
        entry = installed().get(target)
        if entry is None and not re.fullmatch(r"[\w.]+(:\w+)?", target):
            raise ModuleError(f"there is no module '{target}'")
        return self._find_by_name(target, entry.value if entry else target, anew)

    # --- by path ---------------------------------------------------------------------------------

    def _find_by_path(self, target: str) -> Found:
        path, class_name = split_class(target)
        path = package_in(os.path.normpath(os.path.join(self._folder(), path)))
        if not os.path.exists(path):
            raise ModuleError(f"there is no file {path}")
        name = self._private_name(path)

        def forget() -> None:
            for known in family(name):
                del sys.modules[known]

        try:
            kind = module_class(import_file(name, path), class_name, target)
        except (ModuleError, KeyboardInterrupt):
            forget()
            raise
        except BaseException as error:
            forget()
            raise explained(error, target, path) from error
        return Found(
            kind, f"{path}:{class_name}" if class_name else path, path, False, forget, forget
        )

    def _private_name(self, path: str) -> str:
        """A name for the import that no other server, and no other load of this one, uses."""
        self._count += 1
        stem = re.sub(r"\W", "_", os.path.basename(path).removesuffix(".py"))
        return f"_balas_{id(self):x}_{self._count}_{stem}"

    # --- by name ---------------------------------------------------------------------------------

    def _find_by_name(self, target: str, value: str, anew: bool) -> Found:
        name, class_name = split_class(value)
        root = name.split(".")[0]
        before = {known: sys.modules[known] for known in family(root)}
        as_it_was = anew and has_compiled_parts(before)
        anew = (anew or root in self._imported) and not has_compiled_parts(before)

        def undo() -> None:
            drop(root)
            sys.modules.update(before)

        try:
            module = import_anew(name) if anew else importlib.import_module(name)
            kind = module_class(module, class_name, target)
        except (ModuleError, KeyboardInterrupt):
            undo()
            raise
        except BaseException as error:
            undo()
            if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
                raise ModuleError(f"there is no module '{target}'") from None
            raise explained(error, target) from error
        self._imported.add(root)
        path = sys.modules[kind.__module__].__file__ or name
        package = sys.modules[root]
        # What the program has imported itself is the program's.
        if before and not hasattr(before.get(root), USERS):
            return Found(kind, target, path, as_it_was, undo if anew else nothing, nothing)
        used(package, 1)

        def forget() -> None:
            if not used(package, -1) and sys.modules.get(root) is package:
                drop(root)

        def undo_use() -> None:
            used(package, -1)
            undo()

        return Found(kind, target, path, as_it_was, undo_use, forget)

    # --- whose it is -----------------------------------------------------------------------------

    def is_bundled(self, target: str) -> bool:
        """Whether this is a module that comes with Balas itself."""
        return not is_path(target) and target in bundled()


def installed() -> dict[str, EntryPoint]:
    """The modules that installed packages offer, by name."""
    return {entry.name: entry for entry in offered()}


def bundled() -> list[str]:
    """Names of the modules that come with Balas itself."""
    return [entry.name for entry in offered() if entry.dist and entry.dist.name == DISTRIBUTION]


def offered() -> tuple[EntryPoint, ...]:
    """The modules that installed packages offer; looked for again when one has come or gone."""
    return offered_in(tuple((folder, changed_ns(folder)) for folder in sys.path))


@lru_cache(maxsize=1)
def offered_in(folders: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    """The same, for folders as they were changed last."""
    return tuple(entry_points(group=GROUP))


def changed_ns(folder: str) -> int:
    """When something has come into a folder or gone; -1 if there is none."""
    try:
        return os.stat(folder or ".").st_mtime_ns
    except OSError:
        return -1


def is_path(target: str) -> bool:
    """Whether a target names a file or folder."""
    return os.sep in target or split_class(target)[0].endswith(".py")


def split_class(target: str) -> tuple[str, str]:
    """The target without the class at its end, and that class or an empty text."""
    match = re.fullmatch(r"(.*?)(?::(\w+))?", target, re.S)
    return (match[1], match[2] or "") if match else (target, "")


def nothing() -> None:
    """Nothing is to be undone."""


def used(package: ModuleType, by: int) -> int:
    """How many servers use an installed package, after so many more or fewer."""
    count: int = getattr(package, USERS, 0) + by
    setattr(package, USERS, count)
    return count


def drop(root: str) -> None:
    """Take a package out of what Python has imported, unless it has compiled parts."""
    known = {name: sys.modules[name] for name in family(root)}
    if not has_compiled_parts(known):
        for name in known:
            del sys.modules[name]


def family(root: str) -> list[str]:
    """Every imported module of a package: its own name and those below it."""
    return [name for name in sys.modules if name == root or name.startswith(root + ".")]


def has_compiled_parts(modules: dict[str, ModuleType]) -> bool:
    """Whether one of them is an extension, which cannot be imported a second time."""
    files = [getattr(module, "__file__", None) or "" for module in modules.values()]
    return any(file.endswith(tuple(EXTENSION_SUFFIXES)) for file in files)


def import_file(name: str, path: str) -> ModuleType:
    """Import a file, or the package of a folder, under this name."""
    folder = os.path.isdir(path)
    file = os.path.join(path, "__init__.py") if folder else path
    spec = importlib.util.spec_from_file_location(
        name, file, submodule_search_locations=[path] if folder else None
    )
    if spec is None or spec.loader is None:
        raise ModuleError(f"{os.path.basename(path)} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with sources_alone():
        spec.loader.exec_module(module)
    return module


def import_anew(name: str) -> ModuleType:
    """Import an installed module again, with all of its package."""
    for known in family(name.split(".")[0]):
        del sys.modules[known]
    with sources_alone():
        return importlib.import_module(name)


@contextmanager
def sources_alone() -> Iterator[None]:
    """Within, Python neither reads nor writes compiled code of the modules it imports."""
    before = sys.dont_write_bytecode, sys.pycache_prefix
    sys.dont_write_bytecode, sys.pycache_prefix = True, os.devnull
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.dont_write_bytecode, sys.pycache_prefix = before


def module_class(module: ModuleType, class_name: str, target: str) -> type[Module]:
    """The `Module` class of this name or, without one, the only one of a Python module."""
    if class_name:
        kind = getattr(module, class_name, None)
        if not is_module_class(kind):
            raise ModuleError(f"'{class_name}' in {target} is no class derived from Module")
        return kind
    kinds = [value for value in vars(module).values() if is_module_class(value)]
    if not kinds:
        raise ModuleError(f"{target} has no class derived from Module")
    if len(set(kinds)) > 1:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise ModuleError(f"{target} has more than one module, so name it: {target}:{{{names}}}")
    return kinds[0]


def package_in(path: str) -> str:
    """The package in the folder of a project that is named like it, as authors of one name it to
    Balas as well; any other path as it is.
    """
    package = os.path.join(path, os.path.basename(path).replace("-", "_"))
    files = (os.path.join(path, "pyproject.toml"), os.path.join(package, "__init__.py"))
    return package if all(map(os.path.isfile, files)) else path


def is_module_class(value: object) -> TypeGuard[type[Module]]:
    """Whether this is a class a module's author has written."""
    return isinstance(value, type) and issubclass(value, Module) and value is not Module


def explained(error: BaseException, target: str, path: str = "") -> ModuleError:
    """What an import raised, with the reason in one line."""
    text = f"{target} cannot be imported: {reason(error)}"
    if isinstance(error, ModuleNotFoundError) and error.name == os.path.basename(path):
        text += "; a package loaded by its path imports its own parts with a leading dot"
    return ModuleError(text)
