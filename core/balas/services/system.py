"""What the server asks of the operating system for its process: file limits, CPUs, OOM score,
locale.

All of this belongs to the process as a whole, so only the command line uses it; a server inside
another program (a test, say) leaves its host alone.
"""

import errno
import locale
import os
import resource

from balas.errors import ReplyError
from balas.services.config import Config
from balas.services.log import Log
from balas.structures import allocator

# Files beside clients' sockets: listeners, logs, snapshots. As many as Redis sets aside.
RESERVED_FILES = 32

OOM_SCORE_FILE = "/proc/self/oom_score_adj"
THP_STATE_FILE = "/sys/kernel/mm/transparent_hugepage/enabled"
PR_SET_THP_DISABLE = 41


class StartRefused(Exception):
    """The server cannot run here; the reason has been logged."""


class System:
    """Applies the options that concern the process, at the start and when they change."""

    def __init__(self, config: Config, log: Log) -> None:
        self._config = config
        self._log = log
        # Scores count from what the process was started with.
        self._oom_score_base: int | None = None

    def apply(self) -> None:
        """Bring the process in line with the configuration for good; may raise StartRefused."""
        try:
            self._apply_locale(self._config)
        except ReplyError:
            self._log.warning("Failed to configure LOCALE for invalid locale name.")
            raise StartRefused from None
        self._set_cpus(self._config)
        if self._config.get("disable-thp"):
            self._disable_huge_pages()
        self._fit_open_files()
        self._apply_oom_score(self._config)
        allocator.spread_work()
        self._config.on_change("locale-collate", self._apply_locale)
        self._config.on_change("maxclients", self._refit_open_files)
        self._config.on_change(("oom-score-adj", "oom-score-adj-values"), self._apply_oom_score)

    # Open files.

    def _fit_open_files(self) -> None:
        """Raise the limit of open files to what maxclients needs, or else lower maxclients."""
        maxclients = self._config.get("maxclients")
        wanted = maxclients + RESERVED_FILES
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft in (resource.RLIM_INFINITY, wanted) or soft > wanted:
            return
        reason = self._raise_limit(wanted, hard)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        if limit >= wanted:
            self._log.notice(
                f"Increased maximum number of open files to {limit} "
                f"(it was originally set to {soft})."
            )
            return
        if limit <= RESERVED_FILES:
            self._log.warning(
                f"Your current 'ulimit -n' of {limit} is not enough for the server to start. "
                f"Please increase your open file limit to at least {wanted}. Exiting."
            )
            raise StartRefused
        self._config.assign("maxclients", limit - RESERVED_FILES, "the limit of open files")
        self._log.warning(
            f"You requested maxclients of {maxclients} requiring at least {wanted} "
            "max file descriptors."
        )
        self._log.warning(
            f"Server can't set maximum open files to {wanted} because of OS error: {reason}."
        )
        self._log.warning(
            f"Current maximum open files is {limit}. maxclients has been reduced to "
            f"{limit - RESERVED_FILES} to compensate for low ulimit. "
            "If you need higher maxclients increase 'ulimit -n'."
        )

    @staticmethod
    def _raise_limit(wanted: int, hard: int) -> str:
        """Get as close to the wanted limit as the system lets us; the reason if it is not reached.

        The hard limit is not lowered, unlike in Redis, so that CONFIG SET maxclients can go up
        later.
        """
        kind = resource.RLIMIT_NOFILE
        try:
            enough = hard == resource.RLIM_INFINITY or hard >= wanted
            resource.setrlimit(kind, (wanted, hard if enough else wanted))
        except (OSError, ValueError) as error:
            resource.setrlimit(kind, (hard, hard))
            # Python words the refusal itself; it means EPERM.
            refused = os.strerror(errno.EPERM)
            return refused if isinstance(error, ValueError) else error.strerror or refused
        return ""

    def _refit_open_files(self, config: Config) -> None:
        wanted = config.get("maxclients")
        self._fit_open_files()
        possible = config.get("maxclients")
        if possible != wanted:
            raise ReplyError(
                "ERR The operating system is not able to handle the specified number of clients, "
                f"try with {possible}"
            )

    # CPUs, memory.

    def _set_cpus(self, config: Config) -> None:
        text = config.get("server-cpulist")
        if not text:
            return
        try:
            os.sched_setaffinity(0, parse_cpus(text))
        except (ValueError, OSError) as error:
            self._log.warning(f"server-cpulist '{text}' has no effect: {error}")

    def _disable_huge_pages(self) -> None:
        """Switch transparent huge pages off for this process where they are on for every process.

        With them, the first write to a page after a snapshot's fork copies 2 MB in place of 4 kB.
        """
        try:
            with open(THP_STATE_FILE, encoding="ascii") as file:
                always = "[always]" in file.read()
        except OSError:
            return  # A system without huge pages.
        if always:
            # Imported here: it takes milliseconds, and few systems need it.
            import ctypes

            if ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0:
                self._log.warning("Unable to disable THP; snapshots may cost latency and memory.")

    def _apply_oom_score(self, config: Config) -> None:
        """Tell the kernel how readily to end this process when memory runs out."""
        mode = config.get("oom-score-adj")
        if mode == "no" and self._oom_score_base is None:
            return
        try:
            self._write_oom_score(config, mode)
        except OSError as error:
            self._log.warning(f"Unable to write {OOM_SCORE_FILE}: {error.strerror}")
            raise ReplyError(
                "ERR Failed to apply new oom_score_adj configuration, check server logs."
            ) from None

    def _write_oom_score(self, config: Config, mode: str) -> None:
        if self._oom_score_base is None:
            with open(OOM_SCORE_FILE, encoding="ascii") as file:
                self._oom_score_base = int(file.read())
        base = 0 if mode == "absolute" else self._oom_score_base
        replica = config.get("replicaof") is not None
        score = 0 if mode == "no" else config.get("oom-score-adj-values")[replica]
        with open(OOM_SCORE_FILE, "w", encoding="ascii") as file:
            file.write(str(max(-1000, min(1000, base + score))))

    @staticmethod
    def _apply_locale(config: Config) -> None:
        """Compare strings by `locale-collate`, or if it is empty by the environment's locale."""
        name = config.get("locale-collate")
        try:
            locale.setlocale(locale.LC_COLLATE, name)
        except locale.Error:
            # What the environment names need not be installed; bytes are compared then.
            if name:
                raise ReplyError("ERR Invalid locale name") from None


def parse_cpus(text: str) -> set[int]:
    """The CPUs of a list such as ``0,2,4-7`` or ``0-9:2``; ValueError if it is none."""
    cpus: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition(":")
        first, _, last = span.partition("-")
        cpus.update(range(int(first), int(last or first) + 1, int(step or 1)))
    return cpus
