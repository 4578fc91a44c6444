"""The language commands are declared in, and the table they are found in."""

from balas.registry.arguments import Arguments, bounded, integer, number
from balas.registry.declare import (
    Declaration,
    build_specs,
    command,
    container,
    declarations,
    package_modules,
)
from balas.registry.keys import FindKeys, KeysNotFound, KeySpec, key, key_count, keys, unknown_keys
from balas.registry.spec import CommandSpec, DeclarationError
from balas.registry.table import CommandTable

__all__ = [
    "Arguments",
    "CommandSpec",
    "CommandTable",
    "Declaration",
    "DeclarationError",
    "FindKeys",
    "KeySpec",
    "KeysNotFound",
    "bounded",
    "build_specs",
    "command",
    "container",
    "declarations",
    "integer",
    "key",
    "key_count",
    "keys",
    "number",
    "package_modules",
    "unknown_keys",
]
