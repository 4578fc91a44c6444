# Compiled with the text of options.py unchanged.
