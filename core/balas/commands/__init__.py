"""Commands, one file per group of the public command reference. Nothing else lives here."""
