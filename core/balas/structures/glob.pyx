"""Glob patterns as Redis matches them: KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET, ACL rules.

`*` any bytes, `?` one byte, `[abc]`, `[a-z]`, `[^x]` one byte of (or not of) a set,
`\\` takes the next byte literally. What differs from fnmatch, and is kept to the letter because
clients rely on it:

- an unclosed `[` ends with the pattern; a `\\` at the very end stands for itself;
- a range may be written backwards, and its ends are *signed* bytes: `[a-\\xff]` means 0xff up to
  `a`;
- an empty text matches the empty pattern alone, not even `*`. (KEYS and SCAN do not ask for
  `*`.)

Only the last `*` is ever tried again: if the rest of the pattern fits nowhere behind it, moving
an earlier `*` could only make it start later. So a match costs at most pattern times text, never
more.
"""


cdef enum:
    # More stars than this, the final one aside, never match: Redis's guard against abusive
    # patterns.
    STARS_MAX = 1000


cdef inline int folded(int byte, bint nocase) noexcept nogil:
    """The byte in lower case if `nocase`; ASCII letters only."""
    return byte + 32 if nocase and c"A" <= byte <= c"Z" else byte


cdef const char *match_set(
    const char *pattern, const char *end, char byte, bint nocase, bint *matched
) noexcept nogil:
    """Match one byte with the set that follows a `[`; returns the place after the set."""
    cdef bint negated = pattern < end and pattern[0] == c"^"
    cdef bint found = False
    cdef int low, high, swap
    if negated:
        pattern += 1
    while pattern < end:
        if pattern[0] == c"\\" and end - pattern >= 2:
            pattern += 1
            if pattern[0] == byte:
                found = True
        elif pattern[0] == c"]":
            break
        elif end - pattern >= 3 and pattern[1] == c"-":
            low = <signed char>pattern[0]
            high = <signed char>pattern[2]
            if low > high:
                swap = low
                low = high
                high = swap
            if folded(low, nocase) <= folded(<signed char>byte, nocase) <= folded(high, nocase):
                found = True
            pattern += 2
        elif folded(pattern[0], nocase) == folded(byte, nocase):
            found = True
        pattern += 1
    matched[0] = found != negated
    # The closing bracket is passed over; a set that the pattern's end closes has none.
    return pattern + 1 if pattern < end else end


cdef const char *match_one(
    const char *pattern, const char *end, char byte, bint nocase
) noexcept nogil:
    """Match one byte with one item that is no star; the place after the item, or NULL."""
    cdef bint matched
    if pattern[0] == c"?":
        return pattern + 1
    if pattern[0] == c"[":
        pattern = match_set(pattern + 1, end, byte, nocase, &matched)
        return pattern if matched else NULL
    if pattern[0] == c"\\" and end - pattern >= 2:
        pattern += 1
    return pattern + 1 if folded(pattern[0], nocase) == folded(byte, nocase) else NULL


cdef bint glob_match(
    const char *pattern, size_t pattern_size, const char *text, size_t text_size, bint nocase
) noexcept nogil:
    """Whether the whole text fits the pattern."""
    cdef const char *end = pattern + pattern_size
    cdef const char *text_end = text + text_size
    cdef const char *after_star = NULL
    cdef const char *star_text = NULL
    cdef const char *following
    cdef int stars = 0
    if text_size == 0:
        return pattern_size == 0
    while text < text_end:
        if pattern < end and pattern[0] == c"*":
            while pattern < end and pattern[0] == c"*":
                pattern += 1
            if pattern == end:
                return True
            stars += 1
            if stars > STARS_MAX:
                return False
            after_star = pattern
            star_text = text
            continue
        following = match_one(pattern, end, text[0], nocase) if pattern < end else NULL
        if following != NULL:
            pattern = following
            text += 1
        elif after_star != NULL:
            star_text += 1
            text = star_text
            pattern = after_star
        else:
            return False
    while pattern < end and pattern[0] == c"*":
        pattern += 1
    return pattern == end


def match(bytes pattern not None, bytes text not None, bint nocase=False):
    """Whether the whole text fits the pattern; `nocase` makes both cases of a letter equal."""
    return glob_match(pattern, len(pattern), text, len(text), nocase)
