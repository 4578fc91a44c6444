"""The best documents of a single word by TFIDF, straight from its list to their keys."""

from libc.stdint cimport uint32_t, uint64_t

from balas_search.index.tables cimport DocumentTable
from balas_search.postings.posting cimport Posting

cdef enum:
    # As many of the best are kept at once.
    BEST_MAX = 256


def best_keys(DocumentTable documents not None, Posting posting not None, fields: int, float value,
              Py_ssize_t offset, Py_ssize_t count) -> list | None:
    """How many documents hold a word in one of `fields` (a mask), and the keys of the best.

    `value` is what one occurrence is worth. None where that cannot be told so: more are wanted than
    are kept, or a document has no words or a score below 0.
    """
    cdef uint64_t lo = fields & 0xFFFFFFFFFFFFFFFF
    cdef uint64_t hi = (fields >> 64) & 0xFFFFFFFFFFFFFFFF
    cdef double[BEST_MAX] scores
    cdef uint32_t[BEST_MAX] docs
    cdef Py_ssize_t room = offset + count
    cdef Py_ssize_t total = 0
    cdef Py_ssize_t found = 0
    cdef Py_ssize_t i, at
    cdef uint32_t doc
    cdef float own
    cdef double score
    if room > BEST_MAX:
        return None
    for i in range(posting.size):
        doc = posting.docs[i]
        if not documents.alive_data[doc] or not posting.in_fields(i, lo, hi):
            continue
        total += 1
        if not documents.frequency_data[doc] or not documents.score_data[doc] >= 0:
            return None
        own = value * posting.freq_of(i)
        score = <double> own * documents.score_data[doc] / documents.frequency_data[doc]
        # Documents come by their ids, so that of equal ones the first stays before.
        if found == room:
            if not room or score <= scores[room - 1]:
                continue
            at = found - 1
        else:
            at = found
            found += 1
        while at and scores[at - 1] < score:
            scores[at] = scores[at - 1]
            docs[at] = docs[at - 1]
            at -= 1
        scores[at] = score
        docs[at] = doc
    made = [total]
    for i in range(offset, found):
        made.append(documents.keys[docs[i]])
    return made
