# The seeded hash of the hash table: 64 bits from any bytes.
#
# Two lanes of 64 x 64 -> 128 bit multiplication, folded; every input word is mixed with a secret
# that the owner of a table draws at start, so that a client cannot choose keys that collide without
# knowing it. It is called twice for a key (once to prefetch, once to look up), so it must cost a
# few nanoseconds: SipHash costs four times as much here.

from libc.stdint cimport uint64_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    static inline uint64_t balas_fold(uint64_t a, uint64_t b) {
        __uint128_t product = (__uint128_t)a * b;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    static inline uint64_t balas_load64(const char *p) { uint64_t v; memcpy(&v, p, 8); return v; }
    static inline uint64_t balas_load32(const char *p) { uint32_t v; memcpy(&v, p, 4); return v; }

    static inline uint64_t balas_hash(const char *p, size_t n, uint64_t seed) {
        const uint64_t odd1 = 0x9fb21c651e98df25ULL, odd2 = 0xd6e8feb86659fd93ULL;
        uint64_t a, b, state = seed ^ (n * odd1);
        size_t left = n;
        while (left > 16) {
            state = balas_fold(balas_load64(p) ^ state, balas_load64(p + 8) ^ seed ^ odd2);
            p += 16;
            left -= 16;
        }
        if (left >= 8) {
            a = balas_load64(p);
            b = balas_load64(p + left - 8);
        } else if (left >= 4) {
            a = balas_load32(p);
            b = balas_load32(p + left - 4);
        } else if (left) {
            a = ((uint64_t)(unsigned char)p[0] << 16) | ((uint64_t)(unsigned char)p[left >> 1] << 8)
                | (unsigned char)p[left - 1];
            b = 0;
        } else {
            a = b = 0;
        }
        return balas_fold(balas_fold(a ^ odd2 ^ seed, b ^ state) ^ odd1, state ^ seed ^ n);
    }
    static inline void balas_prefetch(const void *p) { __builtin_prefetch(p); }
    """
    uint64_t hash_bytes "balas_hash"(const char *data, size_t size, uint64_t seed) noexcept nogil
    void prefetch "balas_prefetch"(const void *address) noexcept nogil
