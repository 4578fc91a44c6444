"""Eviction: which key has to go when memory is full.

The exact order of all keys by age or use would cost memory and time on every access. Instead a few
keys of each database are looked at (`samples`), and the best candidates seen so far are kept in a
pool of sixteen, so that over many evictions the choice comes close to the exact order. The best of
the pool goes first. This is Redis's algorithm; one thing is added: a candidate that was used since
it came into the pool is passed over, for we see that when we look it up.

Scores: the higher, the sooner a key goes. LRU: tenths of a second since the last use. LFU: 255
less the counter of use. TTL: the sooner a key expires, the higher.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint32_t, uint64_t

from balas.keyspace.access cimport AccessClock
from balas.keyspace.database cimport Account, Database
from balas.keyspace.entries cimport Entry
from balas.structures.hashing cimport prefetch
from balas.structures.hashtable cimport HashTable

cdef enum:
    POOL_SIZE = 16
    SAMPLES_MAX = 64
    # The clock is read once in so many evictions.
    CLOCK_EVERY = 16

cdef enum Order:
    NOTHING
    BY_AGE
    BY_USE
    BY_EXPIRY
    BY_CHANCE

FREED = 0
MORE_TO_FREE = 1
NOTHING_TO_FREE = 2

# Policy to order, and whether all keys or only those that expire may go.
POLICIES = {
    "noeviction": (NOTHING, True),
    "allkeys-lru": (BY_AGE, True),
    "allkeys-lfu": (BY_USE, True),
    "allkeys-random": (BY_CHANCE, True),
    "volatile-lru": (BY_AGE, False),
    "volatile-lfu": (BY_USE, False),
    "volatile-random": (BY_CHANCE, False),
    "volatile-ttl": (BY_EXPIRY, False),
}


cdef class Eviction:
    """Evicts keys of all databases until the account is below a limit.

    `delete(database, key)` deletes a key and reports it. `monotonic_ns()` is the clock that time
    limits are measured with. `seed` starts the chance of this object.
    """

    cdef list databases
    cdef Account account
    cdef AccessClock access
    cdef object delete
    cdef object monotonic_ns
    cdef uint64_t chance
    cdef Order order
    cdef bint all_keys
    cdef readonly str policy
    cdef public int samples
    # The pool, lowest score first.
    cdef int count
    cdef uint64_t scores[POOL_SIZE]
    cdef list keys
    cdef list places
    # Where a random policy looks next.
    cdef size_t position

    def __init__(self, list databases, Account account, AccessClock access, object delete,
                 object monotonic_ns, uint64_t seed):
        self.databases = databases
        self.account = account
        self.access = access
        self.delete = delete
        self.monotonic_ns = monotonic_ns
        self.chance = seed
        self.samples = 5
        self.use_policy("noeviction")

    def use_policy(self, policy: str) -> None:
        """Follow a policy by its name from now on."""
        self.order, self.all_keys = POLICIES[policy]
        self.policy = policy
        self.count = 0
        self.keys = [None] * POOL_SIZE
        self.places = [None] * POOL_SIZE

    def free(self, limit: int, time_limit_ns: int) -> int:
        """Evict until the account holds at most `limit` bytes or the time is up.

        Returns FREED, MORE_TO_FREE if time was up, NOTHING_TO_FREE if no key may go.
        """
        cdef int64_t bytes_max = limit, deadline_ns, evicted = 0
        cdef bytes key
        cdef Database db
        if self.order == NOTHING:
            return NOTHING_TO_FREE
        deadline_ns = self.monotonic_ns() + time_limit_ns
        while self.account.used + self.account.other > bytes_max:
            key = self.choose()
            if key is None:
                return NOTHING_TO_FREE
            db = <Database> self.databases[self.position]
            self.delete(db, key)
            evicted += 1
            if evicted % CLOCK_EVERY == 0 and self.monotonic_ns() > deadline_ns:
                return MORE_TO_FREE
        return FREED

    cdef HashTable candidates(self, Database db):
        return db.keys if self.all_keys else db.expires

    cdef uint64_t next_chance(self) noexcept:
        self.chance = self.chance * 6364136223846793005ULL + 1442695040888963407ULL
        return self.chance

    cdef bytes choose(self):
        """A key to evict, in the database at `position`; None if no key may go."""
        cdef bytes key
        if self.order == BY_CHANCE:
            return self.choose_by_chance()
        while True:
            if not self.fill_pool():
                return None
            while self.count:
                self.count -= 1
                key = <bytes> self.keys[self.count]
                self.position = <size_t> self.places[self.count]
                self.keys[self.count] = None
                if self.still_stands(key, self.scores[self.count]):
                    return key

    cdef bytes choose_by_chance(self):
        """A random key of the next database that has any."""
        cdef size_t _tried
        cdef Entry *entry
        for _tried in range(len(self.databases)):
            self.position = (self.position + 1) % len(self.databases)
            entry = <Entry *> self.candidates(
                <Database> self.databases[self.position]
            ).random(self.next_chance())
            if entry != NULL:
                return PyBytes_FromStringAndSize(entry.key, entry.key_length)
        return None

    cdef bint still_stands(self, bytes key, uint64_t score) except -1:
        """Whether a candidate is there still and was not used since it was looked at."""
        cdef Entry *entry = (<Database> self.databases[self.position]).find_key(key)
        if entry == NULL or not (self.all_keys or entry.expire_ms >= 0):
            return False
        return self.score(entry) >= score

    cdef bint fill_pool(self) except -1:
        """Look at some keys of each database; False if there are none at all."""
        cdef Entry *sampled[SAMPLES_MAX]
        cdef HashTable table
        cdef size_t place, wanted, i, count
        cdef bint any_keys = False
        for place in range(len(self.databases)):
            table = self.candidates(<Database> self.databases[place])
            if table.used == 0:
                continue
            any_keys = True
            wanted = self.samples if <uint64_t> self.samples < table.used else table.used
            count = table.sample(<void **> sampled, wanted, self.next_chance())
            if count == 0:
                # A table that is nearly empty and not allowed to shrink.
                sampled[0] = <Entry *> table.random(self.next_chance())
                count = 1
            for i in range(count):
                prefetch(sampled[i])
            for i in range(count):
                self.consider(sampled[i], place)
        return any_keys

    cdef uint64_t score(self, const Entry *entry) noexcept:
        """How much an entry deserves to go."""
        if self.order == BY_AGE:
            return <uint32_t> (self.access.now - entry.access)
        if self.order == BY_USE:
            return 255 - self.access.decayed(entry.access)
        return ~(<uint64_t> entry.expire_ms)

    cdef int consider(self, const Entry *entry, size_t place) except -1:
        """Put an entry into the pool if it deserves it more than what is there."""
        cdef uint64_t score = self.score(entry)
        cdef int at = self.count, i
        # Among equals the first to come is the first to go, or one database would pay for all.
        while at and self.scores[at - 1] >= score:
            at -= 1
        if self.count == POOL_SIZE:
            if at == 0:
                return 0
            # The one that deserves it least makes room.
            at -= 1
            for i in range(at):
                self.move(i + 1, i)
        else:
            for i in range(self.count, at, -1):
                self.move(i - 1, i)
            self.count += 1
        self.scores[at] = score
        self.keys[at] = PyBytes_FromStringAndSize(entry.key, entry.key_length)
        self.places[at] = place
        return 0

    cdef int move(self, int start, int end) except -1:
        self.scores[end] = self.scores[start]
        self.keys[end] = self.keys[start]
        self.places[end] = self.places[start]
        return 0
