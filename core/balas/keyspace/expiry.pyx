"""The expiry cycle: finds keys whose time has come although nobody asks for them.

A walk over the table of expiry times never ends: a cursor goes round it, a few buckets at a time.
After every `keys_at_once` keys the share of expired ones decides: above `stale_accepted` percent
the walk goes on at once, below it the database is in order until the next cycle. So a server pays
in proportion to what there is to find, and at most a tenth or so of all keys are expired and still
there. The numbers for each effort are Redis's; only the time is cut into smaller slices here,
because a slice is also how long a client may have to wait.

The rule a reader would get wrong: a visit of the table must not change it, and a deletion may
change anything. So the keys of a few buckets are gathered first, then judged, then deleted.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t

from balas.keyspace.database cimport Database
from balas.keyspace.entries cimport Entry
from balas.structures.hashing cimport prefetch

cdef enum:
    # More entries than this in one step of the walk are left for the next round.
    GATHERED_MAX = 256
    # An average over the last fifty samples or so, as in Redis.
    TTL_WEIGHT_PERCENT = 2


cdef struct Gathered:
    size_t count
    Entry *entries[GATHERED_MAX]


cdef int gather(void *context, void *entry) except -1:
    cdef Gathered *gathered = <Gathered *> context
    if gathered.count < GATHERED_MAX:
        gathered.entries[gathered.count] = <Entry *> entry
        gathered.count += 1
        prefetch(entry)
    return 0


cdef class ExpiryCycle:
    """Deletes expired keys of all databases, in slices.

    `delete(database, key)` deletes a key and reports it. `monotonic_ns()` is the clock that slices
    are measured with. Counters are read and reset by INFO and CONFIG RESETSTAT.
    """

    cdef list databases
    cdef object delete
    cdef object monotonic_ns
    # The database that the next slice goes on with.
    cdef size_t position
    cdef int64_t keys_at_once
    cdef int64_t stale_accepted
    cdef readonly int effort
    # Expired keys among those looked at, 0 to 1, averaged over about twenty slices.
    cdef public double stale_share
    # Slices that ended because time was up.
    cdef public int64_t time_cap_reached
    cdef public int64_t spent_ns
    # Of the slice under way.
    cdef int64_t looked_at
    cdef int64_t found

    def __init__(self, list databases, object delete, object monotonic_ns):
        self.databases = databases
        self.delete = delete
        self.monotonic_ns = monotonic_ns
        self.set_effort(1)

    def set_effort(self, int effort) -> None:
        """How much is looked at and how little is left behind, from 1 to 10."""
        self.effort = effort
        self.keys_at_once = 20 + 5 * (effort - 1)
        self.stale_accepted = 10 - (effort - 1)

    def run(self, now_ms: int, limit_ns: int) -> bool:
        """Run one slice of about `limit_ns`; True if there is more to do at once."""
        cdef int64_t started_ns = self.monotonic_ns()
        cdef int64_t now = now_ms, deadline_ns = started_ns + limit_ns
        cdef bint time_up = False
        self.looked_at = self.found = 0
        while not time_up and self.position < len(self.databases):
            time_up = self.sweep(<Database> self.databases[self.position], now, deadline_ns)
            if not time_up:
                self.position += 1
        if time_up:
            self.time_cap_reached += 1
        else:
            self.position = 0
        self.spent_ns += self.monotonic_ns() - started_ns
        self.stale_share *= 0.95
        if self.looked_at:
            self.stale_share += 0.05 * self.found / self.looked_at
        return time_up

    cdef bint sweep(self, Database db, int64_t now_ms, int64_t deadline_ns) except -1:
        """Bring one database in order; True if time was up before it was."""
        cdef int64_t looked_at, found
        cdef bint time_up
        while db.expires.used:
            looked_at, found = self.looked_at, self.found
            time_up = self.look(db, now_ms, deadline_ns)
            looked_at = self.looked_at - looked_at
            found = self.found - found
            if looked_at and found * 100 <= looked_at * self.stale_accepted:
                return False
            if time_up:
                return True
        db.expired_average_ttl_ms = 0
        return False

    cdef bint look(self, Database db, int64_t now_ms, int64_t deadline_ns) except -1:
        """Look at the next keys of a database and delete those that are expired; True when time is
        up.
        """
        cdef Gathered gathered
        cdef int64_t wanted = self.keys_at_once, looked_at = 0, ttl_sum_ms = 0, ttl_samples = 0
        cdef int64_t buckets = wanted
        cdef size_t i
        cdef Entry *entry
        cdef list expired
        if wanted > <int64_t> db.expires.used:
            wanted = db.expires.used
        while looked_at < wanted and buckets:
            gathered.count = 0
            # Two buckets, so that the misses of a dozen entries overlap.
            db.expire_cursor = db.expires.scan(db.expire_cursor, gather, &gathered)
            if db.expire_cursor:  # or the walk would begin anew with keys that are gathered already
                db.expire_cursor = db.expires.scan(db.expire_cursor, gather, &gathered)
            buckets -= 1
            looked_at += gathered.count
            expired = []
            for i in range(gathered.count):
                entry = gathered.entries[i]
                if entry.expire_ms < now_ms:
                    expired.append(PyBytes_FromStringAndSize(entry.key, entry.key_length))
                else:
                    ttl_sum_ms += entry.expire_ms - now_ms
                    ttl_samples += 1
            for key in expired:
                self.delete(db, key)
            self.found += len(expired)
            if self.monotonic_ns() > deadline_ns:
                break
        self.looked_at += looked_at
        if ttl_samples:
            average_ttl(db, ttl_sum_ms // ttl_samples)
        return self.monotonic_ns() > deadline_ns


cdef void average_ttl(Database db, int64_t ttl_ms) noexcept:
    """Let the average that INFO shows follow a new sample, the first one at once."""
    if db.expired_average_ttl_ms == 0:
        db.expired_average_ttl_ms = ttl_ms
    else:
        db.expired_average_ttl_ms += (
            (ttl_ms - db.expired_average_ttl_ms) * TTL_WEIGHT_PERCENT // 100
        )
