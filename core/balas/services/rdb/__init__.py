"""Redis's RDB files and DUMP payloads: the format, and the snapshots kept in it."""
