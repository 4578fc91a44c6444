"""Procedures of whole graphs: algo.*."""
