"""Procedures of CALL, found by the registry."""
