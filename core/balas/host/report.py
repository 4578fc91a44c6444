"""What MODULE LIST, HELLO and INFO show of the modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from balas.host.host import ModuleHost
from balas.protocol.replies import Pairs


def listing(host: ModuleHost) -> list[Pairs]:
    """The loaded modules as MODULE LIST and HELLO show them."""
    return [
        Pairs(
            [
                ("name", loaded.name),
                ("ver", loaded.module.version),
                ("path", loaded.found.path),
                ("args", list(loaded.arguments)),
            ]
        )
        for loaded in host
    ]


def info_modules(host: ModuleHost) -> list[str]:
    """The lines of INFO's section "modules": one for each, in Redis's form, then the orphans.

    Only while there are values whose module is not loaded, INFO has the fields `orphaned_values`
    and, for each of their types, `orphaned_values_<type>`; likewise `orphaned_aux_<type>`: bytes
    beside the keys that no module understands. They are not in Redis.
    """
    lines = [
        f"module:name={loaded.name},ver={loaded.module.version},api=1,"
        f"filters={host.filter_count(loaded.name)},usedby=[],using=[],options=[]"
        for loaded in host
    ]
    orphans = host.orphans()
    if orphans:
        lines.append(f"orphaned_values:{sum(orphans.values())}")
        lines += [f"orphaned_values_{name}:{count}" for name, count in orphans.items()]
    lines += [f"orphaned_aux_{name}:{size}" for name, size in host.aux.kept_bytes().items()]
    return lines


def info_sections(host: ModuleHost) -> dict[str, dict[str, Any]]:
    """The sections that modules have of their own, as ``{"bf_filters": {"bf_count": 3}}``."""
    found: dict[str, dict[str, Any]] = {}
    for name, sections in host.hooks.call_all("info"):
        if not isinstance(sections, Mapping):
            continue
        for title, fields in sections.items():
            found[f"{name}_{title}"] = {f"{name}_{field}": fields[field] for field in fields}
    return found
