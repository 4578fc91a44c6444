"""The kinds of field: how each is indexed, sorted by, and asked for. One file each."""
