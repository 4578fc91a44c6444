"""The module host."""
