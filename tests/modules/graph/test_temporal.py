"""Dates, times and durations: how they are made, told, counted with, compared and kept."""

from pathlib import Path

import pytest

from balas.testing import Client, InProcessServer

STOCKHOLM = "timezone: 'Europe/Stockholm'"
MADE = (
    ("date({year: 1984, week: 10, dayOfWeek: 3})", "1984-03-07"),
    ("date({year: 1984, ordinalDay: 202})", "1984-07-20"),
    ("date({year: 1984, quarter: 3, dayOfQuarter: 45})", "1984-08-14"),
    ("date({date: date('1816-12-30'), week: 2, dayOfWeek: 3})", "1817-01-08"),
    ("date('2015W302')", "2015-07-21"),
    ("date('2015202')", "2015-07-21"),
    ("date('-0044-03-15')", "-0044-03-15"),
    ("localtime({hour: 12, millisecond: 123, nanosecond: 789})", "12:00:00.123000789"),
    ("localtime('214032.142')", "21:40:32.142"),
    ("time({hour: 12, minute: 34, timezone: '+02:05:59'})", "12:34+02:05:59"),
    ("time('2140-00:00')", "21:40Z"),
    ("localdatetime('2015T214032')", "2015-01-01T21:40:32"),
    ("datetime('2015202T21+18:00')", "2015-07-21T21:00+18:00"),
    (
        "datetime('2015-07-21T21:40-04[America/New_York]')",
        "2015-07-21T21:40-04:00[America/New_York]",
    ),
    ("datetime('2017-03-26T02:30[Europe/Stockholm]')", "2017-03-26T03:30+02:00[Europe/Stockholm]"),
    (
        "datetime('2017-10-29T02:30+01:00[Europe/Stockholm]')",
        "2017-10-29T02:30+01:00[Europe/Stockholm]",
    ),
    ("datetime.fromepoch(416779, 999999999)", "1970-01-05T19:46:19.999999999Z"),
    ("datetime.fromepochmillis(237821673987)", "1977-07-15T13:34:33.987Z"),
    ("duration({months: 0.75})", "P22DT19H51M49.5S"),
    ("duration({seconds: -60, milliseconds: 1})", "PT-59.999S"),
    ("duration('P2012-02-02T14:37:21.545')", "P2012Y2M2DT14H37M21.545S"),
    ("duration('PT0.75M')", "PT45S"),
    ("time({time: time('12:31:14+01:00'), second: 42, timezone: '+05:00'})", "16:31:42+05:00"),
    (
        "datetime({datetime: datetime('1984-10-11T12:00+01:00'), timezone: 'Pacific/Honolulu'})",
        "1984-10-11T01:00-10:00[Pacific/Honolulu]",
    ),
    ("date(datetime('1984-10-11T12:00+01:00'))", "1984-10-11"),
    ("date(null)", None),
)
COUNTED = (
    ("date('1984-10-11') + duration('P12Y5M14DT16H12M70S')", "1997-03-25"),
    ("date('2015-01-31') + duration('P1M')", "2015-02-28"),
    ("duration('P1D') + date('2015-01-31')", "2015-02-01"),
    ("localtime('12:31:14') - duration('P1DT16H12M70S')", "20:18:04"),
    ("datetime('2017-10-28T12:00[Europe/London]') + duration('P1D')",
     "2017-10-29T12:00Z[Europe/London]"),
    ("duration('P12Y5M14DT16H13M10S') * 0.5", "P6Y2M22DT13H21M8S"),
    ("duration('P12Y5M14DT16H13M10S') / 2", "P6Y2M22DT13H21M8S"),
    ("duration('P1D') - duration('PT1H')", "P1DT-1H"),
    ("date.truncate('weekYear', date('1984-01-01'), {day: 5})", "1983-01-05"),
    ("localtime.truncate('millisecond', localtime('12:31:14.645876123'), {nanosecond: 2})",
     "12:31:14.645000002"),
    ("datetime.truncate('hour', datetime('1984-10-11T12:31-01:00'), {" + STOCKHOLM + "})",
     "1984-10-11T12:00+01:00[Europe/Stockholm]"),
    ("duration.between(date('1984-10-11'), localdatetime('2016-07-21T21:45:22.142'))",
     "P31Y9M10DT21H45M22.142S"),
    ("duration.between(localtime('14:30'), time('16:30+0100'))", "PT2H"),
    ("duration.inSeconds(date('2017-10-29'), datetime('2017-10-29T04:00[Europe/Stockholm]'))",
     "PT5H"),
    ("duration.between(date('-999999999-01-01'), date('+999999999-12-31'))",
     "P1999999998Y11M30D"),
    ("duration.inMonths(date('2015-12-24'), date('2014-11-25'))", "P-1Y"),
    ("duration.inDays(date('2014-11-25'), date('2015-12-24'))", "P394D"),
)  # fmt: skip
TOLD = (
    ("date('2015-01-01') < date('2015-01-02')", "true"),
    ("duration('P1D') < duration('P2D')", None),
    ("duration('PT60S') = duration('PT1M')", "true"),
    ("duration('P1D') = duration('PT24H')", "false"),
    ("time('10:00+01:00') > time('09:35:14+00:00')", "false"),
    ("date('2015-01-01') = localdatetime('2015-01-01')", "false"),
    ("date('1984-10-11').week", 41),
    ("datetime('1984-11-11T12:31:14+01:00').epochSeconds", 469020674),
    ("datetime('1984-11-11T12:31:14+01:00').offset", b"+01:00"),
    ("duration('P1Y4M').quarters", 5),
    ("duration('PT-1.5S').seconds", -2),
    ("toString(duration('P1Y'))", b"P1Y"),
    ("toString(time('10:00:00.5-01:30'))", b"10:00:00.500-01:30"),
    ("date() = date() AND datetime().year > 2000", "true"),
)
REFUSED = (
    "date('2015-13-01')",
    "date('2015-02-29')",
    "date('2016-W53')",
    "date({month: 1})",
    "date({year: 2015, foo: 1})",
    "date('2015-01-01').foo",
    "date('2015-01-01') * 2",
    "date('2015-01-01') - date('2015-01-01')",
    "localtime('25:00')",
    "localtime('10:00+01:00')",
    "time({minute: 1})",
    "datetime('2015-01-01T10:00[Nowhere]')",
    "date.truncate('hour', date())",
    "date.truncate('foo', date())",
    "duration('P')",
    "duration({foo: 1})",
    "duration({days: 9223372036854775808.0})",
    "duration.between(1, date())",
)


