"""Records of the log: what the encoder writes, and what the reader makes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balas.errors import BadData
from balas.services.aof.decode import RecordReader
from balas.services.aof.encode import RecordEncoder
from persisting import reason_of

Record = tuple[int, tuple[bytes, ...]]

WORDS = st.binary(max_size=40) | st.sampled_from([b"*1\r\n$4\r\nEXEC\r\n", b"\r\n", b"#TS:1\r\n"])
RECORD = st.tuples(st.integers(0, 3), st.lists(WORDS, min_size=1, max_size=5).map(tuple))
UNITS = st.lists(st.lists(RECORD, min_size=1, max_size=4), max_size=6)


def encoded(*units: list[Record]) -> bytes:
    encoder = RecordEncoder()
    for unit in units:
        encoder.add(unit)
    return encoder.take()


def read_all(data: bytes) -> list[list[bytes]]:
    reader = RecordReader(data)
    found = []
    while (argv := reader.next_record()) is not None:
        found.append(argv)
    assert not reader.cut_off
    assert reader.position == len(data)
    return found


def test_a_unit_of_one_record_stands_alone() -> None:
    assert encoded([(0, (b"SET", b"k", b""))]) == (
        b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$0\r\n\r\n"
    )


def test_a_unit_of_several_records_is_a_transaction() -> None:
    assert read_all(encoded([(0, (b"INCR", b"a")), (0, (b"INCR", b"b"))])) == [
        [b"SELECT", b"0"],
        [b"MULTI"],
        [b"INCR", b"a"],
        [b"INCR", b"b"],
        [b"EXEC"],
    ]


def test_select_is_written_where_the_database_changes() -> None:
    data = encoded([(1, (b"A",))], [(1, (b"B",))], [(1, (b"C",)), (12, (b"D",))], [(12, (b"E",))])
    assert read_all(data) == [
        [b"SELECT", b"1"],
        [b"A"],
        [b"B"],
        [b"MULTI"],
        [b"C"],
        [b"SELECT", b"12"],
        [b"D"],
        [b"EXEC"],
        [b"E"],
    ]


def test_a_new_file_selects_its_database_again() -> None:
    encoder = RecordEncoder()
    encoder.add([(1, (b"A",))])
    encoder.take()
    encoder.database = -1
    encoder.add([(1, (b"B",))])
    assert read_all(encoder.take()) == [[b"SELECT", b"1"], [b"B"]]


def test_words_that_are_no_bytes_are_made_bytes() -> None:
    record: Record = (0, ("SET", b"k", 7, bytearray(b"x")))  # type: ignore[arg-type]
    assert read_all(encoded([record]))[1] == [b"SET", b"k", b"7", b"x"]


def test_a_unit_that_cannot_be_encoded_leaves_nothing() -> None:
    encoder = RecordEncoder()
    bad: Record = (5, (b"SET", object()))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        encoder.add([(4, (b"A",)), bad])
    encoder.add([(0, (b"B",))])
    assert read_all(encoder.take()) == [[b"SELECT", b"0"], [b"B"]]


def test_notes_are_passed_over() -> None:
    encoder = RecordEncoder()
    encoder.note(b"#TS:1700000000\r\n")
    encoder.add([(0, (b"A",))])
    encoder.note(b"#\r\n")
    assert read_all(encoder.take()) == [[b"SELECT", b"0"], [b"A"]]


@given(units=UNITS)
def test_what_was_encoded_is_read_again(units: list[list[Record]]) -> None:
    records = [argv for argv in read_all(encoded(*units)) if argv[0] not in (b"SELECT", b"MULTI")]
    expected = []
    for unit in units:
        expected += [list(argv) for _, argv in unit if argv[0] not in (b"SELECT", b"MULTI")]
        expected += [[b"EXEC"]] * (len(unit) > 1)
    assert records == expected


@given(records=st.lists(st.lists(st.binary(max_size=12), min_size=1, max_size=4), min_size=1))
def test_at_every_point_the_rest_counts_as_cut_off(records: list[list[bytes]]) -> None:
    encoder = RecordEncoder()
    encoder.database = 0
    ends = [0]
    for argv in records:
        encoder.add([(0, tuple(argv))])
        ends.append(encoder.size)
    data = encoder.take()
    for size in range(len(data) + 1):
        reader = RecordReader(data[:size])
        count = 0
        while reader.next_record() is not None:
            count += 1
        assert records[:count] == records[: len([end for end in ends[1:] if end <= size])]
        assert reader.position == max(end for end in ends if end <= size)
        assert reader.cut_off == (size not in ends)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"SET k v\r\n", "expected '*', found b'S' at offset 0"),
        (b"\r\n", "expected '*', found b'\\r' at offset 0"),
        (b"\0\0\0\0", "expected '*', found b'\\x00' at offset 0"),
        (b"*0\r\n", "a record cannot have no words at offset 4"),
        (b"*-1\r\n", "no number behind '*' at offset 0"),
        (b"*x\r\n", "no number behind '*' at offset 0"),
        (b"*\r\n", "no number behind '*' at offset 0"),
        (b"*99999999999999999999\r\n$1", "no number behind '*' at offset 0"),
        (b"*1\n$1\r\na\r\n", "no number behind '*' at offset 0"),
        (b"*1\rx$1\r\na\r\n", "no line end behind the number of '*' at offset 0"),
        (b"*1\r\n:1\r\n", "expected '$', found b':' at offset 4"),
        (b"*1\r\n$2\r\nabc\r\n", "a word does not end where its length says at offset 10"),
        (b"*1\r\n$1\r\na\r\n*2\r\n$1\r\na\r\n*1\r\n", "expected '$', found b'*' at offset 22"),
    ],
)
def test_what_no_server_writes_is_refused(data: bytes, reason: str) -> None:
    assert reason_of(lambda: read_all(data)) == reason


def test_a_damaged_length_does_not_make_the_rest_of_the_file_a_tail_to_be_cut() -> None:
    record = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"
    reader = RecordReader(record + record.replace(b"$3", b"$93") + record)
    assert reader.next_record() == [b"GET", b"k"]
    with pytest.raises(BadData, match=r"record at offset 20 claims .* follows at offset 41"):
        reader.next_record()


def test_reading_can_begin_anywhere() -> None:
    reader = RecordReader(b"REDIS....*1\r\n$1\r\na\r\n", 9)
    assert (reader.next_record(), reader.start, reader.position) == ([b"a"], 9, 20)
    assert reader.next_record() is None


@given(data=st.binary(max_size=60) | st.text("*$#0123\r\nx", max_size=40).map(str.encode))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    reader = RecordReader(data)

    def read() -> None:
        while reader.next_record() is not None:
            pass

    reason = reason_of(read)
    assert reason is None or "offset" in reason
    assert 0 <= reader.position <= len(data)
