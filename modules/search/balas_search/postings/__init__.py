"""Posting lists and the compiled kernels that work on whole lists at once."""
