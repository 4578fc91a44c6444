"""Value types of the core."""
