"""What MODULE LIST, HELLO and INFO show of the modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from balas.engine.faults import FAULTS
from balas.host import values
from balas.host.host import Loaded, ModuleHost
from balas.protocol.replies import Pairs


def listing(host: ModuleHost) -> list[Pairs]:
    """The loaded modules as MODULE LIST and HELLO show them.

    A module in trouble has two fields more, `state` and `last_error`.
    """
    return [
        Pairs(
            [
                ("name", loaded.name),
                ("ver", loaded.module.version),
                ("path", loaded.found.path),
                ("args", list(loaded.arguments)),
                *trouble(host, loaded.name),
            ]
        )
        for loaded in host
    ]


def trouble(host: ModuleHost, name: str) -> list[tuple[str, Any]]:
    """The fields of a module in trouble."""
    record = host.troubles.of(name)
    if not record.last_error:
        return []
    return [("state", record.state), ("last_error", record.last_error)]


def details(host: ModuleHost, loaded: Loaded) -> Pairs:
    """All about one module, as MODULE INFO shows it: it looks at every key."""
    record = host.troubles.of(loaded.name)
    count, size = values.weight(host.engine, loaded.module.types)
    specs = [spec for spec in host.engine.commands.every() if spec.owner == loaded.name]
    return Pairs(
        [
            ("name", loaded.name),
            ("path", loaded.found.path),
            ("state", record.state),
            ("failures", record.failures),
            ("last_error", record.last_error),
            ("values", count),
            ("memory_of_values", size),
            ("memory_beside_values", loaded.attachment.memory_beside_values),
            (
                "commands",
                Pairs(
                    (
                        spec.name,
                        Pairs(
                            [
                                ("calls", spec.calls),
                                ("usec", spec.duration_ns // 1000),
                                ("failed_calls", spec.failed_calls),
                            ]
                        ),
                    )
                    for spec in sorted(specs, key=lambda spec: spec.name)
                ),
            ),
        ]
    )


def info_modules(host: ModuleHost) -> list[str]:
    """The lines of INFO's section "modules": one for each, in Redis's form, then the orphans.

    Only while there are values whose module is not loaded, INFO has the fields `orphaned_values`
    and, for each of their types, `orphaned_values_<type>`; likewise `orphaned_aux_<type>`: bytes
    beside the keys that no module understands. They are not in Redis, nor is
    `module_trouble_<name>`, which is there once something of a module has failed.
    """
    lines = [
        f"module:name={loaded.name},ver={loaded.module.version},api=1,"
        f"filters={host.filter_count(loaded.name)},usedby=[],using=[],options=[]"
        for loaded in host
    ]
    for loaded in host:
        record = host.troubles.of(loaded.name)
        if record.last_error:
            lines.append(
                f"module_trouble_{loaded.name}:state={record.state},failures={record.failures},"
                f"last_error={record.last_error}"
            )
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
        try:
            found.update(named(name, sections or {}))
        except FAULTS as error:
            host.hooks.failed(name, "info", error)
    return found


def named(owner: str, sections: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """A module's sections with its name in front, and values as text where they are no numbers.

    Raises whatever comes of sections that are none.
    """
    return {
        f"{owner}_{title}": {
            f"{owner}_{field}": value if isinstance(value, int | float) else str(value)
            for field, value in fields.items()
        }
        for title, fields in sections.items()
    }
