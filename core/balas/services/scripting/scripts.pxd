# Compiled with the text of scripts.py unchanged.
