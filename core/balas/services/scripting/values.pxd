# Compiled with the text of values.py unchanged.
