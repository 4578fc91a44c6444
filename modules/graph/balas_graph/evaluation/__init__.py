"""Values and expressions.

A value is None, bool, int (64 bits), float, str, list, dict, Node, Edge, Path or Point. A row is a
dict from names to values; rows travel between clauses as a list, the batch. An expression becomes
a function of a row and the `Run` it belongs to, made once for a plan (`compiler`).
"""
