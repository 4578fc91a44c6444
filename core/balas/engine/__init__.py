"""Dispatch, context, clients, transactions, blocking, time."""
