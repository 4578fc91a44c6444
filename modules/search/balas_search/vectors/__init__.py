"""Vectors: how they are stored, measured, and found."""
