"""Whatever a query says, it is understood or refused."""

import random
import re
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from balas.api import ReplyError
from balas_search.evaluation.evaluation import Evaluation, Limits
from balas_search.index.index import Index
from balas_search.query import lexer
from balas_search.query.expansion import expand
from balas_search.query.explain import explain
from balas_search.query.parser import parse
from balas_search.query.tree import Node
from balas_search.schema.definition import parse_create

PIECES = [
    *"()[]{}|-~*%:;\"'@$\\ =",
    *["word", "the", "12", "-1.5", "inf", "=>", "@t:", "@n:[", "@g:{", "@geo:[", "$p", "$weight"],
    *["w'a?*'", "ismissing(", "KNN", "VECTOR_RANGE", "km", "==", ">=", "AS", "\xe4", "\x00"],
]
SCHEMA = b"SCHEMA t TEXT b TEXT n NUMERIC g TAG geo GEO INDEXMISSING".split()


def coded(text: str) -> bytes:
    return text.encode()


def filled() -> Index:
    index = Index(b"i", SCHEMA, *parse_create(SCHEMA))
    chance = random.Random(5)
    for number in range(40):
        words = b" ".join(chance.choices([b"word", b"the", b"12", b"other", b"a"], k=5))
        index.put(b"k%d" % number, [[words], None, [b"%d" % number], [b"word,x"], [b"1,1"]])
    return index


def answer(index: Index, query: bytes, dialect: int) -> None:
    with suppress(ReplyError):
        tree = expand(parse(query, dialect, index, {b"p": b"12"}), index, "english")
        assert explain(tree, ["t", "b"]).endswith("\n")
        evaluation = Evaluation(index, Limits())
        cursor = evaluation.cursor(tree)
        docs = evaluation.documents(cursor)
        assert docs.tolist() == sorted({*docs.tolist()})


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14), st.integers(1, 4))
def test_any_query_is_answered_or_refused(pieces: list[str], dialect: int) -> None:
    answer(INDEX, "".join(pieces).encode(), dialect)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40), st.integers(1, 2))
def test_any_bytes_are_answered_or_refused(query: bytes, dialect: int) -> None:
    answer(INDEX, query, dialect)


@settings(max_examples=500, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=8), st.lists(st.sampled_from(PIECES), max_size=3).map("".join).map(coded)
    )
)
def test_no_token_begins_with_what_it_is_not_looked_for_at(text: bytes) -> None:
    for kinds in lexer._KINDS.values():
        for kind, pattern in kinds:
            if re.match(pattern, text, re.DOTALL):
                assert re.match(lexer._FIRST[kind], text[:1]), (kind, text)


def test_nesting_has_an_end() -> None:
    for opening, closing in (("(", ")"), ("-", ""), ("@t:(", ")")):
        deep = opening * 5000 + "word" + closing * 5000
        for dialect in (1, 2):
            answer(INDEX, deep.encode(), dialect)


INDEX = filled()


@settings(max_examples=300, deadline=None)
@given(
    st.text("infatheoun5E", min_size=1, max_size=6), st.integers(1, 4), st.booleans(), st.booleans()
)
def test_a_word_alone_means_what_it_means_among_others(
    word: str, dialect: int, drop_stop_words: bool, infinite: bool
) -> None:
    query = b"Inf" if infinite else word.encode()

    def tree(text: bytes) -> Node | str:
        try:
            return parse(text, dialect, INDEX, {}, drop_stop_words)
        except ReplyError as error:
            return str(error)

    assert tree(query) == tree(query + b" ")
