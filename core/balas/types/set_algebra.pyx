"""Intersection, union and difference of sets, without an object for each member that is looked up.

There are two of each: one gives a list for a reply, the other a set to be stored, whose form comes
out as Redis's does, since it adds the members in the same order to a set that begins in the same
form. Members of a result are in order only where those of Redis are.
"""

from balas.types.limits cimport Limits
from balas.types.set cimport (
    INTEGERS,
    PACK,
    TABLE,
    Form,
    Item,
    Set,
    item_bytes,
    item_is_number,
    new_set,
)


cdef class Sieve:
    """What a walk over one set compares its members with, and where it puts them.

    A member goes through if all of the others have it, or none of them where `wanted` is false.
    """

    cdef list others
    cdef bint wanted
    cdef list found             # a list for a reply,
    cdef Set target             # or a set to add to, or to remove from,
    cdef Limits limits
    cdef Py_ssize_t count       # or just how many there are
    cdef Py_ssize_t most
    cdef bint all_numbers

    def __cinit__(self, list others, bint wanted, Limits limits=None):
        self.others = others
        self.wanted = wanted
        self.limits = limits
        self.all_numbers = True

    cdef inline bint passes(self, Item *item) except -1:
        cdef Set other
        for other in self.others:
            if other.has_item(item) != self.wanted:
                return False
        return True


cdef int list_item(void *context, Item *item) except -1:
    cdef Sieve sieve = <Sieve>context
    if sieve.passes(item):
        sieve.found.append(item_bytes(item))
    return 0


cdef int count_item(void *context, Item *item) except -1:
    cdef Sieve sieve = <Sieve>context
    sieve.count += sieve.passes(item)
    return sieve.count == sieve.most


cdef int store_item(void *context, Item *item) except -1:
    cdef Sieve sieve = <Sieve>context
    if sieve.passes(item):
        if not item_is_number(item):
            sieve.all_numbers = False
        sieve.target.add_item(item, sieve.limits)
    return 0


cdef int merge_item(void *context, Item *item) except -1:
    """Add a member, and list it if it is new."""
    cdef Sieve sieve = <Sieve>context
    if sieve.target.add_item(item, sieve.limits):
        sieve.found.append(item_bytes(item))
    return 0


cdef int remove_item(void *context, Item *item) except -1:
    cdef Sieve sieve = <Sieve>context
    sieve.target.discard_item(item)
    return sieve.target.length() == 0


def size_of(Set one):
    return one.length()


cdef list ascending(list sets):
    """The sets by size, without the first one's being there again."""
    cdef list ordered = sorted(sets, key=size_of)
    cdef Set smallest = ordered[0]
    return [smallest, *[other for other in ordered[1:] if other is not smallest]]


# --- intersection ---------------------------------------------------------------------------------


cpdef list intersection(list sets):
    """The members that all sets have; there is at least one set."""
    cdef list ordered
    cdef Sieve sieve
    if len(sets) == 1:
        return (<Set>sets[0]).members()
    ordered = ascending(sets)
    sieve = Sieve(ordered[1:], True)
    sieve.found = []
    (<Set>ordered[0]).each(list_item, <void *>sieve, False)
    return sieve.found


cpdef Py_ssize_t intersection_size(list sets, Py_ssize_t limit) except -1:
    """How many members all sets have; no more than `limit` are counted, all if it is 0."""
    cdef list ordered = ascending(sets)
    cdef Sieve sieve = Sieve(ordered[1:], True)
    sieve.most = limit if limit else -1
    (<Set>ordered[0]).each(count_item, <void *>sieve, limit > 0)
    return sieve.count


cpdef Set stored_intersection(list sets, Limits limits):
    """A set, perhaps empty, of the members that all sets have."""
    cdef list ordered = ascending(sets)
    cdef Set smallest = ordered[0]
    cdef Sieve sieve = Sieve(ordered[1:], True, limits)
    cdef Set made = new_set(INTEGERS if smallest.form() == INTEGERS else PACK, limits)
    sieve.target = made
    smallest.each(store_item, <void *>sieve, False)
    if (
        sieve.all_numbers
        and made.form() != INTEGERS
        and made.length() <= limits.set_intset_entries
    ):
        made.to_integers()
    return made


# --- union ----------------------------------------------------------------------------------------


cdef Form form_for_reply(list sets):
    """An intset keeps a reply of numbers in order; whatever else, a table looks up quickest."""
    cdef Set one
    for one in sets:
        if one.form() != INTEGERS:
            return TABLE
    return INTEGERS


cpdef list union(list sets, Limits limits):
    """The members that any of the sets has."""
    cdef Sieve sieve
    cdef Set one
    if len(sets) == 1:
        return (<Set>sets[0]).members()
    sieve = Sieve([], True, limits)
    sieve.target = new_set(form_for_reply(sets), limits)
    sieve.found = []
    if sieve.target.form() == INTEGERS:
        for one in sets:
            one.each(store_item, <void *>sieve, False)
        return sieve.target.members()
    for one in sets:
        one.each(merge_item, <void *>sieve, False)
    return sieve.found


cpdef Set stored_union(list sets, Limits limits):
    """A set, perhaps empty, of the members that any of the sets has."""
    cdef Sieve sieve = Sieve([], True, limits)
    cdef Set one
    sieve.target = new_set(INTEGERS, limits)
    for one in sets:
        one.each(store_item, <void *>sieve, False)
    return sieve.target


# --- difference -----------------------------------------------------------------------------------


cdef bint looking_up_is_cheaper(Set first, list others):
    """Whether to look every member of the first up in the others, or to remove all of theirs.

    The first way costs at most as many look-ups as the first set has members for each set; but
    it often finds soon that another one has the member, so it counts half.
    """
    cdef Py_ssize_t lookups = first.length(), removals = first.length()
    cdef Set other
    for other in others:
        lookups += first.length()
        removals += other.length()
    return lookups // 2 <= removals


cdef list descending(list sets):
    """The sets by size, the largest first: it has a member most probably."""
    return sorted(sets, key=size_of, reverse=True)


cdef Set reduced(Set first, list others, Form form, Limits limits):
    """A set of this form to begin with, of what is left of the first without the others."""
    cdef Sieve sieve = Sieve([], True, limits)
    cdef Set other
    sieve.target = new_set(form, limits)
    first.each(store_item, <void *>sieve, False)
    for other in others:
        if sieve.target.length() == 0:
            break
        other.each(remove_item, <void *>sieve, True)
    return sieve.target


cpdef list difference(Set first, list others, Limits limits):
    """The members of the first set that none of the others has."""
    cdef Sieve sieve
    if first in others:
        return []
    if not looking_up_is_cheaper(first, others):
        return reduced(first, others, form_for_reply([first, *others]), limits).members()
    sieve = Sieve(descending(others), False, limits)
    sieve.found = []
    first.each(list_item, <void *>sieve, False)
    return sieve.found


cpdef Set stored_difference(Set first, list others, Limits limits):
    """A set, perhaps empty, of the members of the first set that none of the others has."""
    cdef Sieve sieve
    if first in others:
        return new_set(INTEGERS, limits)
    if not looking_up_is_cheaper(first, others):
        return reduced(first, others, INTEGERS, limits)
    sieve = Sieve(descending(others), False, limits)
    sieve.target = new_set(INTEGERS, limits)
    first.each(store_item, <void *>sieve, False)
    return sieve.target
