"""The directive ``rename-command``: a command gets another name, or an empty one: none at all."""

from balas.registry.table import CommandTable
from balas.services.config.reader import FatalConfigError
from balas.services.config.store import Config


def rename_commands(config: Config, commands: CommandTable) -> None:
    """Rename as the configuration says; raises FatalConfigError with the line that cannot be done.

    Only the names that clients use change: COMMAND, ACL rules and statistics keep to the old ones.
    """
    for directive in config.renames:
        _, old, new = directive.words
        spec = commands.find(old.encode("utf-8", "surrogateescape"))
        if spec is None:
            raise FatalConfigError("No such command in rename-command", directive)
        name = new.lower().encode("utf-8", "surrogateescape")
        if name and commands.find(name) is not None:
            raise FatalConfigError("Target command name already exists", directive)
        names = [known for known, found in commands.by_name.items() if found is spec]
        for known in names:
            del commands.by_name[known]
        if name:
            commands.by_name[name] = spec
            commands.by_name[name.upper()] = spec
