"""Changes of a document: each at all places that a path selects, in place.

Matches are changed from the deepest up. So a change never moves a place that is still needed: it
may move the cells of its own container, and those in them have had their turn.
"""

from libc.math cimport isfinite, pow
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove

from balas_json._cells cimport (
    ARRAY, DEPTH_MAX, ESCAPED, LONG_TEXT, NO, NOTHING, OBJECT, TEXT, YES, Cell, Doc, block_of,
    cell_at, child, copied, count_of, depth_of, double_cell, double_of, int64_of, integer_cell,
    is_array, is_container, is_number, is_string, kind_of, make_room, member, names_of,
    release, reserve, set_count, share, signed_cell, text_cell, text_of, unpack,
)
from balas_json._document cimport Document, expanded, parsed
from balas_json._names cimport NO_NAME, find_name, leave_name, share_name, take_name
from balas_json._numbers cimport NUMBER_SIZE, put_double, put_integer
from balas_json._paths cimport INDEX, Path, Selector
from balas_json._printer cimport Printer, new_printer, printed
from balas_json._search cimport NOWHERE, Found, Match, search

from balas.api import ReplyError

cdef str WRONG_STATIC_PATH = "Err wrong static path"
cdef str OUT_OF_RANGE = "ERR array index out of range"
cdef str OUT_OF_BOUNDS = "ERR index out of bounds"
cdef str BAD_NUMBER = "bad input number"
cdef str NOT_A_NUMBER = "ERR result is not a number"
cdef str TOO_DEEP = "ERR the document would be nested deeper than 1024 levels"


cdef list deepest_first(Found found):
    """The numbers of the matches, from the deepest up; otherwise in their order."""
    cdef Py_ssize_t i
    if found.size == 1:
        return [0]
    return sorted(range(found.size), key=lambda i: -<int64_t>found.items[<Py_ssize_t>i].depth)


cdef Cell grafted(Document document, Document value) except? 0:
    """A copy of a value in the document's arena."""
    cdef Cell cell = copied(&document.doc, &value.doc, value.root())
    share(&document.doc, cell)
    return cell


cdef int replace(Document document, uint64_t at, Document value) except -1:
    """Put a copy of a value into the cell at a place."""
    cdef Cell cell = grafted(document, value)
    release(&document.doc, cell_at(&document.doc, at)[0])
    cell_at(&document.doc, at)[0] = cell
    return 0


cdef int check_depth(Found found, int depth) except -1:
    """Raise if values of this depth would lie too deep where the matches are."""
    cdef Py_ssize_t i
    for i in range(found.size):
        if <int>found.items[i].depth + depth > DEPTH_MAX:
            raise ReplyError(TOO_DEEP)
    return 0


def exists(document: Document, path: Path) -> bool:
    """Whether a path selects anything."""
    return search(&(<Document>document).doc, path, False, 1).size > 0


def assign(document: Document, path: Path, value: Document) -> int:
    """Put a value at all places; how many they are."""
    cdef Document mine = document, new = value
    cdef Found found = mine.find_to_write(path)
    check_depth(found, depth_of(&new.doc, new.root()))
    for i in deepest_first(found):
        replace(mine, found.items[<Py_ssize_t>i].at, new)
    mine.settle()
    return found.size


def create(document: Document, path: Path, value: Document) -> bool:
    """Add a member to the object that a path without its last step selects.

    False if there is no such object, or it has that member; ReplyError if the path cannot name a
    new one.
    """
    cdef Document mine = document, new = value
    cdef Path whole = path
    cdef Found found
    cdef Selector *last
    cdef Cell cell
    cdef uint64_t at
    cdef uint32_t name
    if not whole.selects_one() or not whole.count:
        raise ReplyError(WRONG_STATIC_PATH)
    last = &whole.selectors[whole.steps[whole.count - 1].first]
    if last.choice == INDEX:
        raise ReplyError(OUT_OF_RANGE)
    whole.count -= 1
    try:
        found = search(&mine.doc, whole, False, 1)
    finally:
        whole.count += 1
    if not found.size or kind_of(found.items[0].cell) != OBJECT:
        return False
    at = found.items[0].at
    name = find_name(last.key, last.length, last.hashed)
    if name != NO_NAME and member(&mine.doc, found.items[0].cell, name) >= 0:
        return False
    check_depth(found, depth_of(&new.doc, new.root()) + 1)
    cell = grafted(mine, new)
    add_member(&mine.doc, at, take_name(last.key, last.length), cell)
    mine.settle()
    return True


