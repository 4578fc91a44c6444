"""Reading redis.conf, standard input and the command line's options into a `Config`.

All three are one text to the reader, as in Redis: the file, then standard input, then the
options, each on a line of its own. What is wrong stops the start with a `FatalConfigError` that
names line and reason.
"""

import glob
import os

from balas import REDIS_VERSION
from balas.services.config.grammar import BadValue, UnbalancedQuotes, decode, split_arguments
from balas.services.config.store import Config, Directive

# Directives that came before an option of another name and are ignored without a word, as Redis
# does.
_OBSOLETE = frozenset(
    {"list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"}
)

# How deep files may include each other: a file that includes itself has to end somewhere.
INCLUDE_DEPTH_MAX = 32


class FatalConfigError(Exception):
    """The configuration makes no sense; `report` is what the user is told as the server ends."""

    def __init__(
        self, reason: str, directive: Directive | None = None, included_in: str | None = None
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.directive = directive
        self.included = included_in is not None

    def report(self) -> str:
        """The lines for standard error.

        Differs from Redis: a line of an included file is given with the name of that file.
        """
        lines = [f"\n*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***"]
        if self.directive is not None:
            place = f" of '{self.directive.source}'" if self.included else ""
            lines.append(f"Reading the configuration file, at line {self.directive.counted}{place}")
            lines.append(f">>> '{self.directive.line}'")
        return "\n".join([*lines, self.reason, ""])


class UnreadableFile(Exception):
    """A configuration file that cannot be opened."""

    def __init__(self, path: str, error: OSError) -> None:
        self.error = error
        super().__init__(f"can't open config file '{path}': {os.strerror(error.errno or 0)}")


class Reader:
    """Reads one configuration, text after text; later lines win."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._seen: set[str] = set()
        self._users: set[str] = set()
        self._files: list[str] = []
        self._lines_before = 0

    def read(self, text: str, source: str) -> None:
        """Take in a text line by line; `source` names it in messages.

        As in Redis, lines are counted on from one text to the next.
        """
        self._read(text, source, self._lines_before)
        self._lines_before += text.count("\n")

    def _read(self, text: str, source: str, lines_before: int) -> None:
        for number, line in enumerate(text.split("\n"), 1):
            line = line.strip(" \t\r\n")
            if not line or line.startswith("#"):
                continue
            directive = Directive((), source, number, lines_before + number, line)
            try:
                directive = directive._replace(words=tuple(split_arguments(line)))
            except UnbalancedQuotes:
                raise self._error("Unbalanced quotes in configuration line", directive) from None
            if directive.words:
                self._take(directive)

    def read_included(self, pattern: str) -> None:
        """Read the files that a path or glob names; no match is fine for a glob only."""
        pattern = os.path.join(self.config.get("dir"), pattern)
        magic = glob.has_magic(pattern)
        for path in sorted(glob.glob(pattern)) if magic else [pattern]:
            text = read_file(path)
            self._files.append(path)
            self._read(text, path, 0)
            self._files.pop()

    def check(self) -> None:
        """Refuse what is wrong only in the light of the whole configuration."""
        if self.config.get("cluster-enabled") and self.config.get("replicaof"):
            raise FatalConfigError("replicaof directive not allowed in cluster mode")

    def _take(self, directive: Directive) -> None:
        name = directive.words[0].lower()
        option = self.config.option(name)
        if option is not None:
            try:
                self.config.load(directive, option.name not in self._seen)
            except BadValue as error:
                raise self._error(str(error), directive) from None
            self._seen.add(option.name)
            return
        count = len(directive.words) - 1
        if name in _OBSOLETE and count == 1:
            return
        if name == "include" and count == 1:
            if len(self._files) >= INCLUDE_DEPTH_MAX:
                raise self._error("Too many nested include directives", directive)
            self.read_included(directive.words[1])
        elif name == "rename-command" and count == 2:
            self.config.renames.append(directive)
        elif name == "user" and count:
            self._take_user(directive)
        elif name == "loadmodule" and count:
            self.config.modules.append(directive)
        elif count:
            # An option of a module that is yet to be loaded, perhaps.
            self.config.unclaimed[name] = directive
        else:
            raise self._error("Bad directive or wrong number of arguments", directive)

    def _take_user(self, directive: Directive) -> None:
        name = directive.words[1]
        if name in self._users:
            raise self._error(
                f"Error in user declaration '{name}': Duplicate user found. "
                "A user can only be defined once in config files",
                directive,
            )
        self._users.add(name)
        self.config.users.append(directive)

    def _error(self, reason: str, directive: Directive) -> FatalConfigError:
        return FatalConfigError(reason, directive, self._files[-1] if self._files else None)


def read_file(path: str) -> str:
    """The text of a configuration file; UnreadableFile if it cannot be had."""
    try:
        with open(path, "rb") as file:
            return decode(file.read())
    except OSError as error:
        raise UnreadableFile(path, error) from None
