"""Modules at the start of a server, and in its configuration file.

The bundled ones come first, then what `loadmodule` says; a `loadmodule` line for a bundled module
is its loading, with the arguments of the line. One that fails ends the start: data could be there
that only this module can change.
"""

from __future__ import annotations

from collections.abc import Iterable

from balas.host.errors import ModuleError
from balas.host.host import ModuleHost
from balas.host.loader import bundled
from balas.services.config.grammar import decode, encode, quote
from balas.services.config.reader import FatalConfigError
from balas.services.config.store import Config, Directive
from balas.services.log import Log


def load_modules(host: ModuleHost, config: Config, log: Log, *, bare: bool) -> None:
    """Load all modules; `bare` leaves the bundled ones out that no line asks for.

    Raises FatalConfigError with the reason, and with the line if there is one.
    """
    standard = [] if bare else bundled()
    named = {directive.words[1] for directive in config.modules}
    for name in standard:
        if name not in named:
            load(host, log, name, (), None)
    for directive in config.modules:
        target, *arguments = directive.words[1:]
        load(host, log, target, arguments, directive)
    for directive in config.unclaimed.values():
        if not bare:
            raise FatalConfigError("Bad directive or wrong number of arguments", directive)
        log.warning(f"No module has claimed '{directive.line}' ({directive.where})")
    others = [name for name in host.available() if name not in standard]
    if others and not bare:
        log.notice(f"Modules that can be loaded as well: {', '.join(sorted(others))}")
    config.line_sources["loadmodule"] = lambda: config_lines(host, standard)


def load(
    host: ModuleHost, log: Log, target: str, arguments: Iterable[str], directive: Directive | None
) -> None:
    """Load one, or raise FatalConfigError."""
    try:
        host.load(target, [encode(argument) for argument in arguments])
    except ModuleError as error:
        log.warning(f"Can't load module from {target}: server aborting")
        raise FatalConfigError(f"Can't load module from {target}: {error}", directive) from error


def config_lines(host: ModuleHost, standard: Iterable[str]) -> list[str]:
    """The `loadmodule` lines for the modules that are loaded, but for what comes by itself."""
    by_itself = set(standard)
    return [
        " ".join(["loadmodule", *map(plain, [loaded.found.target, *map(decode, loaded.arguments)])])
        for loaded in host
        if loaded.arguments or loaded.found.target not in by_itself
    ]


def plain(word: str) -> str:
    """A word for a configuration file: as it is where that reads back the same, else in quotes."""
    return word if word and all(c.isalnum() or c in "/._:,=-" for c in word) else quote(word)