cdef int add_member(Doc *doc, uint64_t at, uint32_t name, Cell cell) except -1:
    """Add a member to the object in the cell at `at`; it takes over the reference to the name."""
    cdef Cell object
    cdef uint32_t count
    make_room(doc, at, 1)
    object = cell_at(doc, at)[0]
    count = count_of(doc, object)
    cell_at(doc, block_of(object))[count] = cell
    names_of(doc, object)[count] = name
    set_count(doc, at, count + 1)
    return 0


cdef void remove(Doc *doc, uint64_t at, uint32_t index) noexcept:
    """Take a child out of the ARRAY or OBJECT in the cell at `at`, without releasing it.

    In an object the last member takes its place, as in RedisJSON.
    """
    cdef Cell holder = cell_at(doc, at)[0]
    cdef Cell *items = cell_at(doc, block_of(holder))
    cdef uint32_t *names
    cdef uint32_t count = count_of(doc, holder)
    if kind_of(holder) == OBJECT:
        names = names_of(doc, holder)
        leave_name(names[index])
        names[index] = names[count - 1]
        items[index] = items[count - 1]
    else:
        memmove(&items[index], &items[index + 1], (count - index - 1) * sizeof(Cell))
    set_count(doc, at, count - 1)


def merge(document: Document, path: Path, patch: Document) -> int:
    """Apply a merge patch (RFC 7396) at all places; how many they are."""
    cdef Document mine = document, new = patch
    cdef Found found = mine.find_to_write(path)
    check_depth(found, depth_of(&new.doc, new.root()))
    for i in deepest_first(found):
        merge_at(mine, found.items[<Py_ssize_t>i].at, &new.doc, new.root())
    mine.settle()
    return found.size


cdef int merge_at(Document mine, uint64_t at, const Doc *patch_doc, Cell patch) except -1:
    cdef Doc *doc = &mine.doc
    cdef Cell cell, old
    cdef int64_t index
    cdef uint32_t i, name
    if kind_of(patch) != OBJECT:
        cell = copied(doc, patch_doc, patch)
        share(doc, cell)
        release(doc, cell_at(doc, at)[0])
        cell_at(doc, at)[0] = cell
        return 0
    if kind_of(cell_at(doc, at)[0]) != OBJECT:
        release(doc, cell_at(doc, at)[0])
        cell_at(doc, at)[0] = OBJECT
    for i in range(count_of(patch_doc, patch)):
        name = names_of(patch_doc, patch)[i]
        cell = child(patch_doc, patch, i)
        index = member(doc, cell_at(doc, at)[0], name)
        if cell == NOTHING:
            if index >= 0:
                old = child(doc, cell_at(doc, at)[0], <uint32_t>index)
                remove(doc, at, <uint32_t>index)
                release(doc, old)
            continue
        if index < 0:
            index = count_of(doc, cell_at(doc, at)[0])
            share_name(name)
            add_member(doc, at, name, NOTHING)
        merge_at(mine, block_of(cell_at(doc, at)[0]) + 8 * index, patch_doc, cell)
    return 0


# --- taking away ----------------------------------------------------------------------------------

cdef int note_below(const Doc *doc, Cell cell, set places) except -1:
    """Add the places of all cells below a container."""
    cdef uint32_t i
    if kind_of(cell) == ARRAY or kind_of(cell) == OBJECT:
        for i in range(count_of(doc, cell)):
            places.add(block_of(cell) + 8 * <uint64_t>i)
            note_below(doc, child(doc, cell, i), places)
    return 0


cdef list outermost(Document mine, Found found):
    """The numbers of the matches that lie in no other match, each place once, outermost first."""
    cdef set gone = set()
    cdef list kept = []
    cdef Match *match
    if found.size == 1:
        return [0]
    for i in reversed(deepest_first(found)):
        match = &found.items[<Py_ssize_t>i]
        if match.at not in gone:
            kept.append(i)
            gone.add(match.at)
            note_below(&mine.doc, cell_at(&mine.doc, match.at)[0], gone)
    return kept


cdef tuple removal_order(Found found, Py_ssize_t i):
    """From the deepest up, and in one container from the last to the first."""
    return -<int64_t>found.items[i].depth, -<int64_t>found.items[i].index


def delete(document: Document, path: Path) -> int:
    """Take out all matches but the root; how many that were. What lies in another does not count.
    """
    cdef Document mine = document
    cdef Found found = mine.find_to_write(path)
    cdef Match *match
    cdef Cell cell
    cdef list order
    if not found.size:
        return 0
    order = [i for i in outermost(mine, found) if found.items[<Py_ssize_t>i].parent != NOWHERE]
    if len(order) > 1:
        order.sort(key=lambda i: removal_order(found, i))
    for i in order:
        match = &found.items[<Py_ssize_t>i]
        # Not `match.cell`: that may have been a PACKED array still.
        cell = cell_at(&mine.doc, match.at)[0]
        remove(&mine.doc, match.parent, match.index)
        release(&mine.doc, cell)
    mine.settle()
    return len(order)


