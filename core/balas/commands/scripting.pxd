# Compiled with the text of scripting.py unchanged; `ctx: Context` then means this type.
from balas.engine.context cimport Context
from balas.services.scripting.scripts cimport Script, Scripting
