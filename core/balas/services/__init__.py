"""What the server does beside running commands; each service plugs itself into the engine."""
