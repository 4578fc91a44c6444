"""The server as a process: background, pid file, name, supervisor, signals.

`Process` is made and used by the command line; `network.run` hands it the event loop and a way to
ask for a shutdown (`attach`), and tells it when clients are welcome (`ready`). Limits and other
settings of the operating system are in `system.py`.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Protocol

from balas.services.config import Config
from balas.services.log import Log

DEFAULT_PID_FILE = "/var/run/balas.pid"
NAME = "balas"
NAME_FILE = "/proc/self/comm"

#: Asked to shut down with the words of shutdown-on-sigterm or shutdown-on-sigint; none for the
#: default.
ShutdownRequest = Callable[[frozenset[str]], None]


class SignalLoop(Protocol):
    """What is needed of an event loop."""

    def add_signal_handler(self, sig: int, callback: Callable[..., Any], *args: Any) -> None:
        """Have a callback run in the loop when a signal comes."""


class Process:
    """This process, as the configuration wants it.

    The order of calls: `supervise` and `go_to_background` before anything is opened or started,
    `take_name`, `catch_signals`, and `write_pid_file` after it, `attach` and `ready` by the event
    loop, `finish` at the end.
    """

    def __init__(self, config: Config, log: Log) -> None:
        self.config = config
        self.log = log
        #: "systemd", "upstart" or "no".
        self.supervisor = "no"
        self._pid_file = ""
        self._request: ShutdownRequest | None = None
        self._asked = False

    # Background and supervisor.

    def supervise(self) -> None:
        """Find out who supervises the process, and say that it is starting."""
        wanted = self.config.get("supervised")
        if wanted in ("upstart", "auto") and "UPSTART_JOB" in os.environ:
            self.supervisor = "upstart"
            self.log.notice("supervised by upstart, will stop to signal readiness")
            os.kill(os.getpid(), signal.SIGSTOP)
            del os.environ["UPSTART_JOB"]
        elif wanted in ("systemd", "auto") and "NOTIFY_SOCKET" in os.environ:
            self.supervisor = "systemd"
            self.log.notice(
                "supervised by systemd. Please make sure you set appropriate values for "
                "TimeoutStartSec and TimeoutStopSec in your service unit."
            )
            self._notify("STATUS=Balas is loading...")
        elif wanted in ("upstart", "systemd"):
            variable = "UPSTART_JOB" if wanted == "upstart" else "NOTIFY_SOCKET"
            self.log.warning(f"{wanted} supervision requested, but {variable} not found!")

    def go_to_background(self) -> None:
        """With `daemonize`, leave the terminal and go on in a process of our own; the caller's
        one ends.

        A supervisor wants the process to stay where it is.
        """
        if not self.config.get("daemonize") or self.supervisor != "no":
            return
        if not self.config.get("pidfile"):
            self.config.assign("pidfile", DEFAULT_PID_FILE, "daemonize")
        sys.stdout.flush()
        sys.stderr.flush()
        if os.fork():
            os._exit(0)
        os.setsid()
        # The leader of a session could be given a terminal again, its child cannot.
        if os.fork():
            os._exit(0)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.close(null)

    def take_name(self) -> None:
        """Appear as "balas" in ps and top; where that is not possible the name stays as it is."""
        if self.config.get("set-proc-title"):
            with suppress(OSError), open(NAME_FILE, "w", encoding="ascii") as file:
                file.write(NAME)

    # The pid file.

    def write_pid_file(self) -> None:
        """Write the process id where `pidfile` says."""
        path = self.config.path("pidfile")
        if not path:
            return
        try:
            with open(path, "w", encoding="ascii") as file:
                file.write(f"{os.getpid()}\n")
        except OSError as error:
            self.log.warning(f"Failed to write PID file: {error.strerror}")
        else:
            self._pid_file = path

    def _remove_pid_file(self) -> None:
        if self._pid_file:
            self.log.notice("Removing the pid file.")
            with suppress(OSError):
                os.unlink(self._pid_file)
            self._pid_file = ""

    # Life with the event loop.

    def catch_signals(self) -> None:
        """Take charge of signals for the time before there is an event loop."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end_at_once)

    def attach(self, loop: SignalLoop, request: ShutdownRequest) -> None:
        """Have SIGTERM and SIGINT ask for a shutdown, from within the loop."""
        self._request = request
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._received, number)

    def ready(self) -> None:
        """Tell the supervisor that clients are welcome."""
        self._notify("STATUS=Ready to accept connections\nREADY=1")

    def shutdown_failed(self) -> None:
        """The shutdown was called off, say by a full disk: the next signal asks anew."""
        self._asked = False
        self._notify("STATUS=Ready to accept connections\nREADY=1")

    def finish(self, code: int) -> None:
        """Leave nothing behind; the last line of the log, unless the end is a failure."""
        self._notify("STOPPING=1")
        self._remove_pid_file()
        if code == 0:
            self.log.warning("Balas is now ready to exit, bye bye...")

    def _received(self, number: int) -> None:
        name = signal.Signals(number).name
        if self._asked and number == signal.SIGINT:
            self.log.from_signal("You insist... exiting now.")
            self._remove_pid_file()
            os._exit(1)
        self.log.from_signal(f"Received {name} scheduling shutdown...")
        if not self._asked and self._request is not None:
            self._asked = True
            self._request(self.config.get(f"shutdown-on-{name.lower()}"))

    def _end_at_once(self, number: int, frame: FrameType | None) -> None:
        """The server is still loading: there is nothing to save."""
        self.log.from_signal("Received shutdown signal during loading, exiting now.")
        self._remove_pid_file()
        os._exit(0)

    def _notify(self, state: str) -> None:
        """Send a state to systemd, as sd_notify(3) does."""
        path = os.environ.get("NOTIFY_SOCKET", "")
        if self.supervisor != "systemd" or not path:
            return
        # "@" stands for the NUL that names in the abstract namespace start with.
        address = "\0" + path[1:] if path.startswith("@") else path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
                notifier.sendto(state.encode(), address)
        except OSError as error:
            self.log.warning(f"Unable to notify systemd: {error.strerror}")
