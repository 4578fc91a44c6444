"""Reasons to look twice before a command runs.

Dispatch runs a command at once while neither the server nor the client has a bit set; otherwise it
asks every gate that cares for one of the bits. So a state that is rare costs nothing while it does
not hold.
"""

from typing import Final

# Of a client.
UNAUTHENTICATED: Final = 1 << 0
MULTI: Final = 1 << 1
SUBSCRIBED: Final = 1 << 2  # RESP2 with subscriptions: only a few commands are allowed
MUTED: Final = 1 << 3  # CLIENT REPLY OFF or SKIP
RESTRICTED: Final = 1 << 4  # the user may not do everything (ACL)
REPLICA: Final = 1 << 5
TRACKING: Final = 1 << 6  # client-side caching: reads are remembered

# Of the server.
LOADING: Final = 1 << 16
MEMORY: Final = 1 << 17  # maxmemory is set
DISK: Final = 1 << 18  # the last write to disk failed
PAUSED: Final = 1 << 19  # CLIENT PAUSE
READ_ONLY: Final = 1 << 20  # a replica that refuses writes
MONITORED: Final = 1 << 21
BUSY: Final = 1 << 22  # a script runs for too long
FILTERED: Final = 1 << 23  # a module looks at every command
STALE: Final = 1 << 24  # a replica that is cut off from its primary, and says nothing meanwhile
LONELY: Final = 1 << 25  # too few replicas are near for writes to be safe
EXTRA: Final = 1 << 26  # free for services from here on
