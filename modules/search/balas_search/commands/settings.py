"""FT.CONFIG: the settings under their older names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from balas.api import OK, Context, Pairs, Reply, ReplyError, Status, command, integer
from balas_search.commands.common import READING, search_module, wrong_number
from balas_search.settings import LEGACY, UNLIMITED, Legacy

if TYPE_CHECKING:
    from balas_search.module import SearchBase

NOT_MODIFIABLE = "Not modifiable at runtime"
OUT_OF_BOUNDS = "Value is outside acceptable bounds"
# Settings whose -1 stands for no limit.
LIMITS = ("MAXAGGREGATERESULTS", "MAXSEARCHRESULTS")
STEM_LENGTH_MIN = 2
NOT_A_NUMBER = "Could not convert argument to expected type"


@command("FT.CONFIG", arity=-1, flags=READING, group="search")
def ft_config(ctx: Context, *arguments: bytes) -> Reply:
    """FT.CONFIG GET|SET|HELP option [value]

    Show or change the settings of the module. `*` stands for all of them.
    """
    if len(arguments) < 2:
        raise wrong_number("FT.CONFIG")
    action, name = arguments[0].upper(), arguments[1].upper()
    module = search_module(ctx)
    if action == b"GET":
        return shown_settings(ctx, module, name)
    if action == b"HELP":
        return described_settings(ctx, module, name)
    if action == b"SET":
        return set_setting(ctx, name, arguments[2:])
    raise ReplyError("No such configuration action")


def named(name: bytes) -> list[Legacy]:
    """The settings that a name stands for."""
    return [setting for setting in LEGACY if name in (b"*", setting.name.encode())]


def value_of(module: SearchBase, setting: Legacy) -> str | None:
    """A setting's value as text."""
    if not setting.option:
        return setting.fixed
    value = module.server.option(setting.option)
    return "unlimited" if value == UNLIMITED else str(value)


def shown_settings(ctx: Context, module: SearchBase, name: bytes) -> Reply:
    """Names and values."""
    found = [(Status(setting.name), value_of(module, setting)) for setting in named(name)]
    return Pairs(found) if ctx.resp == 3 else [list(pair) for pair in found]


def described_settings(ctx: Context, module: SearchBase, name: bytes) -> Reply:
    """Names, descriptions and values."""
    found = [
        (
            Status(setting.name),
            {
                Status("Description"): Status(setting.doc),
                Status("Value"): value_of(module, setting),
            },
        )
        for setting in named(name)
    ]
    if ctx.resp == 3:
        return Pairs(found)
    return [
        [name, *(part for pair in described.items() for part in pair)] for name, described in found
    ]


def set_setting(ctx: Context, name: bytes, values: tuple[bytes, ...]) -> Reply:
    """Change a setting."""
    found = named(name)
    if name == b"*" or not found:
        raise ReplyError("Invalid option")
    setting = found[0]
    if not setting.option or setting.name == "MULTI_TEXT_SLOP":
        raise ReplyError(NOT_MODIFIABLE)
    if not values:
        raise ReplyError("Expected an argument, but none provided")
    if len(values) > 1:
        raise ReplyError("EXCESSARGS")
    value = checked(setting, values[0])
    try:
        ctx.call(b"CONFIG", b"SET", setting.option.encode(), value)
    except ReplyError:
        raise ReplyError(OUT_OF_BOUNDS) from None
    return OK


def checked(setting: Legacy, value: bytes) -> bytes:
    """A value as the option takes it; raises ReplyError."""
    if setting.name == "ON_TIMEOUT":
        if value.lower() not in (b"return", b"fail"):
            raise ReplyError("Invalid ON_TIMEOUT value")
        return value.lower()
    if setting.name == "MINSTEMLEN":
        return checked_stem_length(value)
    given = integer(value, error=NOT_A_NUMBER)
    if setting.name == "DEFAULT_DIALECT" and given > 4:
        raise ReplyError("Default dialect version cannot be higher than 4")
    if setting.name == "CURSOR_MAX_IDLE" and given == 0:
        raise ReplyError(OUT_OF_BOUNDS)
    if setting.name in LIMITS and given == -1:
        given = UNLIMITED
    return b"%d" % given


def checked_stem_length(value: bytes) -> bytes:
    """The same for MINSTEMLEN, which has one error for whatever is wrong."""
    error = f"Minimum stem length cannot be lower than {STEM_LENGTH_MIN}"
    if integer(value, error=error) < STEM_LENGTH_MIN:
        raise ReplyError(error)
    return value
