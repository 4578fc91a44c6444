"""The command line: ``balas [config] [--option value ...]``, as redis-server's.

Here a process becomes a server: the configuration is read, the process takes its form
(background, name, limits, signals), and the event loop is run. Nothing else of Balas is imported
before the configuration is known to be good, so that a mistake in it is told at once.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from balas import REDIS_VERSION, __version__
from balas.services.config.grammar import UnbalancedQuotes, decode, quote, split_arguments
from balas.services.config.reader import (
    FatalConfigError,
    Reader,
    UnreadableFile,
    read_file,
)
from balas.services.config.store import COMMAND_LINE, Config
from balas.services.log import Log
from balas.services.process import Process
from balas.services.system import StartRefused, System

if TYPE_CHECKING:
    from balas.server import Server

USAGE = """\
Usage: balas [/path/to/redis.conf] [options] [-]
       balas - (read config from stdin)
       balas -v or --version
       balas -h or --help
       balas module new|test|check (for authors of modules)

Examples:
       balas (run the server with default conf)
       echo 'maxmemory 128mb' | balas -
       balas /etc/balas/6379.conf
       balas --port 7777
       balas --port 7777 --replicaof 127.0.0.1 8888
       balas /etc/myredis.conf --loglevel verbose -
       balas /etc/myredis.conf --loglevel verbose
       balas --dev ./rings.py (load a module, and reload it whenever it is saved)
       balas --bare (without the bundled modules)

