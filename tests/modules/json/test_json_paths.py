"""Paths: cases of RFC 9535, what is refused, and the cache."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.errors import ReplyError
from balas_json._document import parsed
from balas_json._paths import PathCache, compiled

# The example of RFC 9535, section 1.5.
STORE = {
    "store": {
        "book": [
            {"category": "reference", "author": "Nigel Rees", "title": "Sayings", "price": 8.95},
            {"category": "fiction", "author": "Evelyn Waugh", "title": "Sword", "price": 12.99},
            {
                "category": "fiction",
                "author": "Herman Melville",
                "title": "Moby Dick",
                "isbn": "0-553-21311-3",
                "price": 8.99,
            },
            {
                "category": "fiction",
                "author": "J. R. R. Tolkien",
                "title": "The Lord",
                "isbn": "0-395-19395-8",
                "price": 22.99,
            },
        ],
        "bicycle": {"color": "red", "price": 399},
    }
}
BOOKS = STORE["store"]["book"]
AUTHORS = [book["author"] for book in BOOKS]  # type: ignore[index]
LETTERS = ["a", "b", "c", "d", "e", "f", "g"]
# Sections 2.3.5.3 and 2.3.6 of the RFC.
FILTERED = {
    "a": [3, 5, 1, 2, 4, 6, {"b": "j"}, {"b": "k"}, {"b": {}}, {"b": "kilo"}],
    "o": {"p": 1, "q": 2, "r": 3, "s": 5, "t": {"u": 6}},
    "e": "f",
}


def select(content: Any, path: str) -> Any:
    document = parsed(json.dumps(content, ensure_ascii=False).encode())
    return json.loads(document.select(compiled(path.encode())))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.store.book[*].author", AUTHORS),
        ("$..author", AUTHORS),
        ("$.store.*", [BOOKS, STORE["store"]["bicycle"]]),
        ("$.store..price", [8.95, 12.99, 8.99, 22.99, 399]),
        ("$..book[2]", [BOOKS[2]]),
        ("$..book[2].author", ["Herman Melville"]),
        ("$..book[2].publisher", []),
        ("$..book[-1]", [BOOKS[3]]),
        ("$..book[0,1]", BOOKS[:2]),
        ("$..book[:2]", BOOKS[:2]),
        ("$..book[?@.isbn]", BOOKS[2:]),
        ("$..book[?@.price<10]", [BOOKS[0], BOOKS[2]]),
        ("$..book[?(@.price < $.store.bicycle.price && @.isbn)].title", ["Moby Dick", "The Lord"]),
    ],
)
def test_the_bookstore_of_the_rfc(path: str, expected: list[Any]) -> None:
    assert select(STORE, path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$[1:3]", ["b", "c"]),
        ("$[5:]", ["f", "g"]),
        ("$[1:5:2]", ["b", "d"]),
        ("$[5:1:-2]", ["f", "d"]),
        ("$[::-1]", LETTERS[::-1]),
        ("$[0, 3]", ["a", "d"]),
        ("$[0:2, 5]", ["a", "b", "f"]),
        ("$[0, 0]", ["a", "a"]),
        ("$[99:]", []),
        ("$[:99]", LETTERS),
        ("$[-2:]", ["f", "g"]),
        ("$[-99:2]", ["a", "b"]),
        ("$[:-99:-1]", LETTERS[::-1]),
        ("$[99::-3]", ["g", "d", "a"]),
        ("$[::9223372036854775807]", ["a"]),
        ("$[::-9223372036854775807]", ["g"]),
        ("$[1]", ["b"]),
        ("$[-2]", ["f"]),
        ("$[99]", []),
        ("$[-99]", ["a"]),  # RedisJSON's way; nothing by the RFC
        ("$['a']", []),
    ],
)
def test_items_and_slices(path: str, expected: list[Any]) -> None:
    assert select(LETTERS, path) == expected


@given(
    st.integers(-9, 9) | st.none(),
    st.integers(-9, 9) | st.none(),
    st.integers(-4, 4).filter(bool) | st.none(),
)
def test_slices_are_those_of_python(start: int | None, stop: int | None, step: int | None) -> None:
    path = f"$[{'' if start is None else start}:{'' if stop is None else stop}"
    path += "]" if step is None else f":{step}]"
    assert select(LETTERS, path) == LETTERS[start:stop:step]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ('$.a[?@.b == "kilo"]', [{"b": "kilo"}]),
        ("$.a[?(@.b == 'kilo')]", [{"b": "kilo"}]),
        ("$.a[?@>3.5]", [5, 4, 6]),
        ("$.a[?@.b]", [{"b": "j"}, {"b": "k"}, {"b": {}}, {"b": "kilo"}]),
        ('$.a[?@<2 || @.b == "k"]', [1, {"b": "k"}]),
        ('$.a[?match(@.b, "[jk]")]', [{"b": "j"}, {"b": "k"}]),
        ('$.a[?search(@.b, "[jk]")]', [{"b": "j"}, {"b": "k"}, {"b": "kilo"}]),
        ("$.o[?@>1 && @<4]", [2, 3]),
        ("$.o[?@.u || @.x]", [{"u": 6}]),
        ("$.a[?@.b == $.x]", []),
        ("$.a[?@ == @]", FILTERED["a"]),
        ("$.a[?!@.b]", [3, 5, 1, 2, 4, 6]),
        ("$.a[?!(@.b) && @ > 4]", [5, 6]),
        ("$.a[?length(@.b) > 1]", [{"b": "kilo"}]),
        ("$.a[?count(@.*) == 1].b", ["j", "k", {}, "kilo"]),
        ("$.a[?value(@..b) == 'j']", [{"b": "j"}]),
        ("$.a[?@.b == {}]", None),
        ("$..[?@.u]", [{"u": 6}]),
        ("$.a[?@ =~ 'x']", []),
        ("$.a[?@.b =~ '^k.*o$']", [{"b": "kilo"}]),
        ("$.a[?@.b =~ '[']", []),
        ("$.a[?@ != 1 && @ <= 2]", [2]),
        ("$.a[?true].b", ["j", "k", {}, "kilo"]),
        ("$.a[?false]", []),
        ("$[?@ == 'f']", ["f"]),
        ("$.a[?@ > 9007199254740993]", []),
    ],
)
def test_filters(path: str, expected: list[Any] | None) -> None:
    if expected is None:
        with pytest.raises(ReplyError):
            select(FILTERED, path)
    else:
        assert select(FILTERED, path) == expected


def test_numbers_of_64_bits_are_compared_exactly() -> None:
    assert select([2**53, 2**53 + 1], f"$[?@ == {2**53 + 1}]") == [2**53 + 1]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.o['j j']", [{"k.k": 3}]),
        ("$.o['j j']['k.k']", [3]),
        ('$.o["j j"]["k.k"]', [3]),
        ('$["\'"]["@"]', [2]),
        ("$['\\'']['@']", [2]),
        ('$["\\u263a"]', [1]),
        ('$["\\ud83d\\ude00"]', [2]),
        ("$.☺", [1]),
        ("$ .o [ 'j j' ]", None),
    ],
)
def test_names(path: str, expected: list[Any] | None) -> None:
    content = {"o": {"j j": {"k.k": 3}}, "'": {"@": 2}, "☺": 1, "😀": 2}
    if expected is None:
        assert compiled(path.encode()).legacy, "what stands behind $ is no path"
    else:
        assert select(content, path) == expected


@pytest.mark.parametrize(
    "path",
    ["$.", "$..", "$[", "$[]", "$.a[", "$[1", "$['a", "$[?", "$[?(", "$[?@.a ==]", "$[?@.a = 1]",
     "$[?(@.a]", "$[?foo(@)]", "$[?length(@.a]", "$[::0]", "$[01]", "$['\\x']", "$['\\u12']",
     "$[1,]", "$.a b", "$.a@", "$[?" + "(" * 100 + "@" + ")" * 100 + "]", "$[?" + "!" * 100 + "@]",
     "$" + "[?(@" * 70 + ")]" * 70, "$[?" + "length(" * 100 + "@" + ")" * 100 + "]"],
)  # fmt: skip
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ReplyError):
        compiled(path.encode())


@given(st.text(alphabet="$@.[]()?*'\"ab01:,-!<>=&|~ \\", max_size=20))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    document = parsed(b'{"a":[1,{"b":2}],"b":{"a":{"b":"a"}}}')
    try:
        path = compiled(text.encode())
    except ReplyError:
        return
    json.loads(document.select(path))


def test_what_selects_more_than_memory_holds_is_refused() -> None:
    document = parsed(b"[" * 100 + b"1" + b"]" * 100)
    with pytest.raises(ReplyError, match="too many values"):
        document.types(compiled(b"$" + b"..*" * 20))
    with pytest.raises(ReplyError, match="too much time"):
        document.types(compiled(b"$" + b"..*" * 20 + b".nope"))


@pytest.mark.parametrize(
    "path",
    [
        "$" + "[?(@)]" * 100_000,
        "$" + "[0]" * 100_000,
        "$" + "..*" * 100_000,
        "$[" + "0," * 100_000 + "0]",
        "$[?(" + "@||" * 100_000 + "@)]",
        "$[?(" + "@&&" * 100_000 + "@)]",
        "$[?(@" + ".a" * 100_000 + ")]",
        "$[?(" + "(" * 100_000,
    ],
    ids=range(8),
)
def test_a_path_of_endless_parts_is_refused(path: str) -> None:
    with pytest.raises(ReplyError, match="too many"):
        compiled(path.encode())


def test_the_longest_paths_are_followed() -> None:
    deep, scalar = parsed(b"[" * 127 + b"]" * 127), parsed(b"5")
    for path in ("$" + "[?(@)]" * 1300, "$[?(" + "@>9||" * 4000 + "@==5)]"):
        assert scalar.select(compiled(path.encode())) == b"[5]"
    assert deep.types(compiled(b"$" + b"[0]" * 2000)) == []
    assert deep.types(compiled(b"$" + b"[*]" * 126)) == ["array"]


def test_the_cache_keeps_the_paths_used_last() -> None:
    cache = PathCache(3)
    first = cache.get(b"$.a")
    for text in (b"$.b", b"$.c", b"$.a", b"$.d"):
        cache.get(text)
    assert len(cache) == 3
    assert cache.get(b"$.a") is first
    cache.get(b"$.e")
    cache.get(b"$.f")
    cache.get(b"$.g")
    assert cache.get(b"$.a") is not first
    with pytest.raises(ReplyError):
        cache.get(b"$[")
    assert len(cache) == 3
    cache.get(b"$." + b"a" * 2000)
    assert len(cache) == 3
