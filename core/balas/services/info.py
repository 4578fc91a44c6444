"""INFO: sections of fields, given by whoever knows them.

A provider returns fields as a dict, or whole lines; several may give fields of one section, and a
later one may give a field anew. Sections appear in the order of `ORDER`, those of modules at the
end. What the core itself has to say stands in `info_server` and `info_data`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from balas.services.config.grammar import decode, encode

Fields = Mapping[str, Any]
Provider = Callable[[], Fields | Sequence[str]]

# The sections in order, with their titles.
TITLES: Final = {
    "server": "Server",
    "clients": "Clients",
    "memory": "Memory",
    "persistence": "Persistence",
    "threads": "Threads",
    "stats": "Stats",
    "replication": "Replication",
    "cpu": "CPU",
    "modules": "Modules",
    "commandstats": "Commandstats",
    "errorstats": "Errorstats",
    "latencystats": "Latencystats",
    "cluster": "Cluster",
    "keyspace": "Keyspace",
    "keysizes": "Keysizes",
}
# These are shown when they are asked for only, because they are long.
ON_REQUEST: Final = frozenset(("commandstats", "latencystats"))
# Other names for a section.
ALIASES: Final = {"module_list": "modules"}


class Info:
    """The sections of one server.

    Attributes:
        of_modules: gives the sections that modules have of their own, by their names.
    """

    def __init__(self) -> None:
        self._providers: dict[str, list[Provider]] = {name: [] for name in TITLES}
        self.of_modules: Callable[[], Mapping[str, Fields]] = dict

    def add(self, section: str, provider: Provider) -> None:
        """Let `provider` give fields of a section, after or in place of those given so far."""
        self._providers[section].append(provider)

    def fields(self, section: str) -> dict[str, Any]:
        """The fields of a section of the core; a whole line is a name with the value None."""
        found: dict[str, Any] = {}
        for provider in self._providers[section]:
            given = provider()
            found.update(given if isinstance(given, Mapping) else dict.fromkeys(given))
        return found

    def text(self, wanted: Iterable[bytes] = ()) -> bytes:
        """The sections with these names; "all" names those of the core, "everything" the modules',
        too. Without a name it is the "default".
        """
        names = {decode(name).lower() for name in wanted} or {"default"}
        chosen = [name for name in TITLES if shows(name, names)]
        parts = [render(TITLES[name], self.fields(name)) for name in chosen]
        if names - TITLES.keys() - {"default", "all"} or "modules" in names:
            for title, fields in self.of_modules().items():
                owner = title.partition("_")[0]
                if names & {"everything", "modules", title.lower(), owner.lower()}:
                    parts.append(render(title, fields))
        return b"\r\n".join(parts)


def shows(section: str, names: set[str]) -> bool:
    """Whether a section of the core belongs to what was asked for."""
    if names & {"all", "everything", section}:
        return True
    if "default" in names and section not in ON_REQUEST:
        return True
    return any(ALIASES.get(name) == section for name in names)


def render(title: str, fields: Fields) -> bytes:
    """A section as text."""
    lines = [f"# {title}"]
    lines += [name if value is None else f"{name}:{value}" for name, value in fields.items()]
    return encode("".join(f"{line}\r\n" for line in lines))