def clear(document: Document, path: Path) -> int:
    """Empty containers and set numbers to 0; how many of the matches changed. What is selected
    twice, say by [1,-1], counts twice.
    """
    cdef Document mine = document
    cdef Found found = mine.find_to_write(path)
    cdef Doc *doc = &mine.doc
    cdef Match *match
    cdef Cell cell
    cdef int changed = 0
    cdef dict selected
    if not found.size:
        return 0
    selected = times_selected(found)
    for i in outermost(mine, found):
        match = &found.items[<Py_ssize_t>i]
        cell = cell_at(doc, match.at)[0]
        if is_container(cell) and count_of(doc, cell):
            release(doc, cell)
            cell_at(doc, match.at)[0] = ARRAY if is_array(cell) else OBJECT
        elif is_number(cell) and double_of(doc, cell) != 0:
            release(doc, cell)
            cell_at(doc, match.at)[0] = integer_cell(0)
        else:
            continue
        changed += selected.get(match.at, 1)
    mine.settle()
    return changed


cdef dict times_selected(Found found):
    """How many matches are at each place; empty if there is but one match."""
    cdef Py_ssize_t i
    cdef dict times = {}
    if found.size > 1:
        for i in range(found.size):
            times[found.items[i].at] = times.get(found.items[i].at, 0) + 1
    return times


# --- scalars --------------------------------------------------------------------------------------

def toggle(document: Document, path: Path) -> list:
    """Turn true and false round; what each is now, None for what is neither."""
    cdef Document mine = document
    cdef Found found = mine.find_to_write(path)
    cdef Cell *cell
    cdef Py_ssize_t i
    cdef list outcomes = []
    for i in range(found.size):
        cell = cell_at(&mine.doc, found.items[i].at)
        if cell[0] == YES or cell[0] == NO:
            cell[0] = NO if cell[0] == YES else YES
            outcomes.append(cell[0] == YES)
        else:
            outcomes.append(None)
    return outcomes


cdef int64_t wrapped_power(int64_t base, int64_t exponent) noexcept:
    """A power that keeps the lowest 64 bits; of the exponent the lowest 32 count."""
    cdef uint64_t left = <uint32_t>exponent
    cdef uint64_t result = 1, factor = <uint64_t>base
    while left:
        if left & 1:
            result *= factor
        factor *= factor
        left >>= 1
    return <int64_t>result


cdef object outcome(const Doc *doc, Cell cell, char operation, const Doc *number_doc, Cell number):
    """The result of one calculation: an int, wrapped to 64 bits, or a finite float."""
    cdef int64_t whole, other
    cdef double value, other_value
    if int64_of(doc, cell, &whole) and int64_of(number_doc, number, &other):
        if operation == c"+":
            return <int64_t>(<uint64_t>whole + <uint64_t>other)
        if operation == c"*":
            return <int64_t>(<uint64_t>whole * <uint64_t>other)
        return wrapped_power(whole, other)
    value = double_of(doc, cell)
    other_value = double_of(number_doc, number)
    if operation == c"+":
        value += other_value
    elif operation == c"*":
        value *= other_value
    else:
        value = pow(value, other_value)
    if not isfinite(value):
        raise ReplyError(NOT_A_NUMBER)
    return value


cdef Cell number_cell(Document mine, object number) except? 0:
    """A new number of the document."""
    if type(number) is int:
        return signed_cell(&mine.doc, number)
    return double_cell(&mine.doc, number)


