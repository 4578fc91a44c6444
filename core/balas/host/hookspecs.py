"""What a module can be told and asked: every hook, in one sentence or two.

A module's method that is marked with `hook` and has one of these names is called when its time has
come; it names only the arguments it wants. An exception in a hook is logged with the module's name
and does no further harm, but for `load`, where it refuses the loading. Keys that change are not
announced here, for that happens too often: see `Attachment.on_change`.

docs/hooks.md shows an example of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pluggy import HookimplMarker, HookspecMarker

from balas.types.streams import LoadStream, SaveStream

if TYPE_CHECKING:
    from balas.host.attachment import Attachment

hook = HookimplMarker("balas")
hookspec = HookspecMarker("balas")


@hookspec
def load(server: Attachment, arguments: Sequence[bytes]) -> None:
    """The module's commands, types and options are there; it may attach more, or raise to refuse.

    `arguments` are those of MODULE LOAD or loadmodule.
    """


@hookspec
def data_loaded() -> None:
    """All keys are there: after the start, after a reload of the data, or as the module is loaded
    into a server that runs.
    """


@hookspec
def unload() -> None:
    """The module is about to go; what it attached is taken off afterwards without its help."""


@hookspec
def config_changed(name: str, value: Any) -> None:
    """An option, of the module or of the server, has been changed by CONFIG SET; `value` is typed.

    A module that wants to refuse a value says so in the option's declaration.
    """


@hookspec
def cron() -> None:
    """As often a second as the option `hz` says: a place for small chores, in small pieces."""


@hookspec
def info() -> Mapping[str, Mapping[str, Any]] | None:
    """What INFO shows of the module: sections, and in each the values by field.

    Names are without the module's: INFO puts it in front of both.
    """


@hookspec
def database_changed(index: int) -> None:
    """Every key of a database may be another one: FLUSHDB, FLUSHALL or SWAPDB has run."""


@hookspec
def aux_save(out: SaveStream, after_keys: bool, name: str) -> None:
    """Save what belongs to no key, before and after the keys of a snapshot; nothing is fine, too.

    `name` is the module's `aux_name`, or one of its `aux_others`.

    The module must have an `aux_name`. This may run in a child process that has a frozen copy of
    the data: what it changes is lost.
    """


@hookspec
def aux_load(source: LoadStream, version: int, after_keys: bool, name: str) -> None:
    """Load what `aux_save` saved under a name, with the module's `aux_version` at that time.

    Raise NotUnderstood, before anything is changed, for what is sound but of another version or
    kind: it is kept as it is, then, and saved again. BadData makes the loading fail.
    """


@hookspec
def aof_rewrite() -> Iterable[Sequence[bytes]] | None:
    """The commands that rebuild what belongs to no key.

    A log that is rewritten without a snapshot in front of it (`aof-use-rdb-preamble no`) begins
    with them.
    """


@hookspec
def role_changed(role: str) -> None:
    """The server is now a "primary" or a "replica"."""


@hookspec
def shutdown() -> None:
    """The server ends; its data has been saved if it is to be saved."""
