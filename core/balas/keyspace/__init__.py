"""Databases, expiry, eviction and the memory account."""
