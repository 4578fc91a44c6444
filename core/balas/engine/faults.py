"""What code that is not Balas's own may raise without harm to others: all but a Ctrl-C."""

from asyncio import CancelledError

FAULTS = (Exception, SystemExit, GeneratorExit, CancelledError)
