"""Measures Balas against a real Redis, in turn, in one run: `make bench`."""
