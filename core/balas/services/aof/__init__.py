"""The append-only file: every write, logged; in several files that a manifest lists."""
