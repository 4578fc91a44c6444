"""Structures that know nothing of Balas."""
