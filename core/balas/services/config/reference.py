"""The reference of all options as a page of documentation, made from the table.

python -m balas.services.config.reference > docs/configuration.md
"""

from collections.abc import Iterable

from balas.services.config.options import Option
from balas.services.config.table import OPTIONS

INTRODUCTION = """\
# Configuration

Every option of Redis 8.2 is known, with its default. An option is a line of the configuration file
(`maxmemory 2gb`), a flag (`balas --maxmemory 2gb`), and, unless it says "fixed at start", can be
changed by `CONFIG SET`. Sizes take the units k, kb, m, mb, g and gb.

This page is generated from the table of options.
"""
EFFECTIVE = "## Options"
ACCEPTED = """\
## Options without effect

These are known, checked, shown and kept, so that a configuration made for Redis can be used as it
is. They change nothing in Balas.
"""


def page(options: Iterable[Option] = OPTIONS) -> str:
    """The whole page in Markdown."""
    shown = sorted((o for o in options if not o.hidden), key=lambda option: option.name)
    effective = [option for option in shown if option.meaning]
    accepted = [option for option in shown if not option.meaning]
    parts = [INTRODUCTION, f"{EFFECTIVE}\n", _table(effective), ACCEPTED, _table(accepted)]
    return "\n".join(parts)


def _table(options: Iterable[Option]) -> str:
    rows = ["| option | default | |", "| --- | --- | --- |", *map(_row, options)]
    return "\n".join(rows) + "\n"


def _row(option: Option) -> str:
    default = option.kind.for_file(option.default) or '""'
    notes = [option.doc]
    if not option.mutable:
        notes.append("Fixed at start.")
    if option.protected:
        notes.append("Needs `enable-protected-configs`.")
    if option.aliases:
        notes.append(f"Also {', '.join(f'`{alias}`' for alias in option.aliases)}.")
    text = " ".join(notes).replace("|", "\\|")
    return f"| `{option.name}` | `{default}` | {text} |"


if __name__ == "__main__":
    print(page(), end="")
