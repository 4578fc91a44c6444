"""Replication, from the primary's side: whoever asks gets the data set and all that changes it."""
