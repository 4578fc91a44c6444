# Of this nothing is seen from Python.
