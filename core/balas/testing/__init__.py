"""The test kit for module authors."""
