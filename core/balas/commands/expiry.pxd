# Compiled for speed; the text of expiry.py is unchanged.
