"""Blocks of stream entries: listpacks in the layout of Redis, which stand in RDB files as they are.

A block begins with what its entries share, and goes on with the entries:

    count, deleted, number of fields, the names of the fields, 0
    flags, ms, sequence, [number of fields], values or fields and values, number of elements

Ids are told by their distance from the id of the block, which is that of its first entry. An entry
whose fields are those of the block stores values only; the first one always does. The last element
tells how many stand before it, so that entries can be read backwards. An entry that is removed is
marked; when none is left its owner drops the block.

The functions trust what they read: `block_valid` is to be asked once about bytes from outside.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport UINT32_MAX
from libc.string cimport memcmp

from balas.structures.blocks cimport room_for
from balas.structures.listpack cimport (
    LISTPACK_EMPTY,
    LISTPACK_END,
    LISTPACK_HEADER,
    Element,
    Encoded,
    change_listpack_count,
    element_bytes,
    encode_number,
    encode_text,
    listpack_at_end,
    listpack_first,
    listpack_next,
    listpack_previous,
    listpack_read,
    listpack_replace,
    listpack_size,
    same_element,
    set_listpack_count,
    set_listpack_size,
    write_encoded,
    Needle,
    set_needle,
)
from balas.types.stream_ids cimport id_ms, id_seq, make_id


cdef inline int64_t number_at(const unsigned char *entry) noexcept nogil:
    cdef Element element
    listpack_read(entry, &element)
    return element.number


cdef inline unsigned char *step(unsigned char *at, int64_t count) noexcept nogil:
    while count > 0:
        at = listpack_next(at)
        count -= 1
    return at


# --- reading --------------------------------------------------------------------------------------

cdef void block_open(unsigned char *pack, stream_id master, Block *block) noexcept nogil:
    """Read what the entries of a block share."""
    cdef unsigned char *at = listpack_first(pack)
    block.pack = pack
    block.master = master
    block.count = number_at(at)
    at = listpack_next(at)
    block.deleted = number_at(at)
    at = listpack_next(at)
    block.field_count = number_at(at)
    block.fields = listpack_next(at)
    block.entries = listpack_next(step(block.fields, block.field_count))


cdef bint entry_open(const Block *block, unsigned char *at, Entry *entry) noexcept nogil:
    """Read the head of the entry at a place; False at the end of the block."""
    cdef int64_t ms, seq
    if listpack_at_end(at):
        return False
    entry.at = at
    entry.flags = number_at(at)
    at = listpack_next(at)
    ms = number_at(at)
    at = listpack_next(at)
    seq = number_at(at)
    at = listpack_next(at)
    entry.id = make_id(
        id_ms(block.master) + <unsigned long long>ms, id_seq(block.master) + <unsigned long long>seq
    )
    if entry.flags & SAME_FIELDS:
        entry.field_count = block.field_count
    else:
        entry.field_count = number_at(at)
        at = listpack_next(at)
    entry.body = at
    return True


cdef bint entry_next(const Block *block, Entry *entry) noexcept nogil:
    """Go on to the next entry, marked ones included; False if there is none."""
    cdef int64_t elements = entry.field_count
    if not entry.flags & SAME_FIELDS:
        elements *= 2
    return entry_open(block, step(entry.body, elements + 1), entry)


cdef inline bint entry_before(const Block *block, unsigned char *at, Entry *entry) noexcept nogil:
    cdef int64_t elements
    if at == block.entries:
        return False
    at = listpack_previous(at)
    elements = number_at(at)
    while elements > 0:
        at = listpack_previous(at)
        elements -= 1
    return entry_open(block, at, entry)


cdef bint entry_last(const Block *block, Entry *entry) noexcept nogil:
    """Read the last entry, which may be marked; False if there is none."""
    return entry_before(block, block.pack + listpack_size(block.pack) - 1, entry)


cdef bint entry_previous(const Block *block, Entry *entry) noexcept nogil:
    """Go back to the entry before, marked ones included; False if there is none."""
    return entry_before(block, entry.at, entry)


cdef bint entry_find(const Block *block, stream_id id, Entry *entry) noexcept nogil:
    """Read the first entry whose id is not below this one, marked ones included; False if there is
    none.
    """
    cdef bint more = entry_open(block, block.entries, entry)
    while more and entry.id < id:
        more = entry_next(block, entry)
    return more


cdef stream_id block_last_id(const Block *block) noexcept nogil:
    """The id of the last entry, which may be marked."""
    cdef Entry entry
    return entry.id if entry_last(block, &entry) else block.master


cdef list field_names(const Block *block):
    """The names of the fields that entries share."""
    cdef list names = []
    cdef Element element
    cdef unsigned char *at = block.fields
    cdef int64_t _
    for _ in range(block.field_count):
        listpack_read(at, &element)
        names.append(element_bytes(&element))
        at = listpack_next(at)
    return names


cdef list entry_items(const Entry *entry, list names):
    """Fields and values of an entry in turn; `names` are the fields of its block."""
    cdef list items = []
    cdef Element element
    cdef unsigned char *at = entry.body
    cdef int64_t i
    for i in range(entry.field_count):
        if entry.flags & SAME_FIELDS:
            items.append(names[i])
        else:
            listpack_read(at, &element)
            items.append(element_bytes(&element))
            at = listpack_next(at)
        listpack_read(at, &element)
        items.append(element_bytes(&element))
        at = listpack_next(at)
    return items


# --- bytes of unknown origin ----------------------------------------------------------------------

cdef inline bint take_number(unsigned char **at, int64_t *number) noexcept nogil:
    """Read a number and step over it; False if there is none."""
    cdef Element element
    if listpack_at_end(at[0]):
        return False
    listpack_read(at[0], &element)
    if element.text != NULL:
        return False
    number[0] = element.number
    at[0] = listpack_next(at[0])
    return True


cdef inline bint skip_elements(unsigned char **at, int64_t count) noexcept nogil:
    """Step over so many elements; False if there are not as many."""
    if count < 0:
        return False
    while count > 0:
        if listpack_at_end(at[0]):
            return False
        at[0] = listpack_next(at[0])
        count -= 1
    return True


cdef bint block_valid(unsigned char *pack, stream_id master) noexcept nogil:
    """Whether a sound listpack is a sound block: one entry at least, ids that rise, counts that are
    right.
    """
    cdef unsigned char *at = listpack_first(pack)
    cdef int64_t count, deleted, fields, zero, flags, ms, seq, own_fields, told
    cdef int64_t live = 0, total = 0
    cdef stream_id id, last = master
    if not (take_number(&at, &count) and take_number(&at, &deleted) and take_number(&at, &fields)):
        return False
    if not skip_elements(&at, fields) or not take_number(&at, &zero) or zero != 0:
        return False
    while not listpack_at_end(at):
        if not (take_number(&at, &flags) and take_number(&at, &ms) and take_number(&at, &seq)):
            return False
        id = make_id(
            id_ms(master) + <unsigned long long>ms, id_seq(master) + <unsigned long long>seq
        )
        if id < last or (total > 0 and id == last):
            return False
        last = id
        own_fields = fields
        if not flags & SAME_FIELDS:
            if not take_number(&at, &own_fields) or not skip_elements(&at, own_fields):
                return False
        if not skip_elements(&at, own_fields) or not take_number(&at, &told):
            return False
        if told != own_fields + 3 + (0 if flags & SAME_FIELDS else own_fields + 1):
            return False
        total += 1
        live += not flags & DELETED
    return total > 0 and live == count and total == count + deleted


# --- writing --------------------------------------------------------------------------------------

cdef inline size_t number_size(int64_t number) noexcept nogil:
    cdef Encoded encoded
    encode_number(number, &encoded)
    return encoded.size


cdef inline void put_number(unsigned char **at, int64_t number) noexcept nogil:
    cdef Encoded encoded
    encode_number(number, &encoded)
    write_encoded(&encoded, at[0])
    at[0] += encoded.size


cdef inline size_t word_size(object word) noexcept:
    cdef Encoded encoded
    encode_text(PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word), &encoded)
    return encoded.size


cdef inline void put_word(unsigned char **at, object word) noexcept:
    cdef Encoded encoded
    encode_text(PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word), &encoded)
    write_encoded(&encoded, at[0])
    at[0] += encoded.size


cdef unsigned char *block_new(stream_id id, tuple words, Py_ssize_t start) except NULL:
    """A block of one entry, whose fields and values are the words from `start` on."""
    cdef int64_t fields = (len(words) - start) // 2
    cdef Py_ssize_t i
    cdef size_t size = LISTPACK_EMPTY + 6 + number_size(fields)
    cdef unsigned char *pack
    cdef unsigned char *at
    for i in range(start, len(words), 2):
        size += word_size(words[i])
    if size > UINT32_MAX:
        raise OverflowError("a listpack holds less than 4 GB")
    pack = <unsigned char *>PyMem_Malloc(room_for(size))
    if pack == NULL:
        raise MemoryError
    at = pack + LISTPACK_HEADER
    put_number(&at, 0)
    put_number(&at, 0)
    put_number(&at, fields)
    for i in range(start, len(words), 2):
        put_word(&at, words[i])
    put_number(&at, 0)
    at[0] = LISTPACK_END
    set_listpack_size(pack, size)
    set_listpack_count(pack, fields + 4)
    return block_append(pack, id, id, words, start)


cdef bint has_fields(const Block *block, tuple words, Py_ssize_t start) noexcept:
    """Whether the fields among these words are those of the block."""
    cdef unsigned char *at = block.fields
    cdef Py_ssize_t i
    cdef Needle needle
    cdef Element element
    if block.field_count != (len(words) - start) // 2:
        return False
    for i in range(start, len(words), 2):
        listpack_read(at, &element)
        if element.text != NULL:
            if element.size != <size_t>PyBytes_GET_SIZE(words[i]) or memcmp(
                element.text, PyBytes_AS_STRING(words[i]), element.size
            ):
                return False
        else:
            set_needle(&needle, PyBytes_AS_STRING(words[i]), PyBytes_GET_SIZE(words[i]))
            if not same_element(&element, &needle):
                return False
        at = listpack_next(at)
    return True


cdef unsigned char *block_append(
    unsigned char *pack, stream_id master, stream_id id, tuple words, Py_ssize_t start
) except NULL:
    """Add an entry at the end, whose fields and values are the words from `start` on; the pack's
    new place.
    """
    cdef Block block
    cdef bint same
    cdef int64_t fields = (len(words) - start) // 2, elements = fields + 3
    cdef int64_t ms = <int64_t>(id_ms(id) - id_ms(master))
    cdef int64_t seq = <int64_t>(id_seq(id) - id_seq(master))
    cdef Py_ssize_t i, by, end = len(words)
    cdef size_t size = listpack_size(pack), added
    cdef unsigned char *at
    block_open(pack, master, &block)
    same = has_fields(&block, words, start)
    by = 2 if same else 1
    added = 2 + number_size(ms) + number_size(seq)
    if not same:
        elements += fields + 1
        added += number_size(fields)
    added += number_size(elements)
    i = start + same
    while i < end:
        added += word_size(words[i])
        i += by
    pack = resized(pack, size, size + added)
    at = pack + size - 1
    put_number(&at, SAME_FIELDS if same else 0)
    put_number(&at, ms)
    put_number(&at, seq)
    if not same:
        put_number(&at, fields)
    i = start + same
    while i < end:
        put_word(&at, words[i])
        i += by
    put_number(&at, elements)
    at[0] = LISTPACK_END
    set_listpack_size(pack, size + added)
    change_listpack_count(pack, elements + 1)
    return replace_number(pack, listpack_first(pack), block.count + 1)


cdef unsigned char *resized(unsigned char *pack, size_t old, size_t new) except NULL:
    """Fit the block of memory to another size, as listpacks have it."""
    cdef unsigned char *moved
    if new > UINT32_MAX:
        raise OverflowError("a listpack holds less than 4 GB")
    if room_for(new) == room_for(old):
        return pack
    moved = <unsigned char *>PyMem_Realloc(pack, room_for(new))
    if moved == NULL:
        raise MemoryError
    return moved


cdef unsigned char *replace_number(
    unsigned char *pack, unsigned char *at, int64_t number
) except NULL:
    cdef Encoded encoded
    encode_number(number, &encoded)
    return listpack_replace(pack, &at, &encoded)


cdef unsigned char *entry_delete(unsigned char *pack, unsigned char *at) except NULL:
    """Mark the entry at a place as removed; the pack's new place.

    Follow with `block_count_deleted`.
    """
    return replace_number(pack, at, number_at(at) | DELETED)


cdef unsigned char *block_count_deleted(unsigned char *pack, int64_t deleted) except NULL:
    """Count so many more entries as marked; the pack's new place."""
    cdef unsigned char *at = listpack_first(pack)
    pack = replace_number(pack, at, number_at(at) - deleted)
    at = listpack_next(listpack_first(pack))
    return replace_number(pack, at, number_at(at) + deleted)
