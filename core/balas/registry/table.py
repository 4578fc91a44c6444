"""The table in which commands are found by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from balas.registry.spec import CommandSpec, DeclarationError


class CommandTable:
    """All commands of one server. `by_name` is what dispatch reads: the names in lower and in upper
    case, as bytes.
    """

    def __init__(self) -> None:
        self.by_name: dict[bytes, CommandSpec] = {}
        self._specs: dict[str, CommandSpec] = {}

    def __len__(self) -> int:
        return len(self._specs)

    def __iter__(self) -> Iterator[CommandSpec]:
        return iter(self._specs.values())

    def register(self, specs: Iterable[CommandSpec]) -> None:
        """Add commands, all or none; DeclarationError if a name is taken."""
        new = list(specs)
        for spec in new:
            if spec.name in self._specs:
                owner = self._specs[spec.name].owner
                by = f"module '{owner}'" if owner else "the server"
                text = f"command '{spec.name}' already belongs to {by}"
                raise DeclarationError(text, spec.handler)
        for spec in new:
            spec.retired = False
            for sub in (spec.subcommands or {}).values():
                sub.retired = False
            self._specs[spec.name] = spec
            self.by_name[spec.name.encode()] = spec
            self.by_name[spec.name.upper().encode()] = spec

    def unregister(self, specs: Iterable[CommandSpec]) -> None:
        """Remove commands that `register` added."""
        for spec in specs:
            if self._specs.get(spec.name) is spec:
                spec.retired = True
                for sub in (spec.subcommands or {}).values():
                    sub.retired = True
                del self._specs[spec.name]
                del self.by_name[spec.name.encode()]
                del self.by_name[spec.name.upper().encode()]

    def find(self, name: bytes) -> CommandSpec | None:
        """A top-level command by its name in any case."""
        return self.by_name.get(name) or self.by_name.get(name.lower())

    def resolve(self, argv: Sequence[bytes]) -> CommandSpec | None:
        """The command or subcommand that these words name; None if there is none."""
        spec = self.find(argv[0])
        if spec is None or spec.subcommands is None or len(argv) < 2:
            return spec
        found = spec.subcommands.get(argv[1].lower())
        return found if found is not None or spec.handler is None else spec

    def by_full_name(self, name: str) -> CommandSpec | None:
        """By "config|get" or "get", in any case."""
        return self.resolve(name.encode().split(b"|", 1))

    def every(self) -> Iterator[CommandSpec]:
        """All commands, each followed by its subcommands."""
        for spec in self:
            yield spec
            yield from (spec.subcommands or {}).values()