def calculate(document: Document, path: Path, operation: str, text: bytes) -> list:
    """Add to, multiply or raise all numbers: "+", "*" or "^". The results, None for no numbers.

    If one cannot be calculated, ReplyError, and none is changed. The text of the other number is
    looked at only if the path selects something, as in RedisJSON.
    """
    cdef Document mine = document, by
    cdef Found found = mine.find_to_write(path)
    cdef char sign = <char>ord(operation)
    cdef Cell cell
    cdef uint64_t at
    cdef Py_ssize_t i
    cdef list results = []
    cdef dict known = {}
    if not found.size:
        return results
    by = parsed(text, "ERR ")
    if not is_number(by.root()):
        raise ReplyError(BAD_NUMBER)
    for i in range(found.size):
        cell = found.items[i].cell
        if not is_number(cell):
            results.append(None)
            continue
        # What is selected twice, say by [1,-1], is calculated twice.
        before = known.get(found.items[i].at)
        if before is None:
            result = outcome(&mine.doc, cell, sign, &by.doc, by.root())
        else:
            cell = number_cell(mine, before)
            try:
                result = outcome(&mine.doc, cell, sign, &by.doc, by.root())
            finally:
                release(&mine.doc, cell)
        results.append(result)
        if found.size > 1:
            known[found.items[i].at] = result
    for i in range(found.size):
        if results[i] is None:
            continue
        at = found.items[i].at
        cell = number_cell(mine, results[i])
        release(&mine.doc, cell_at(&mine.doc, at)[0])
        cell_at(&mine.doc, at)[0] = cell
    mine.settle()
    return results


def number_texts(numbers: list) -> bytes:
    """Results as the text of an array."""
    cdef Printer printer = new_printer(NUMBER_SIZE)
    cdef bint first = True
    printer.open(b"[")
    for number in numbers:
        printer.item(first)
        first = False
        printer.room(NUMBER_SIZE)
        if number is None:
            printer.put(b"null", 4)
        elif type(number) is int:
            printer.size += put_integer(number, printer.text + printer.size)
        else:
            printer.size += put_double(number, printer.text + printer.size)
    printer.close(b"]", first)
    return printer.take()


def append_text(document: Document, path: Path, value: Document) -> list:
    """Append a string to all strings; how many bytes each has now, None for what is no string."""
    cdef Document mine = document, new = value
    cdef Found found = mine.find_to_write(path)
    cdef Py_ssize_t i
    cdef Cell tail = new.root()
    cdef uint64_t length
    cdef const char *text = text_of(&new.doc, &tail, &length)
    cdef list lengths = []
    for i in range(found.size):
        if is_string(cell_at(&mine.doc, found.items[i].at)[0]):
            lengths.append(
                extend_text(&mine.doc, found.items[i].at, text, length, (tail & ESCAPED) != 0)
            )
        else:
            lengths.append(None)
    mine.settle()
    return lengths


cdef uint64_t extend_text(
    Doc *doc, uint64_t at, const char *tail, uint64_t tail_length, bint escaped
) except? 0:
    """Append to the string in the cell at `at`; its length."""
    cdef Cell cell = cell_at(doc, at)[0], made
    cdef uint64_t length, total
    cdef const char *text = text_of(doc, &cell, &length)
    cdef bytes joined
    total = length + tail_length
    escaped = escaped or (cell & ESCAPED) != 0
    if kind_of(cell) == TEXT and total < LONG_TEXT and block_of(cell) + length == doc.used:
        # The last thing in the arena grows where it is.
        reserve(doc, tail_length)
        memcpy(doc.base + doc.used, tail, tail_length)
        doc.used += tail_length
        made = (cell & ~(<Cell>LONG_TEXT << 8)) | (total << 8) | (ESCAPED if escaped else 0)
    else:
        joined = text[:length] + tail[:tail_length]
        made = text_cell(doc, joined, total, escaped)
        release(doc, cell)
    cell_at(doc, at)[0] = made
    return total


# --- arrays ---------------------------------------------------------------------------------------

cdef int put_items(Document mine, uint64_t at, uint32_t index, list values) except -1:
    """Put copies of values into the array in the cell at `at`, before its item `index`."""
    cdef Doc *doc = &mine.doc
    cdef uint32_t more = <uint32_t>len(values), count, i
    cdef Cell cell
    cdef Cell *items
    make_room(doc, at, more)
    count = count_of(doc, cell_at(doc, at)[0])
    for i in range(more):
        cell = grafted(mine, <Document>values[i])
        items = cell_at(doc, block_of(cell_at(doc, at)[0]))
        if not i and index < count:
            memmove(&items[index + more], &items[index], (count - index) * sizeof(Cell))
        items[index + i] = cell
    set_count(doc, at, count + more)
    return 0


cdef int deepest_of(list values) except -1:
    cdef int deepest = 0
    cdef Document value
    for value in values:
        deepest = max(deepest, depth_of(&value.doc, value.root()))
    return deepest


def append_items(document: Document, path: Path, values: list) -> list:
    """Append values to all arrays; how many items each has now, None for what is no array."""
    return insert_anywhere(document, path, None, values)


def insert_items(document: Document, path: Path, index: int, values: list) -> list:
    """The same, before the item `index`, from the end if it is negative.

    ReplyError, and nothing is changed, if one of the arrays ends before it.
    """
    return insert_anywhere(document, path, index, values)