def value(graph: Client, expression: str, *options: str) -> object:
    """What an expression gives."""
    return graph("GRAPH.QUERY", "g", f"RETURN {expression}", *options)[1][0][0]


@pytest.mark.parametrize(("expression", "expected"), MADE + COUNTED)
def test_values(graph: Client, expression: str, expected: str | None) -> None:
    found = value(graph, expression)
    assert found == (None if expected is None else expected.encode())


@pytest.mark.parametrize(("expression", "expected"), TOLD)
def test_what_is_told_of_them(graph: Client, expression: str, expected: object) -> None:
    assert value(graph, expression) == (
        expected.encode() if isinstance(expected, str) else expected
    )


@pytest.mark.parametrize("expression", REFUSED)
def test_refusals(graph: Client, expression: str) -> None:
    assert graph.error("GRAPH.QUERY", "g", f"RETURN {expression}")


def test_they_stand_in_order(graph: Client) -> None:
    query = (
        "UNWIND [duration('P1D'), date('2015-01-02'), localtime('10'), 1, 'a', "
        "date('2015-01-01'), duration('PT1H'), time('10:00Z')] AS x RETURN toString(x) ORDER BY x"
    )
    expected = "2015-01-01 2015-01-02 10:00Z 10:00 PT1H P1D a 1"
    rows = graph("GRAPH.QUERY", "g", query)[1]
    assert [row[0].decode() for row in rows] == expected.split()


def test_compact_replies_hold_seconds_where_they_can(graph: Client) -> None:
    assert value(graph, "date('2020-01-02')", "--compact") == [14, 1577923200]
    assert value(graph, "localtime('10:20')", "--compact") == [15, -2208951600]
    assert value(graph, "localdatetime('2020-01-02T10:20:30')", "--compact") == [13, 1577960430]
    assert value(graph, "duration('P1Y2M3DT4H')", "--compact") == [16, 36907200]
    for text in (b"PT100H", b"P-1D", b"P32D", b"P1M30DT1H", b"PT-1S"):
        written = value(graph, f"toString(duration('{text.decode()}'))")
        found = value(graph, f"duration('{text.decode()}')", "--compact")
        assert found == [2, written], text
    assert value(graph, "duration('P14DT16H12M')", "--compact") == [16, 1267920]
    assert value(graph, "date('-0044-03-15')", "--compact") == [2, b"-0044-03-15"]
    assert value(graph, "date('9999-12-31')", "--compact") == [14, 253402214400]
    assert value(graph, "localdatetime('+10000-01-01')", "--compact")[0] == 2
    assert value(graph, "localtime('10:20:00.5')", "--compact") == [2, b"10:20:00.500"]
    assert value(graph, "time('10:20Z')", "--compact") == [2, b"10:20Z"]


@pytest.mark.parametrize("log", ["yes", "no"])
def test_they_outlive_a_restart(tmp_path: Path, log: str) -> None:
    options = {"appendonly": log, "loadmodule": "balas_graph:Graphs"}
    made = (
        "CREATE ({d: [date('2015-01-01')], t: time('10:00:00.000000001-01:30'), "
        "u: duration('P1Y2M3DT-4.5S'), z: datetime('2017-10-29T02:30+01:00[Europe/Stockholm]'), "
        "n: datetime()})"
    )
    with InProcessServer(options, directory=tmp_path, bundled=False) as server:
        client = server.client(resp=2)
        client("GRAPH.QUERY", "g", made)
        before = client("GRAPH.RO_QUERY", "g", "MATCH (n) RETURN n, n.z.timezone")[1]
        if log == "no":
            client("SAVE")
        server.restart()
        client = server.client(resp=2)
        assert client("GRAPH.RO_QUERY", "g", "MATCH (n) RETURN n, n.z.timezone")[1] == before
