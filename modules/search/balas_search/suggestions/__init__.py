"""Suggestions for what is being typed: the value behind FT.SUGADD and its kin."""
