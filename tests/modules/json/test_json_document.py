"""Documents by themselves: text, numbers, memory, depth, names, damage."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.errors import BadData, ReplyError
from balas.services.rdb.format import dump_open, dump_seal
from balas.services.rdb.module_values import convert, pack
from balas_json import _changes
from balas_json._document import Document, parsed
from balas_json._names import names_held
from balas_json._numbers import format_double
from balas_json._paths import compiled
from balas_json.value import JsonValue

TEXT_DEPTH_MAX = 127
DEPTH_MAX = 1024

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.lists(st.integers(-(2**33), 2**33))
        | st.lists(st.decimals(-999, 999, places=2).map(float))
        | st.dictionaries(st.text(), inner)
    ),
)


def doc(value: Any) -> Document:
    return parsed(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, and so are their types and signs."""
    if isinstance(one, float) and isinstance(other, float):
        return struct.pack("d", one) == struct.pack("d", other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


@given(values)
def test_what_is_read_is_printed_again(value: Any) -> None:
    document = doc(value)
    assert same(json.loads(document.text()), value)
    document.check_invariants()
    copy = document.copy()
    del document
    assert same(json.loads(copy.text()), value)


@given(values)
def test_the_text_is_compact(value: Any) -> None:
    text = doc(value).text()
    assert len(text) <= len(json.dumps(value, separators=(",", ":"), ensure_ascii=False)) * 7 + 32
    assert parsed(text).text() == text


@given(
    st.floats(allow_nan=False, allow_infinity=False)
    | st.floats(-1e6, 1e6).map(lambda f: round(f, 3))
)
def test_doubles_have_their_shortest_digits(value: float) -> None:
    text = format_double(value)
    assert same(float(text), value)
    digits = text.split(b"e")[0].replace(b"-", b"").replace(b".", b"").strip(b"0")
    expected = repr(value).split("e")[0].replace("-", "").replace(".", "").strip("0")
    assert digits == expected.encode()
    assert parsed(text).text() == text


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("1.0", "1.0"),
        ("1e15", "1000000000000000.0"),
        ("1e16", "1e16"),
        ("1e-5", "0.00001"),
        ("1e-7", "1e-7"),
        ("-0", "-0.0"),
        ("0.0e5", "0.0"),
        ("100e-2", "1.0"),
        ("1.50", "1.5"),
        ("9007199254740993.0", "9007199254740992.0"),
        ("0.30000000000000004", "0.30000000000000004"),
        ("123456789012345678", "123456789012345678"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "1.8446744073709552e19"),
        ("-9223372036854775809", "-9.223372036854776e18"),
        ("99999999999999999999", "1e20"),
        ("1e308", "1e308"),
        ("123456789.12345678901234567890", "123456789.12345679"),
        ("0." + "0" * 400 + "1", "0.0"),
        ("1" + "0" * 300, "1e300"),
    ],
)
def test_numbers_are_exact(text: str, printed: str) -> None:
    assert parsed(text.encode()).text() == printed.encode()


def test_the_last_of_double_names_wins_in_the_first_place() -> None:
    names = [f"n{i}" for i in range(50)]
    for some in (names[:3], names):
        members = [f'"{name}":{i}' for i, name in enumerate(some)]
        text = "{" + ",".join([*members, f'"{some[1]}":[1,2,"long enough"]']) + "}"
        expected = {name: i for i, name in enumerate(some)} | {some[1]: [1, 2, "long enough"]}
        document = parsed(text.encode())
        assert same(json.loads(document.text()), expected)
        document.check_invariants()


# --- memory ---------------------------------------------------------------------------------------


def records(count: int) -> Any:
    return {
        "items": [
            {
                "sku": f"SKU-{i * 7919 % 100003}",
                "name": f"a thing called {i}",
                "price": round(i * 1.37, 2),
                "stock": i % 50,
                "active": i % 3 == 0,
                "location": {"lat": 52.520008 - i / 1000, "lon": 13.404954 + i / 1000},
                "dimensions": [i % 100, 20, 30],
                "tags": ["red", "steel"],
            }
            for i in range(count)
        ]
    }


@pytest.mark.parametrize(
    "content",
    [
        records(8),
        records(2000),
        {"type": "Polygon", "coordinates": [[[i / 100, 41.9 + i / 1000] for i in range(500)]]},
        list(range(1000)),
        [i / 10 for i in range(1000)],
        {f"name {i}": f"some text of {i}" for i in range(100)},
        [f"word{i}" for i in range(500)],
    ],
    ids=["8 records", "2000 records", "polygon", "integers", "decimals", "texts", "words"],
)
def test_a_document_takes_at_most_one_and_a_half_of_its_text(content: Any) -> None:
    document = doc(content)
    text = document.text()
    assert len(text) >= 1000
    assert document.memory <= 1.5 * len(text)


def test_the_same_memory_is_used_again_and_again() -> None:
    document = doc({"s": "", "l": [], "o": {}})
    for number in range(3000):
        text = parsed(json.dumps("x" * (number % 100)).encode())
        _changes.assign(document, compiled(b"$.s"), text)
        _changes.append_items(document, compiled(b"$.l"), [parsed(b"[%d]" % number)])
        _changes.assign(document, compiled(b"$.o"), doc({f"n{number}": number}))
        if number % 20 == 19:
            _changes.trim(document, compiled(b"$.l"), 0, 0)
    document.check_invariants()
    assert document.memory < 4000
    assert json.loads(document.text())["o"] == {"n2999": 2999}


