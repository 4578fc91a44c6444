"""Functions, asked of Balas and of the real module; and what only Balas has."""

from collections.abc import Callable
from contextlib import closing

import pytest

from balas.testing import Client, RealRedis

SAME = (
    "RETURN string.join(['a','b'], ','), string.join(['a','b']), string.join([], ',')",
    r"RETURN string.matchRegEx('foo1 bar2', '([a-z]+)(\\d)'), string.matchRegEx(null, 'y')",
    r"RETURN string.replaceRegEx('foo1', '\\d', 'X'), string.replaceRegEx('aaa', 'a')",
    "RETURN toJSON({a: 1, b: [1, 2.5, null, true]}), toJSON('s'), toJSON(1.0)",
    "CREATE (a:A {x: 1, s: 'é'})-[r:R {y: 2}]->(b) RETURN toJSON(a), toJSON(r), toJSON([a])",
    "MATCH p = (a:A)-->(b) RETURN toJSON(p)",
    "RETURN toIntegerList(['1', 2.7, 'x', null, true, []]), toFloatList(['1.5', 2, 'x', true])",
    "RETURN toBooleanList(['true', 1, 'x', 0, null]), toStringList([1, true, null, [1]])",
    "RETURN list.dedup([1, 2, 1, 1.0, 'a', 'a', null, null]), list.dedup(null)",
    "RETURN list.insert([1,2,3], 1, 'x'), list.insert([1,2], -1, 'x'), list.insert([1], 5, 'x')",
    "RETURN list.insert([1,2], 1, 2, false), list.insert([1],0,null)",
    "RETURN list.insertListElements([1,2,3], [7,8], 1), "
    "list.insertListElements([1,2,3], [2,8], -1, false), list.insertListElements([1],[2],9)",
    "RETURN list.remove([1,2,3], 1), list.remove([1,2,3], 0, 2), list.remove([1,2,3], -1), "
    "list.remove([1,2,3], 9), list.remove([1,2,3],1,-1)",
    "RETURN list.sort([3,1,2]), list.sort([3,1,2], false), list.sort(['b', 1, null, true])",
    "MATCH (a:A) RETURN hasLabels(a, ['A']), hasLabels(a, ['A', 'B']), hasLabels(a, [])",
    "RETURN size(randomUUID())",
    "RETURN point({latitude: 1.5, longitude: 2}), point({latitude: 1, longitude: 2}).latitude",
    "RETURN round(distance(point({latitude: 1, longitude: 2}), "
    "point({latitude: 2, longitude: 3})))",
    "RETURN point(null), distance(null, null)",
    "RETURN date('2020-01-02'), [date({year: 2020, month: 1})], duration('P1Y2M3DT4H')",
    "RETURN localtime('10:20:30'), localdatetime('2020-01-02T10:20:30')",
    "RETURN date('2020-01-02') + duration('P1M'), date('2020-01-02').year",
    "RETURN typeOf(date('2020-01-02')), typeOf(localtime('10:10')), typeOf(duration('P1D'))",
    "RETURN abs(-5), sign(0.0), ceil(1.5), floor(1), log(0), exp(1000), cot(0)",
    "RETURN vecf32([1, 2.5]), [vecf32([1])], typeOf(vecf32([])), vecf32([1]) = vecf32([1])",
    "CREATE (v:V {v: vecf32([1, 2.5])}) RETURN v.v",
    "RETURN vec.euclideanDistance(vecf32([1,2]), vecf32([1,3])), "
    "vec.euclideanDistance(vecf32([1]), null)",
    "RETURN split('a,b', null), substring('abc', 5), replace('abc', '', 'x'), toUpper('é')",
)
REFUSED = (
    "string.join(['a', 1], ',')",
    "point({latitude: 100, longitude: 2})",
    "point({latitude: 1})",
    "distance(1, 2)",
    "string.matchRegEx('a', '(')",
    "hasLabels(1, [])",
    "toIntegerList(1)",
    "vecf32(['a'])",
    "vec.euclideanDistance([1], [2])",
    "vec.cosineDistance(vecf32([1, 2]), vecf32([1]))",
)


@pytest.mark.oracle
def test_functions_answer_as_those_of_the_real_module(
    graph: Client, real_servers: Callable[..., RealRedis]
) -> None:
    with closing(real_servers("graph").client(resp=2)) as real:
        for query in SAME:
            for form in ((),) if "CREATE" in query else ((), ("--compact",)):
                ours = graph("GRAPH.QUERY", "f", query, *form)[:2]
                assert ours == real("GRAPH.QUERY", "f", query, *form)[:2], query


@pytest.mark.parametrize("expression", REFUSED)
def test_refusals(graph: Client, expression: str) -> None:
    assert graph.error("GRAPH.QUERY", "g", f"RETURN {expression}")


def test_json_escapes_what_has_to_be(graph: Client) -> None:
    found = graph("GRAPH.QUERY", "g", "RETURN toJSON('a\"b')")[1][0][0]
    assert found == b'"a\\"b"'


def test_vectors_are_kept(graph: Client) -> None:
    graph("GRAPH.QUERY", "g", "CREATE ({v: vecf32([1, 0.1])})")
    graph("COPY", "g", "h")
    query = "MATCH (n) RETURN n.v, round(vec.cosineDistance(n.v, vecf32([0, 1])) * 100)"
    assert graph("GRAPH.QUERY", "h", query)[1] == [[b"<1.000000, 0.100000>", b"90"]]
