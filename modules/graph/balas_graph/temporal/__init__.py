"""Dates, times and durations: values, their texts, and the functions that make them."""
