# Compiled for speed; the text of generic.py is unchanged.
