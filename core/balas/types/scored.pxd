# Members with scores on their way, and as they stand in a pack: read, compared and written.
#
# An item may point into itself, where a member is a number: pass it on by its address only.

from libc.stdint cimport INT64_MAX, int64_t
from libc.string cimport memcmp

from balas.structures.hashing cimport prefetch
from balas.structures.listpack cimport (
    Element,
    Encoded,
    encode_number,
    encode_text,
    listpack_append,
    listpack_append_number,
    listpack_read,
)
from balas.structures.numbers cimport double_to_string, int64_to_string, string_to_double
from balas.structures.ranked cimport Position

cdef enum:
    # Longer than any text of a double.
    SCORE_TEXT = 32

# A member with its score; `text` may point to the digits of the same item.
cdef struct Scored:
    const char *text
    size_t size
    double score
    char[24] digits

# Takes a member: 0, 1 to end the walk, -1 with an exception.
ctypedef int (*take_scored_t)(void *context, Scored *item) except -1


cdef inline bint whole_score(double score, int64_t *whole) noexcept:
    """Whether a score is a number that a pack keeps as such."""
    # Redis goes this far.
    cdef double most = <double>(INT64_MAX // 2)
    if not -most <= score <= most:
        return False
    whole[0] = <int64_t>score
    return <double>whole[0] == score


cdef inline void read_member(const unsigned char *entry, Scored *item) noexcept:
    """The text of a member; `item` must stay where it is while the text is used."""
    cdef Element element
    listpack_read(entry, &element)
    if element.text == NULL:
        item.size = int64_to_string(element.number, item.digits)
        item.text = item.digits
    else:
        item.text = element.text
        item.size = element.size


cdef inline double read_score(const unsigned char *entry) except? -7:
    cdef Element element
    cdef double score = 0
    listpack_read(entry, &element)
    if element.text == NULL:
        return <double>element.number
    string_to_double(element.text, element.size, &score)
    return score


cdef inline bint is_score(const unsigned char *entry) except -1:
    """Whether a loaded element can be read as a score."""
    cdef Element element
    cdef double score = 0
    listpack_read(entry, &element)
    return element.text == NULL or (
        string_to_double(element.text, element.size, &score) and score == score
    )


cdef inline void encode_score(double score, char *text, Encoded *out) noexcept:
    """Encode a score, of which `text` has to be kept until it is written."""
    cdef int64_t whole
    if whole_score(score, &whole):
        encode_number(whole, out)
    else:
        encode_text(text, double_to_string(score, text), out)


cdef inline int order_of(
    const char *one, size_t size, const char *other, size_t other_size
) noexcept:
    """The order of two members: negative if the first is less."""
    cdef int order = memcmp(one, other, min(size, other_size))
    if order == 0:
        return (size > other_size) - (size < other_size)
    return order


cdef inline unsigned char *append_scored(unsigned char *pack, Scored *item) except NULL:
    cdef char[SCORE_TEXT] text
    cdef int64_t whole
    pack = listpack_append(pack, item.text, item.size)
    if whole_score(item.score, &whole):
        return listpack_append_number(pack, whole)
    return listpack_append(pack, text, double_to_string(item.score, text))


cdef inline void ask_ahead(Position position, bint reverse) noexcept:
    """Prefetch the entry that comes four steps later, if it is in the same leaf."""
    if reverse:
        if position.index >= 4:
            prefetch(position.leaf.entries[position.index - 4])
    elif position.index + 4 < position.leaf.count:
        prefetch(position.leaf.entries[position.index + 4])


# What a walk that checks the order has seen.
cdef struct Seen:
    Scored last
    bint any
    bint wrong


cdef inline int check_order(void *context, Scored *item) except -1:
    """Note whether a member does not come behind the one before."""
    cdef Seen *seen = <Seen *>context
    if seen.any:
        seen.wrong = item.score < seen.last.score or (
            item.score == seen.last.score
            and order_of(item.text, item.size, seen.last.text, seen.last.size) <= 0
        )
    seen.any = True
    seen.last = item[0]
    # The text of a number is among the digits of the item itself.
    if item.text == item.digits:
        seen.last.text = seen.last.digits
    return seen.wrong
