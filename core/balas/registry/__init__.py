"""The language commands are declared in, and the table they are found in."""
