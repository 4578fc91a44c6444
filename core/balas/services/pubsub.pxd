# Compiled with the text of pubsub.py unchanged: messages go out through C.
from balas.engine.client cimport Client
from balas.engine.dispatch cimport Engine

cdef class PubSub:
    cdef Engine _engine
    cdef readonly dict channels
    cdef readonly dict patterns
    cdef readonly dict shard_channels

    cdef int _send(self, dict clients, object message) except -1
