# Compiled for speed; the text of string.py is unchanged.