cdef list insert_anywhere(Document mine, Path path, object index, list values):
    cdef Found found = mine.find_to_write(path)
    cdef Py_ssize_t i
    cdef uint64_t at
    cdef Doc *doc = &mine.doc
    cdef list lengths = [None] * found.size
    cdef int64_t count, place
    check_depth(found, deepest_of(values) + 1)
    if index is not None:
        for i in range(found.size):
            if is_array(found.items[i].cell):
                count = count_of(doc, found.items[i].cell)
                if not -count <= index <= count:
                    raise ReplyError(OUT_OF_BOUNDS)
    for number in deepest_first(found):
        i = number
        at = found.items[i].at
        if not is_array(cell_at(doc, at)[0]):
            continue
        count = count_of(doc, cell_at(doc, at)[0])
        place = count
        if index is not None:
            place = index + count if index < 0 else index
        put_items(mine, at, <uint32_t>place, values)
        lengths[i] = count + len(values)
    mine.settle()
    return lengths


cdef inline int64_t popped_place(int64_t index, int64_t count) noexcept:
    return min(max(index + count, <int64_t>0) if index < 0 else index, count - 1)


cdef set lost_by_pop(const Doc *doc, Found found, int64_t index):
    """The places of all arrays that go with the items that the arrays around them lose."""
    cdef set gone = set()
    cdef Cell cell
    cdef uint64_t at
    cdef int64_t place
    for i in reversed(deepest_first(found)):
        at = found.items[<Py_ssize_t>i].at
        cell = cell_at(doc, at)[0]
        if at in gone or kind_of(cell) != ARRAY or not count_of(doc, cell):
            continue
        place = popped_place(index, count_of(doc, cell))
        gone.add(block_of(cell) + 8 * <uint64_t>place)
        note_below(doc, child(doc, cell, <uint32_t>place), gone)
    return gone


def pop(document: Document, path: Path, index: int, format: str) -> list:
    """Take an item out of all arrays; its text ("STRINGS"), the item itself ("EXPAND"), or its text
    if it is a string or a container ("EXPAND1").

    None for what is no array, is empty, or is a part of what another array loses. An index before
    the first item or behind the last one means that item.
    """
    cdef Document mine = document
    cdef Found found = mine.find_to_write(path)
    cdef Doc *doc = &mine.doc
    cdef list popped = [None] * found.size
    cdef bint texts = format == "STRINGS"
    cdef Printer outer = Printer() if format == "EXPAND1" else None
    cdef Py_ssize_t i
    cdef int64_t place
    cdef uint64_t at
    cdef Cell cell
    cdef set gone = lost_by_pop(doc, found, index) if found.size > 1 else set()
    for number in deepest_first(found):
        i = number
        at = found.items[i].at
        if at in gone or not is_array(cell_at(doc, at)[0]):
            continue
        if not count_of(doc, cell_at(doc, at)[0]):
            continue
        unpack(doc, at)
        place = popped_place(index, count_of(doc, cell_at(doc, at)[0]))
        cell = child(doc, cell_at(doc, at)[0], <uint32_t>place)
        popped[i] = printed(doc, cell) if texts else expanded(doc, cell, outer)
        remove(doc, at, <uint32_t>place)
        release(doc, cell)
    mine.settle()
    return popped


def trim(document: Document, path: Path, start: int, stop: int) -> list:
    """Keep of all arrays the items from `start` to `stop`, included; how many that are.

    None for what is no array.
    """
    cdef Document mine = document
    cdef Found found = mine.find_to_write(path)
    cdef Doc *doc = &mine.doc
    cdef list lengths = [None] * found.size
    cdef Py_ssize_t i
    cdef int64_t count, first, last, j
    cdef uint64_t at
    cdef Cell *items
    for number in deepest_first(found):
        i = number
        at = found.items[i].at
        if not is_array(cell_at(doc, at)[0]):
            continue
        unpack(doc, at)
        count = count_of(doc, cell_at(doc, at)[0])
        first = max(start + count, 0) if start < 0 else start
        last = min(max(stop + count, 0) if stop < 0 else stop, count - 1)
        if first > last:
            first = 0
            last = -1
        if count:
            items = cell_at(doc, block_of(cell_at(doc, at)[0]))
            for j in range(count):
                if not first <= j <= last:
                    release(doc, items[j])
            memmove(items, &items[first], (last - first + 1) * sizeof(Cell))
            set_count(doc, at, <uint32_t>(last - first + 1))
        lengths[i] = last - first + 1
    mine.settle()
    return lengths
