"""Options of persistence: where files are, snapshots, the append-only file."""

from typing import Final

from balas.services.config.checks import plain_name
from balas.services.config.kinds import INT_MAX, INT_MIN, Memory, Text
from balas.services.config.options import Option
from balas.services.config.special import Directory, SavePoint, SavePoints

PERSISTENCE: Final = (
    Option(
        "dir",
        "",
        Directory(),
        protected=True,
        deny_loading=True,
        doc="Directory of all files; by default the one the server is started in.",
    ),
    # Snapshots.
    Option(
        "save",
        (SavePoint(3600, 1), SavePoint(300, 100), SavePoint(60, 10000)),
        SavePoints(),
        doc="Pairs of seconds and changes: save after so long if so much changed.",
    ),
    Option(
        "dbfilename",
        "dump.rdb",
        Text(plain_name("dbfilename", "filename", may_be_empty=True)),
        protected=True,
        doc="Name of the snapshot file.",
    ),
    Option("rdbcompression", True, doc="Compress long strings in snapshots."),
    Option("rdbchecksum", True, mutable=False, doc="End snapshots with a checksum, and verify it."),
    Option(
        "rdb-save-incremental-fsync",
        True,
        doc="Force a snapshot to disk bit by bit while it is written.",
    ),
    Option(
        "rdb-del-sync-files",
        False,
        doc="Delete snapshots that only served replication when nothing is persisted.",
    ),
    Option(
        "rdb-key-save-delay",
        0,
        low=INT_MIN,
        high=INT_MAX,
        hidden=True,
        doc="Microseconds to wait after each saved key, for tests; -n waits 1 µs every n keys.",
    ),
    Option(
        "key-load-delay",
        0,
        low=INT_MIN,
        high=INT_MAX,
        hidden=True,
        doc="Microseconds to wait after each loaded key, for tests.",
    ),
    Option(
        "loading-process-events-interval-bytes",
        524288,
        low=1024,
        high=INT_MAX,
        hidden=True,
        doc="Bytes of a snapshot after which clients are heard while it is loaded.",
    ),
    Option("stop-writes-on-bgsave-error", True, doc="Refuse writes when the last snapshot failed."),
    # The append-only file.
    Option("appendonly", False, deny_loading=True, doc="Keep a log of all writes."),
    Option(
        "appendfilename",
        "appendonly.aof",
        Text(plain_name("appendfilename", "filename")),
        mutable=False,
        doc="What the names of the log's files start with.",
    ),
    Option(
        "appenddirname",
        "appendonlydir",
        Text(plain_name("appenddirname", "dirname")),
        mutable=False,
        doc="Directory of the log's files, inside dir.",
    ),
    Option(
        "appendfsync",
        "everysec",
        choices=("everysec", "always", "no"),
        doc="When the log is forced to disk: each second, before each reply, or never.",
    ),
    Option(
        "no-appendfsync-on-rewrite", False, doc="Do not force the log to disk while a child writes."
    ),
    Option(
        "auto-aof-rewrite-percentage",
        100,
        low=0,
        high=INT_MAX,
        doc="Growth in percent at which the log is rewritten; 0 for never.",
    ),
    Option(
        "auto-aof-rewrite-min-size",
        64 << 20,
        Memory(unsigned=False),
        doc="Bytes a log must have to be rewritten by itself.",
    ),
    Option("aof-load-truncated", True, doc="Load a log whose end is cut off, with a warning."),
    Option("aof-use-rdb-preamble", True, doc="Begin a rewritten log with a snapshot."),
    Option("aof-timestamp-enabled", False, doc="Note the time in the log."),
    Option(
        "aof-rewrite-incremental-fsync",
        True,
        doc="Force a rewritten log to disk bit by bit while it is written.",
    ),
    Option(
        "aof-disable-auto-gc",
        False,
        hidden=True,
        doc="Keep files of the log that are no longer needed, for tests.",
    ),
)
