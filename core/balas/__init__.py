"""Balas: a data-structure server that speaks Redis's protocol and is extended in Python."""

__version__ = "0.1.0"

# The server whose behaviour Balas matches, reported as redis_version.
REDIS_VERSION = "8.2.3"
