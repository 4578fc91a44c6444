"""A server in a process of its own: start it, wait until it answers, measure it, kill it.

`ServerProcess` serves any server that speaks the protocol; `BalasProcess` is ours. (The real Redis
is in `balas.testing.real_server`.) Each gets a free port on 127.0.0.1 and a folder that is removed
at the end. Only processes started here are ever ended, by their own id.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from balas.testing.clients import Client, SocketTransport

PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
# How much of the log's end, in characters, a failed start shows.
LOG_SHOWN = 4000


class StartupError(Exception):
    """The server ended, or did not answer in time; carries its exit code and its log."""

    def __init__(self, message: str, exit_code: int | None, log: str) -> None:
        super().__init__(f"{message}\n{log[-LOG_SHOWN:]}")
        self.exit_code = exit_code
        self.log = log


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def option_lines(options: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Each option with its words; one whose value is a list comes once for each element."""
    for name, value in options.items():
        for one in value if isinstance(value, list) else [value]:
            yield name, [str(word) for word in (one if isinstance(one, tuple) else [one])]


class ServerProcess:
    """One server process; a context manager that starts it and ends it.

    `command` is the program with its leading arguments; the port, the folder and `options`
    (`{"appendonly": "yes"}`; a list gives the option several times) follow as flags. With
    `directory` the data lives there and stays; otherwise in a temporary folder. `start` may be
    called again after `kill` or `stop`, on the same port and folder: that is how restarts are
    tested. `pin_to_core` keeps the process on one core.
    """

    def __init__(
        self,
        command: Sequence[str],
        options: dict[str, Any] | None = None,
        *,
        directory: Path | None = None,
        port: int | None = None,
        startup_timeout_s: float = 20.0,
        pin_to_core: int | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.command = list(command)
        self.options = dict(options or {})
        self.startup_timeout_s = startup_timeout_s
        self.pin_to_core = pin_to_core
        self.environment = environment
        self.port = port if port is not None else free_port()
        self._temporary = None if directory else tempfile.mkdtemp(prefix="balas-test-")
        self.directory = directory or Path(str(self._temporary))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log_path(self) -> Path:
        """Where stdout and stderr go."""
        return self.directory / "server.log"

    @property
    def log(self) -> str:
        """What the process has printed, over all its starts."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def pid(self) -> int:
        """The process id; RuntimeError before the first start."""
        return self._started().pid

    def argv(self) -> list[str]:
        """The full command line."""
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.directory, **self.options}
        argv = list(self.command)
        for name, words in option_lines(options):
            argv += [f"--{name}", *words]
        return argv

    def start(self, *, wait: bool = True) -> Self:
        """Start the process and, with `wait`, return once it answers.

        `StartupError` if it does not.
        """
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv(),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd=self.directory,
                env={**os.environ, **self.environment} if self.environment else None,
            )
        if self.pin_to_core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self.process.pid, {self.pin_to_core})
        if wait:
            self.wait_until_ready()
        return self

    def wait_until_ready(self) -> None:
        """Return once PING is answered (with a refusal for lack of a password, too)."""
        deadline = time.monotonic() + self.startup_timeout_s
        pause_s = 0.002
        while not self._answers():
            code = self._started().poll()
            if code is not None:
                raise StartupError(f"the server ended with exit code {code}", code, self.log)
            if time.monotonic() > deadline:
                self.kill()
                raise StartupError(
                    f"no answer after {self.startup_timeout_s} seconds", None, self.log
                )
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.2, 0.1)

    def wait_for_exit(self, timeout_s: float = 20.0) -> int:
        """Wait until the process has ended; returns its exit code, negative for a signal."""
        return self._started().wait(timeout_s)

    def client(self, *, resp: int = 2, typed: bool = False, timeout_s: float = 10.0) -> Client:
        """A new connection; see `Client`."""
        transport = SocketTransport(port=self.port)
        return Client(transport, resp=resp, typed=typed, timeout_s=timeout_s)

    def sleep_ms(self, duration_ms: int) -> None:
        """Let time pass: this server's clock is the world's."""
        time.sleep(duration_ms / 1000)

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        self._started().send_signal(number)

    def kill(self) -> None:
        """End the process at once (SIGKILL), as a crash would."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self, timeout_s: float = 20.0) -> int:
        """Ask the process to end (SIGTERM) and return its exit code; kills it when time is up."""
        process = self._started()
        if process.poll() is None:
            process.terminate()
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def restart(self) -> Self:
        """Stop and start again on the same data."""
        self.stop()
        return self.start()

    def cpu_s(self) -> float:
        """CPU seconds, user and system, that the process has used, in nanosecond steps."""
        return process_cpu_s(self.pid)

    def rss_bytes(self) -> int:
        """Resident memory of the process."""
        fields = Path(f"/proc/{self.pid}/statm").read_text().split()
        return int(fields[1]) * PAGE_SIZE

    def close(self) -> None:
        """End the process if it still runs, and remove the temporary folder."""
        self.kill()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def __enter__(self) -> Self:
        if self.process is None:
            try:
                self.start()
            except BaseException:
                self.close()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise RuntimeError("the server was not started")
        return self.process

    def _answers(self) -> bool:
        try:
            with self.client(timeout_s=self.startup_timeout_s) as client:
                client.send("PING")
                reply = client.read()
        except (ConnectionError, TimeoutError):
            return False
        return not str(reply).startswith("LOADING")


class BalasProcess(ServerProcess):
    """Balas, run by this Python: ``with BalasProcess({"appendonly": "yes"}) as server: ...``.

    Nothing is saved unless `options` says so.
    """

    def __init__(self, options: dict[str, Any] | None = None, **settings: Any) -> None:
        # The server runs in its own folder, where relative entries would mean something else.
        paths = [
            os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(":") if path
        ]
        environment = {"PYTHONPATH": ":".join(paths), **(settings.pop("environment", None) or {})}
        command = [sys.executable, "-m", "balas"]
        super().__init__(
            command, {"save": "", **(options or {})}, environment=environment, **settings
        )


def process_cpu_s(pid: int) -> float:
    """CPU seconds of all threads of a process, from the clock that Linux keeps for it.

    The clock's number is made as clock_getcpuclockid(3) makes it. It is the sum utime + stime of
    /proc/PID/stat without its steps of 10 ms.
    """
    return time.clock_gettime(~pid << 3 | 2)


def wait_until(condition: Any, timeout_s: float = 10.0, what: str = "it to happen") -> None:
    """Poll `condition` until it is true; AssertionError when it is not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} seconds for {what}, in vain")
        time.sleep(0.002)
