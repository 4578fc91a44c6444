"""Runs queries: rows in, rows out, clause by clause.

A clause sees all that the clause before has done, so each one makes its whole list of rows before
the next begins.
"""