The options are those of redis.conf, each after two dashes.
"""

# What a flag that stands alone means, where the option itself needs a value.
ALONE = {"--save": '""', "--bare": "yes"}


class Invocation(NamedTuple):
    """What the arguments ask for. `options` are lines in the form of redis.conf."""

    config_file: str | None
    from_stdin: bool
    options: list[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in ("-v", "--version"):
        bits = 64 if sys.maxsize > 2**32 else 32
        print(f"Balas server v={__version__} redis={REDIS_VERSION} bits={bits}")
        return 0
    if arguments and arguments[0] in ("-h", "--help"):
        sys.stderr.write(USAGE)
        return 1
    if arguments and arguments[0] == "module":
        from balas.authoring import command

        return command.main(arguments[1:])
    arguments, watched = take_watched(arguments)
    log = Log()
    config = Config()
    try:
        configure(config, read_arguments(arguments), log)
    except FatalConfigError as error:
        sys.stderr.write(error.report())
        return 1
    except UnreadableFile as error:
        log.warning(f"Fatal error, {error}")
        return 1
    return run(config, log, configured=bool(arguments), watched=watched)


def take_watched(arguments: Sequence[str]) -> tuple[list[str], str]:
    """The arguments without `--dev PATH`, and the path or an empty text."""
    rest = list(arguments)
    if "--dev" not in rest[:-1]:
        return rest, ""
    at = rest.index("--dev")
    path = os.path.abspath(rest[at + 1])
    del rest[at : at + 2]
    return rest, path


def read_arguments(arguments: Sequence[str]) -> Invocation:
    """Turn arguments into lines of configuration.

    A name takes the words up to the next that starts with two dashes, and at least one: ``--port
    --bind`` sets the port to "--bind". A name that comes with its value in one argument
    (``"--port 7777"``) is complete.
    """
    from_stdin = bool(arguments) and "-" in (arguments[0], arguments[-1])
    rest = list(arguments)
    if from_stdin:
        del rest[0 if rest[0] == "-" else -1]
    config_file = rest.pop(0) if rest and not rest[0].startswith("-") else None
    lines: list[str] = []
    wants_value = False
    for at, argument in enumerate(rest):
        if argument.startswith("--") and not wants_value:
            lines.append(argument[2:])
            wants_value = _is_name_alone(argument)
            followed = at + 1 < len(rest) and not rest[at + 1].startswith("--")
            if argument.lower() in ALONE and not followed:
                lines[-1] += f" {ALONE[argument.lower()]}"
                wants_value = False
        else:
            if not lines:
                lines.append("")
            lines[-1] += f" {quote(argument)}"
            wants_value = False
    return Invocation(config_file, from_stdin, lines)


def _is_name_alone(argument: str) -> bool:
    try:
        return len(split_arguments(argument)) == 1
    except UnbalancedQuotes:
        return False


def configure(config: Config, invocation: Invocation, log: Log) -> None:
    """Read all that the invocation names: the file, standard input, the options, in this order."""
    reader = Reader(config)
    if invocation.config_file is not None:
        config.file = os.path.abspath(invocation.config_file)
        reader.read(read_file(config.file), config.file)
    if invocation.from_stdin:
        log.notice("Reading config from stdin")
        reader.read(decode(sys.stdin.buffer.read()), "standard input")
    if invocation.options:
        reader.read("\n" + "\n".join(invocation.options), COMMAND_LINE)
    reader.check()
    try:
        log.follow(config)
    except OSError as error:
        raise FatalConfigError(f"Can't open the log file: {error.strerror}") from None


def run(config: Config, log: Log, *, configured: bool, watched: str = "") -> int:
    """Be a server until told to end; returns the exit code.

    `configured` says whether anything but defaults was asked for; `watched` is the path of a module
    that is reloaded whenever it is saved.
    """
    process = Process(config, log)
    process.supervise()
    process.go_to_background()
    process.catch_signals()
    announce(log, configured)
    log.role = "S" if config.get("replicaof") else "M"
    try:
        refuse_unsupported(config, log)
        prepare(config, log)
    except StartRefused:
        return 1
    process.take_name()
    process.write_pid_file()
    log.notice(f"Running mode=standalone, port={config.get('port') or config.get('tls-port')}.")
    code = serve(config, log, process, watched)
    process.finish(code)
    return code


def serve(config: Config, log: Log, process: Process, watched: str) -> int:
    """Put the server together and run its event loop."""
    # What is made until it runs stays: looking for garbage takes a sixth of the start, in vain.
    gc.disable()
    # Imported here: what comes before needs none of it, and says its errors sooner.
    from balas import network
    from balas.server import Server
    from balas.services import collector
    from balas.services.config.renames import rename_commands

    try:
        server = Server(config, log, bundled=not config.get("bare"))
        server.provide(process)
        if watched:
            watch(server, watched)
        rename_commands(config, server.engine.commands)
        collector.engage()
        gc.enable()
        collector.IdleCollection(server.engine, log)
        return network.run(server)
    except FatalConfigError as error:
        sys.stderr.write(error.report())
        return 1
    except StartRefused:
        return 1
    except Exception as error:
        log.exception("The server ends because of an error it did not expect.", error)
        return 1
    finally:
        gc.enable()


def watch(server: Server, path: str) -> None:
    """Load the module at this path once the data are there, and reload it when it is saved."""
    from balas.authoring.watching import Watcher

    watcher = Watcher(server, path)
    server.loading.on_loaded.append(watcher.start)
    watcher.show_where_it_is_stuck()


def announce(log: Log, configured: bool) -> None:
    """The first lines of the log."""
    log.notice("oO0OoO0OoO0Oo Balas is starting oO0OoO0OoO0Oo")
    log.notice(
        f"Balas version={__version__}, Redis version={REDIS_VERSION}, "
        f"Python {sys.version.split()[0]}, pid={os.getpid()}, just started"
    )
    if configured:
        log.notice("Configuration loaded")
    else:
        log.warning(
            "Warning: no config file specified, using the default config. In order to specify a "
            "config file use balas /path/to/redis.conf"
        )


def refuse_unsupported(config: Config, log: Log) -> None:
    """End here when the configuration counts on what Balas does not have; raises StartRefused."""
    name = "cluster-enabled"
    if config.get(name):
        log.warning(f"Balas has no cluster mode: remove {name} ({config.where(name)}).")
        raise StartRefused


def prepare(config: Config, log: Log) -> None:
    """Bring the process in line with the configuration; raises StartRefused."""
    System(config, log).apply()
    # Files are named by absolute paths. This is for core dumps, and for modules that open their
    # own.
    os.chdir(config.get("dir"))
    config.on_change("dir", lambda config: os.chdir(config.get("dir")))
    if config.get("crash-log-enabled"):
        path = config.path("logfile")
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        faulthandler.enable(os.open(path, flags, 0o644) if path else 2)
