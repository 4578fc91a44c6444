"""Functions of openCypher, found by the registry."""
