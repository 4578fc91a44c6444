"""What is looked at before a module is let in, so that a mistake is told at once and not at the
first snapshot. Every check raises ModuleError with the reason.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from types import ModuleType
from typing import NoReturn

from pluggy import PluginManager

from balas.host.errors import ModuleError, place_of
from balas.host.module import API_VERSION, Module
from balas.registry import CommandSpec, Declaration, KeySpec
from balas.registry.flags import CATEGORIES, OW, READONLY, RM, RO, RW, WRITE
from balas.services.rdb.format import module_type_id
from balas.types.value import Value

# Methods of the contract that have no default.
REQUIRED = ("rdb_save", "rdb_load", "aof_rewrite", "copy", "digest", "memory_usage")


def check_module(module: type[Module]) -> None:
    """Refuse a name that clients could not write, a version that is none, types that lack parts."""
    if not isinstance(module.name, str) or not re.fullmatch(r"[\w.-]+", module.name, re.ASCII):
        raise ModuleError(f"{module.__name__}.name is {module.name!r}: it needs letters")
    if not isinstance(module.version, int):
        raise ModuleError(f"the version of '{module.name}' is no integer: {module.version!r}")
    for name in ("commands", "types", "options", "categories"):
        if not isinstance(value := getattr(module, name), tuple | list):
            raise ModuleError(f"{module.__name__}.{name} is {value!r}: it has to be a tuple")
    check_api_version(module)
    for kind in module.types:
        check_type(kind)
    for category in module.categories:
        if not re.fullmatch(r"[a-z0-9_-]+", category) or category in CATEGORIES:
            raise ModuleError(f"'{category}' cannot be the name of a new ACL category")
    for name, version in module.aux_types().items():
        check_type_id(name, version)
    if not module.aux_types() and hasattr(module, "aux_save"):
        raise ModuleError(f"'{module.name}' has a hook aux_save, but no aux_name")


def check_api_version(module: type[Module]) -> None:
    """Refuse a module that was written for a `balas.api` that this is not."""
    wanted = module.api_version
    if not wanted:
        return
    if not isinstance(wanted, str) or not re.fullmatch(r"\d+\.\d+", wanted, re.ASCII):
        raise ModuleError(f"api_version of '{module.name}' is {wanted!r}, not such as '1.0'")
    major, minor = map(int, wanted.split("."))
    own_major, own_minor = map(int, API_VERSION.split("."))
    if (major, minor) > (own_major, own_minor):
        way_out = "a newer Balas is needed"
    elif major < own_major:
        way_out = "a newer version of the module is needed"
    else:
        return
    raise ModuleError(
        f"'{module.name}' is written for balas.api {wanted}, this is {API_VERSION}: {way_out}"
    )


def check_type(kind: type[Value]) -> None:
    """Refuse a type with a bad name or version, or without a method that a value must have."""
    if not (isinstance(kind, type) and issubclass(kind, Value)):
        raise ModuleError(f"{kind!r} is no class derived from Value")
    own = [base for base in kind.__mro__ if base not in (Value, object)]
    missing = [name for name in REQUIRED if not any(name in vars(base) for base in own)]
    if missing:
        raise ModuleError(f"type {kind.__name__} has no {', '.join(missing)}")
    check_type_id(kind.type_name, kind.rdb_version)


def check_type_id(name: str, version: int) -> None:
    """Refuse a name or a version that RDB files cannot hold."""
    try:
        module_type_id(name, version)
    except (ValueError, TypeError) as error:
        raise ModuleError(str(error)) from None


def check_declaration(declared: Declaration) -> None:
    """Refuse a command that nobody could call, or whose keys or flags make no sense."""

    def refuse(text: str) -> NoReturn:
        raise ModuleError(f"command {declared.name!r}: {text}{place_of(declared.handler)}")

    if not isinstance(declared.name, str) or len(declared.path) not in (1, 2):
        refuse("its name must be one word, or two for a subcommand")
    if type(declared.arity) is not int or not declared.arity:
        refuse(f"arity must be a number other than 0, not {declared.arity!r}")
    if type(declared.flags) is not int:
        refuse(f"flags must be flags of balas.api joined by |, not {declared.flags!r}")
    if declared.flags & READONLY and declared.flags & WRITE:
        refuse("it cannot be READONLY and WRITE")
    if inspect.isgeneratorfunction(declared.handler):
        refuse("its function is a generator: return a list")
    if not isinstance(declared.keys, tuple):
        refuse(f"keys must be made by key(), keys() or key_count(), not {declared.keys!r}")
    for spec in declared.keys:
        check_key(spec, declared.arity, refuse)


def check_key(spec: object, arity: int, refuse: Callable[[str], NoReturn]) -> None:
    """Refuse a key specification that names no key, or does not say what is done to it."""
    if not isinstance(spec, KeySpec):
        refuse(f"keys must be made by key(), keys() or key_count(), not {spec!r}")
    if type(spec.flags) is not int or not spec.flags & (RO | RW | OW | RM):
        refuse("the flags of a key must say RO, RW, OW or RM")
    if spec.index is not None and type(spec.index) is not int:
        refuse(f"the index of a key must be a number, not {spec.index!r}")
    if spec.index is not None and (spec.index < 1 or 0 < arity <= spec.index):
        refuse(f"its key at index {spec.index} does not exist: with arity {arity} there is none")


def check_categories(specs: Iterable[CommandSpec], added: Iterable[str]) -> None:
    """Refuse a command in an ACL category that neither the core nor the module has."""
    known = {*CATEGORIES, *added}
    for spec in specs:
        unknown = spec.categories - known
        if unknown:
            raise ModuleError(
                f"command '{spec.name}' is in the ACL category '{min(unknown)}', which is unknown; "
                "the module's attribute `categories` adds new ones"
            )


def check_hooks(plugins: PluginManager, module: Module) -> None:
    """Refuse a hook that does not exist, so that a misspelt one is not waited for in vain."""
    known = set(vars(plugins.hook))
    for name, method in inspect.getmembers(module, inspect.ismethod):
        marks = plugins.parse_hookimpl_opts(module, name)
        if marks is None:
            continue
        hook = marks.get("specname") or name
        if hook not in known:
            near = get_close_matches(hook, known, 1)
            hint = f"did you mean '{near[0]}'?" if near else "docs/hooks.md lists them all"
            raise ModuleError(f"there is no hook '{hook}'; {hint}{place_of(method)}")
        told = getattr(plugins.hook, hook).spec.argnames
        if unknown := [name for name in required_arguments(method) if name not in told]:
            names = f"only with {', '.join(told)}" if told else "without arguments"
            raise ModuleError(
                f"the hook '{hook}' is called {names}, it has no '{unknown[0]}'{place_of(method)}"
            )
        if inspect.iscoroutinefunction(method) or marks.get("wrapper") or marks.get("hookwrapper"):
            raise ModuleError(f"the hook '{hook}' must be a plain method{place_of(method)}")


def required_arguments(method: Callable[..., object]) -> list[str]:
    """The names of the arguments that a method must be called with, beside itself."""
    return [
        parameter.name
        for parameter in inspect.signature(method).parameters.values()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        and parameter.default is parameter.empty
    ]


def check_types_listed(module: Module) -> None:
    """Refuse a type that stands beside the commands, but not among the types: it would be stored
    and saved, and nobody could load it.
    """
    package = type(module).__module__.partition(".")[0]
    for source in command_sources(module):
        things = [thing for thing in vars(source).values() if isinstance(thing, type)]
        listed = {kind for thing in things if issubclass(thing, Module) for kind in thing.types}
        for kind in things:
            if (
                issubclass(kind, Value)
                and vars(kind).get("type_name")
                and kind.__module__.partition(".")[0] == package
                and kind not in (*module.types, *listed)
            ):
                name = type(module).__name__
                raise ModuleError(f"{kind.__name__} is a Value, but {name}.types does not name it")


def command_sources(module: Module) -> tuple[ModuleType, ...]:
    """The Python modules with the commands: those that are named, or the class's own."""
    for source in module.commands:
        if not isinstance(source, ModuleType):
            raise ModuleError(f"{source!r} among the commands is no Python module")
    return tuple(module.commands) or (sys.modules[type(module).__module__],)
