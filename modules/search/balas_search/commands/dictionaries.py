"""FT.DICT* and FT.SPELLCHECK: lists of words, and words that were meant."""

from __future__ import annotations

from balas.api import Context, Reply, ReplyError, SetReply, Status, command
from balas_search.commands.common import NAME, READING, record, search_module, wrong_number
from balas_search.evaluation.evaluation import MARKS
from balas_search.index.index import Index
from balas_search.postings.fuzzy import within
from balas_search.query.parser import parse
from balas_search.query.tree import Branch, Node, Tag, Token
from balas_search.results.options import take_dialect
from balas_search.schema.words import Words, shown

DISTANCE_MAX = 4


@command("FT.DICTADD", arity=-1, flags=READING, group="search")
def ft_dict_add(ctx: Context, *arguments: bytes) -> Reply:
    """FT.DICTADD dictionary term [term ...]

    Add terms to a dictionary. Returns how many were new.
    """
    if len(arguments) < 2:
        raise wrong_number("FT.DICTADD")
    name, *terms = arguments
    known = search_module(ctx).dictionaries.setdefault(name, {})
    before = len(known)
    known.update(dict.fromkeys(terms))
    record(ctx, b"FT.DICTADD", *arguments)
    return len(known) - before


@command("FT.DICTDEL", arity=-1, flags=READING, group="search")
def ft_dict_del(ctx: Context, *arguments: bytes) -> Reply:
    """FT.DICTDEL dictionary term [term ...]

    Remove terms from a dictionary. Returns how many were there.
    """
    if len(arguments) < 2:
        raise wrong_number("FT.DICTDEL")
    name, *terms = arguments
    known = search_module(ctx).dictionaries.get(name, {})
    removed = [term for term in dict.fromkeys(terms) if known.pop(term, b"") is None]
    if removed:
        record(ctx, b"FT.DICTDEL", *arguments)
    return len(removed)


@command("FT.DICTDUMP", arity=-1, flags=READING, group="search")
def ft_dict_dump(ctx: Context, *arguments: bytes) -> Reply:
    """FT.DICTDUMP dictionary

    All terms of a dictionary.
    """
    if len(arguments) != 1:
        raise wrong_number("FT.DICTDUMP")
    known = search_module(ctx).dictionaries.get(arguments[0])
    if known is None:
        raise ReplyError("could not open dict key")
    return SetReply(sorted(known))


@command("FT.SPELLCHECK", arity=-1, flags=READING, keys=NAME, group="search")
def ft_spellcheck(ctx: Context, *arguments: bytes) -> Reply:
    """FT.SPELLCHECK index query [DISTANCE d] [TERMS INCLUDE|EXCLUDE dictionary] ... [DIALECT d]

    For each word of a query that the index does not hold: words that may have been meant, with the
    share of documents that hold them.
    """
    if len(arguments) < 2:
        raise wrong_number("FT.SPELLCHECK")
    module = search_module(ctx)
    index = module.indexes.named(arguments[0], "Unknown Index name")
    checker = SpellChecker(ctx, index, module.setting("search-default-dialect"))
    checker.take_options(Words(arguments[2:]))
    tree = parse(arguments[1], checker.dialect, index, {})
    found = {
        token.text: checker.suggestions(token)
        for token in tokens_of_tree(tree)
        if not checker.knows(token.text)
    }
    if ctx.resp == 3:
        return {
            Status("results"): {
                word: [{term: score} for score, term in pairs] for word, pairs in found.items()
            }
        }
    return [
        [Status("TERM"), word, [[score, term] for score, term in pairs]]
        for word, pairs in found.items()
    ]


class SpellChecker:
    """One FT.SPELLCHECK."""

    def __init__(self, ctx: Context, index: Index, dialect: int) -> None:
        self.dictionaries = search_module(ctx).dictionaries
        self.index = index
        self.dialect = dialect
        self.distance = 1
        self.included: list[dict[bytes, None]] = []
        self.excluded: list[dict[bytes, None]] = []

    def take_options(self, words: Words) -> None:
        """Read the options."""
        while words.more:
            # The original knows these words in capitals only, and takes no offence at others.
            option = words.take()
            if option == b"DISTANCE":
                self.take_distance(words)
            elif option == b"TERMS":
                self.take_terms(words)
            elif option == b"DIALECT":
                self.dialect = take_dialect(words)

    def take_distance(self, words: Words) -> None:
        """The argument of DISTANCE."""
        if not words.more:
            raise ReplyError("DISTANCE arg is given but no DISTANCE comes after")
        given = words.take()
        if not given.isdigit() or not 1 <= int(given) <= DISTANCE_MAX:
            raise ReplyError("bad distance given, distance must be a natural number between 1 to 4")
        self.distance = int(given)

    def take_terms(self, words: Words) -> None:
        """The arguments of TERMS."""
        if words.left < 2:
            raise ReplyError("TERM arg is given but no TERM params comes after")
        operation, name = words.take().upper(), words.take()
        if operation not in (b"INCLUDE", b"EXCLUDE"):
            raise ReplyError("bad format, exlude/include operation was not given")
        known = self.dictionaries.get(name)
        if known is None:
            raise ReplyError(f"Dict does not exist: {shown(name)}")
        (self.included if operation == b"INCLUDE" else self.excluded).append(known)

    def knows(self, word: bytes) -> bool:
        """Whether a word needs no suggestion."""
        posting = self.index.terms.get(word)
        return (posting is not None and len(posting) > 0) or any(
            word in known for known in self.excluded
        )

    def suggestions(self, token: Token) -> list[tuple[float, bytes]]:
        """Words that may have been meant, the most frequent first."""
        total = max(len(self.index.documents), 1)
        scores: dict[bytes, float] = {}
        order = self.index.vocabulary.in_order()
        for term in within(order, token.text, self.distance, len(order)):
            if term[:1] not in MARKS:
                scores[term] = len(self.index.terms[term].docs_in(token.mask)) / total
        for known in self.included:
            for term in within(sorted(known), token.text, self.distance, len(known)):
                scores.setdefault(term, 0.0)
        found = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
        return [(score, term) for term, score in found]


def tokens_of_tree(node: Node) -> list[Token]:
    """All words of a query."""
    if isinstance(node, Token):
        return [node]
    if isinstance(node, Branch) and not isinstance(node, Tag):
        return [token for child in node.children for token in tokens_of_tree(child)]
    return []