def test_names_go_with_the_last_document_that_has_them() -> None:
    before = names_held()
    document = doc({"a name of its own": {"another one": [{"a third": 1}]}})
    assert names_held() == before + 3
    copy = document.copy()
    _changes.delete(document, compiled(b'$["a name of its own"]["another one"]'))
    _changes.assign(copy, compiled(b"$..*"), doc({"a fourth": 2}))
    assert names_held() == before + 2
    del document, copy
    assert names_held() == before
    with pytest.raises(ReplyError):
        parsed(b'{"one more": {"and more": [1, {"x y z": ]}}')
    with pytest.raises(ReplyError):
        parsed(b'{"one more": 1} rest')
    assert names_held() == before


# --- depth ----------------------------------------------------------------------------------------


def test_a_text_may_be_nested_127_levels_deep() -> None:
    assert parsed(nested(TEXT_DEPTH_MAX)).text() == nested(TEXT_DEPTH_MAX)
    for opened in (b"[", b'{"a":'):
        for depth in (TEXT_DEPTH_MAX + 1, 1_000_000):
            with pytest.raises(ReplyError, match="recursion limit exceeded at line 1 column"):
                parsed(opened * depth)


def deepest() -> Document:
    """A document as deep as changes can make it."""
    document = parsed(b"[]")
    depth = 1
    while depth < DEPTH_MAX:
        more = min(100, DEPTH_MAX - depth)
        path = compiled(b"$" + b"[0]" * (depth - 1))
        _changes.append_items(document, path, [parsed(nested(more))])
        depth += more
    return document


def test_changes_may_nest_it_1024_levels_deep() -> None:
    document = deepest()
    assert document.text() == nested(DEPTH_MAX)
    path = compiled(b"$" + b"[0]" * (DEPTH_MAX - 1))
    for refused in (
        lambda: _changes.append_items(document, path, [parsed(b"[]")]),
        lambda: _changes.assign(document, path, parsed(b"[[]]")),
        lambda: _changes.merge(document, path, parsed(b'{"a":{}}')),
        lambda: _changes.insert_items(document, path, 0, [parsed(b"{}")]),
    ):
        with pytest.raises(ReplyError, match="nested deeper than 1024"):
            refused()
    assert _changes.append_items(document, path, [parsed(b"1")]) == [1]
    assert document.select(compiled(b"$..[?(@[0]==1)]")) == b"[[1]]"
    assert len(document.types(compiled(b"$..*"))) == DEPTH_MAX
    document.check_invariants()


def test_the_deepest_document_survives_a_snapshot_and_the_log() -> None:
    document = deepest()
    value = JsonValue(document)
    assert convert(pack(value), JsonValue).document.text() == document.text()
    rebuilt: Document | None = None
    for _, _, path, text in value.aof_rewrite(b"k"):
        piece = parsed(text)
        if rebuilt is None:
            rebuilt = piece
        else:
            assert _changes.assign(rebuilt, compiled(path), piece) == 1
    assert rebuilt is not None
    assert rebuilt.text() == document.text()


def test_a_piece_of_the_log_names_any_member() -> None:
    names = ['q"uote', "back\\slash", "a.b", "", "é", "nl\n"]
    document = doc(dict.fromkeys(names, 0))
    for name in names:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        path = compiled(f'$["{quoted}"]'.encode())
        assert _changes.assign(document, path, parsed(nested(TEXT_DEPTH_MAX))) == 1
    pieces = document.pieces()
    rebuilt = parsed(pieces[0][1])
    for path, text in pieces[1:]:
        assert _changes.assign(rebuilt, compiled(path), parsed(text)) == 1
    assert rebuilt.text() == document.text()
    assert len(pieces) == 1 + len(names)


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"a":1}x', b'"\xff"', nested(1025), b"1e999", b"\x00"]
)
def test_a_saved_text_that_is_no_document_is_refused(text: bytes) -> None:
    body = dump_open(pack(JsonValue(parsed(b'"tx"'))))
    assert body.count(b'\x04"tx"') == 1
    size = bytes([len(text)]) if len(text) < 64 else bytes([64 + len(text) // 256, len(text) % 256])
    payload = dump_seal(body.replace(b'\x04"tx"', size + text))
    with pytest.raises(BadData):
        convert(payload, JsonValue)


@given(st.binary(max_size=60), st.integers(0, 10**6), st.integers(0, 255))
def test_a_damaged_payload_is_a_document_or_refused(junk: bytes, place: int, byte: int) -> None:
    body = bytearray(dump_open(pack(JsonValue(doc(records(1))))))
    place = 10 + place % (len(body) - 10)  # behind the type's name
    body[place] = byte
    for damaged in (bytes(body), bytes(body[:place]) + junk):
        try:
            convert(dump_seal(damaged), JsonValue).document.check_invariants()
        except BadData:
            continue


def is_finite_json(text: bytes) -> bool:
    """Whether Python takes it for JSON, without infinities."""
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return "Infinity" not in json.dumps(value) and "NaN" not in json.dumps(value)


@given(
    st.binary(max_size=40) | st.text(alphabet='[]{}",:\\u0123tfn-.e ', max_size=40).map(str.encode)
)
def test_any_bytes_are_a_document_or_refused(text: bytes) -> None:
    try:
        document = parsed(text)
    except ReplyError:
        assert not is_finite_json(text)
        return
    expected = json.loads(text)
    assert json.loads(document.text()) == expected
