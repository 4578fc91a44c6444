"""The server's log: lines in Redis's format, to standard output or a file, and to syslog if wanted.

    1234:M 05 Feb 2025 13:47:01.123 * Ready to accept connections tcp

that is process id, role (M primary, S replica, C child or not yet started, X Sentinel), time,
level (``.`` debug, ``-`` verbose, ``*`` notice, ``#`` warning) and message. A `Log` can be used
at once; `follow` lets a configuration decide. A line that cannot be written is lost: a full disk
must not stop the server.
"""

import os
import time
import traceback
from collections.abc import Callable
from contextlib import suppress

from balas.services.config import Config

DEBUG, VERBOSE, NOTICE, WARNING, NOTHING = range(5)

_LEVELS = ("debug", "verbose", "notice", "warning", "nothing")
_MARKS = ".-*#"
# What Redis keeps of one message.
MESSAGE_LENGTH_MAX = 1024


class Log:
    """A log. `write`, if given, receives each line in place of standard output.

    `role` is the letter in the line; the server sets it as it takes and changes its part. `clock`
    gives seconds since 1970.
    """

    def __init__(
        self,
        write: Callable[[bytes], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.role = "C"
        self.level = NOTICE
        self._write = write
        self._clock = clock
        self._file: _LogFile | None = None
        self._syslog = False

    def follow(self, config: Config) -> None:
        """Take level, file and syslog from a configuration, and its changes from then on.

        Raises OSError if the file cannot be opened.
        """
        path = config.path("logfile")
        self._file = _LogFile(path) if path else None
        if config.get("syslog-enabled"):
            self._open_syslog(config.get("syslog-ident"), config.get("syslog-facility"))
        self._take_level(config)
        config.on_change("loglevel", self._take_level)

    def enter_child(self) -> int:
        """In a forked child: lines are its own from now on. Returns the descriptor they go to."""
        self.role = "C"
        return self._file.descriptor if self._file else 1

    def debug(self, message: str) -> None:
        """What only a developer wants to know."""
        self._log(DEBUG, message)

    def verbose(self, message: str) -> None:
        """What happens often."""
        self._log(VERBOSE, message)

    def notice(self, message: str) -> None:
        """What an operator wants to know."""
        self._log(NOTICE, message)

    def warning(self, message: str) -> None:
        """What an operator should act on."""
        self._log(WARNING, message)

    def say(self, level: int, message: str) -> None:
        """A message of any level."""
        self._log(level, message)

    def exception(self, message: str, error: BaseException) -> None:
        """A warning, and below it the traceback of an error, line by line."""
        self._log(WARNING, message)
        for block in traceback.format_exception(error):
            for line in block.rstrip("\n").split("\n"):
                self._log(WARNING, line)

    def from_signal(self, message: str) -> None:
        """A line in the form Redis gives those of signal handlers, whatever the level."""
        if self.level < NOTHING:
            self._put(f"{os.getpid()}:signal-handler ({int(self._clock())}) {message}\n")

    def wants(self, level: int) -> bool:
        """Whether messages of this level are written, for those that cost something to make."""
        return level >= self.level

    def _log(self, level: int, message: str) -> None:
        if level < self.level:
            return
        message = message[:MESSAGE_LENGTH_MAX]
        now = self._clock()
        stamp = time.strftime("%d %b %Y %H:%M:%S", time.localtime(now))
        milliseconds = int(now * 1000) % 1000
        self._put(
            f"{os.getpid()}:{self.role} {stamp}.{milliseconds:03d} {_MARKS[level]} {message}\n"
        )
        if self._syslog:
            self._send_to_syslog(level, message)

    def _put(self, line: str) -> None:
        data = line.encode("utf-8", "surrogateescape")
        if self._write is not None:
            self._write(data)
        elif self._file is not None:
            self._file.write(data)
        else:
            with suppress(OSError):
                os.write(1, data)

    def _take_level(self, config: Config) -> None:
        self.level = _LEVELS.index(config.get("loglevel"))

    def _open_syslog(self, ident: str, facility: str) -> None:
        # Imported here: hardly any server uses it.
        import syslog

        number = getattr(syslog, f"LOG_{facility.upper()}")
        syslog.openlog(ident, syslog.LOG_PID | syslog.LOG_NDELAY | syslog.LOG_NOWAIT, number)
        self._syslog = True

    @staticmethod
    def _send_to_syslog(level: int, message: str) -> None:
        import syslog

        priorities = (syslog.LOG_DEBUG, syslog.LOG_INFO, syslog.LOG_NOTICE, syslog.LOG_WARNING)
        # A NUL would end the message early, and Python refuses to send one.
        syslog.syslog(priorities[level], message.replace("\0", "\\0"))


class _LogFile:
    """A file that lines are appended to; opened anew when it has been moved away or removed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.descriptor = self._open()
        self._identity = _identity(os.fstat(self.descriptor))

    def write(self, data: bytes) -> None:
        """Append; a failure loses the line."""
        with suppress(OSError):
            self._follow_rotation()
            os.write(self.descriptor, data)

    def _follow_rotation(self) -> None:
        try:
            if _identity(os.stat(self._path)) == self._identity:
                return
        except FileNotFoundError:
            pass  # Moved away by a log rotation: a new file takes its place.
        fresh = self._open()
        os.close(self.descriptor)
        self.descriptor = fresh
        self._identity = _identity(os.fstat(fresh))

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self._path, flags, 0o644)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
