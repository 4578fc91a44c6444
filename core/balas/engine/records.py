"""The shapes in which changes and records travel."""

# Database index, key, event.
Change = tuple[int, bytes, str]
# Database index, argv.
Record = tuple[int, tuple[bytes, ...]]
