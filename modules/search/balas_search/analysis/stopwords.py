"""The words that are left out of an index unless it is told otherwise."""

STOP_WORDS = frozenset(
    b"a is the an and are as at be but by for if in into it no not of on or such that their then "
    b"there these they this to was will with".split()
)
