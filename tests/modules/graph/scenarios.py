"""Scenarios of openCypher: what is in the graph, a query, and the rows it has to give.

Rows are written as a test's author reads them: values of a row with " | " between them, rows with
"; " between them; nodes as (:A {x: 1}), relationships as [:R {x: 1}], strings in quotes. They may
come in any order unless the query has an ORDER BY.
"""

from __future__ import annotations

Scenario = tuple[str, str, str]

ABC = "CREATE (:A {n: 1})-[:R {w: 1}]->(:B {n: 2})-[:R {w: 2}]->(:C {n: 3})"

LITERALS: tuple[Scenario, ...] = (
    (
        "",
        "RETURN 0x1F, -0x10, 0o17, -0o7, 007, 1e2, .5, 1.5E-2, -.5",
        "31 | -16 | 15 | -7 | 7 | 100.0 | 0.5 | 0.015 | -0.5",
    ),
    (
        "",
        "RETURN -9223372036854775808, 9223372036854775807",
        "-9223372036854775808 | 9223372036854775807",
    ),
    (
        "",
        "RETURN 'it\\'s', \"a'b\", 'tab\\tx', '\\u0041', '\\\\'",
        "\"it's\" | \"a'b\" | 'tab\\tx' | 'A' | '\\\\'",
    ),
    ("", "RETURN TRUE, False, NuLl", "true | false | null"),
    ("", "RETURN [] , [[1], [[]]], {}, {a: {b: [1]}}", "[] | [[1], [[]]] | {} | {a: {b: [1]}}"),
    ("", "RETURN 1 // a comment\n, /* another\n one */ 2", "1 | 2"),
    ("", "RETURN {`a b`: 1}.`a b` AS `x y`", "1"),
    ("", "RETURN -2 ^ 2, 2 ^ 3 ^ 2, 1 + 2 * 3, (1 + 2) * 3, 7 % 4 * 2", "4.0 | 64.0 | 7 | 9 | 6"),
    ("", "RETURN NOT true OR true, true XOR true AND false, NOT 1 = 2", "true | true | true"),
    ("", "RETURN 1 < 2 < 3, 1 < 3 < 2, 3 > 2 >= 2, 1 = 1 = true", "true | false | true | false"),
)

VALUES: tuple[Scenario, ...] = (
    (
        "",
        "RETURN null = null, null <> null, 1 = 1.0, '1' = 1, [1, null] = [1, null], [1, "
        "null] = [2, null]",
        "null | null | true | false | null | false",
    ),
    (
        "",
        "RETURN {a: 1} = {a: 1}, {a: null} = {a: null}, {a: 1} = {b: 1}, {a: null} = {b: null}",
        "true | null | false | false",
    ),
    (
        "",
        "RETURN [1, 2] < [1, 3], [1] < [1, 0], [1, null] < [1, 2], [1] < 'a', 'a' < 'b', "
        "false < true",
        "true | true | null | null | true | true",
    ),
    (
        "",
        "RETURN 0.0 / 0.0 = 0.0 / 0.0, 0.0 / 0.0 <> 1, 0.0 / 0.0 > 1, 1 < 'a'",
        "false | true | false | null",
    ),
    (
        "",
        "RETURN true AND null, false AND null, true OR null, null OR false, null XOR true, "
        "NOT null",
        "null | false | true | null | null | null",
    ),
    (
        "",
        "RETURN 1 IN [1, null], 2 IN [1, null], null IN [], null IN [1], [1] IN [[1]], 1 IN null",
        "true | null | false | null | true | null",
    ),
    (
        "",
        "RETURN [1, 2, 3][0], [1, 2, 3][-1], [1][5], [1, 2, 3][1..], [1, 2, 3][..-1], [1, "
        "2][2..1], [1][null..]",
        "1 | 3 | null | [2, 3] | [1, 2] | [] | null",
    ),
    (
        "",
        "RETURN [1] + 2, 0 + [1], [1] + [2], [1] + null, null + 1, 'a' + 1",
        "[1, 2] | [0, 1] | [1, 2] | [1, null] | null | 'a1'",
    ),
    (
        "",
        "RETURN {a: 1}.a, {a: 1}['a'], {a: 1}.b, {a: 1}[null], keys({a: 1, b: null})",
        "1 | 1 | null | null | ['a', 'b']",
    ),
    (
        "",
        "RETURN 'abc' STARTS WITH 'a', 'abc' ENDS WITH '', 'abc' CONTAINS 'd', null "
        "CONTAINS 'a', 1 STARTS WITH 'a'",
        "true | true | false | null | null",
    ),
    ("", "RETURN 5 / 2, -5 / 2, 5 / 2.0, -5 % 3, 5.5 % 2, 1 - 2", "2 | -2 | 2.5 | -2 | 1.5 | -1"),
    (
        "",
        "RETURN CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' ELSE 'c' END, CASE WHEN null THEN 1 "
        "ELSE 2 END, CASE WHEN false THEN 1 END",
        "'b' | 2 | null",
    ),
    ("", "RETURN CASE null WHEN null THEN 1 ELSE 2 END", "2"),
    (
        "",
        "RETURN all(x IN [] WHERE x), any(x IN [] WHERE x), none(x IN [] WHERE x), single(x "
        "IN [] WHERE x)",
        "true | false | true | false",
    ),
    (
        "",
        "RETURN all(x IN [1, null] WHERE x = 1), any(x IN [2, null] WHERE x = 1), none(x IN "
        "[2, null] WHERE x = 1), single(x IN [1, null] WHERE x = 1)",
        "null | null | null | null",
    ),
    (
        "",
        "RETURN all(x IN [2, null] WHERE x = 1), any(x IN [1, null] WHERE x = 1), none(x IN "
        "[1, null] WHERE x = 1), single(x IN [1, 1, null] WHERE x = 1)",
        "false | true | false | false",
    ),
    (
        "",
        "RETURN [x IN [1, 2, 3] WHERE x > 1], [x IN [1, 2] | x * 2], [x IN null | x], "
        "reduce(s = '', x IN ['a', 'b'] | s + x)",
        "[2, 3] | [2, 4] | null | 'ab'",
    ),
    (
        "",
        "RETURN range(0, 3), range(3, 0, -1), range(0, 5, 2), range(1, 0)",
        "[0, 1, 2, 3] | [3, 2, 1, 0] | [0, 2, 4] | []",
    ),
    (
        "",
        "RETURN size('abc'), size([1]), head([]), last([1, 2]), tail([1, 2]), "
        "reverse('ab'), reverse([1, 2])",
        "3 | 1 | null | 2 | [2] | 'ba' | [2, 1]",
    ),
    (
        "",
        "RETURN substring('hello', 1), substring('hello', 1, 2), left('ab', 1), right('ab', "
        "1), split('a,b', ','), replace('aa', 'a', 'b')",
        "'ello' | 'el' | 'a' | 'b' | ['a', 'b'] | 'bb'",
    ),
    (
        "",
        "RETURN toInteger('42'), toInteger('2.9'), toInteger(2.9), toInteger('x'), "
        "toInteger(null), toInteger('')",
        "42 | 2 | 2 | null | null | null",
    ),
    (
        "",
        "RETURN toInteger('9007199254740993'), toInteger('9223372036854775808'), toInteger('1 ')",
        "9007199254740993 | null | null",
    ),
    (
        "",
        "RETURN toFloat('1.5'), toFloat(1), toFloat('x'), toFloat('nan'), toFloat('')",
        "1.5 | 1.0 | null | null | null",
    ),
    (
        "",
        "RETURN toBoolean('true'), toBoolean('FALSE'), toBoolean('t'), toBoolean(true)",
        "true | false | null | true",
    ),
    (
        "",
        "RETURN toString(1), toString(true), toString('a'), toString(null)",
        "'1' | 'true' | 'a' | null",
    ),
    (
        "",
        "RETURN sign(-3), abs(-2), ceil(1.2), floor(-1.2), round(1.5), sqrt(4)",
        "-1 | 2 | 2.0 | -2.0 | 2.0 | 2.0",
    ),
    (
        "",
        "RETURN coalesce(null, 1), coalesce(null), 1 IS NULL, null IS NULL, null IS NOT NULL",
        "1 | null | false | true | false",
    ),
    (
        "",
        "WITH {a: 1, b: 2} AS m RETURN m {.a, c: 3}, m {.*}, m.b IS NOT NULL",
        "{a: 1, c: 3} | {a: 1, b: 2} | true",
    ),
    (
        "",
        "UNWIND [1, 'a', null, true, [1], {a: 1}, 0.5, 0.0 / 0.0] AS x RETURN x ORDER BY x",
        "{a: 1}; [1]; 'a'; true; 0.5; 1; NaN; null",
    ),
    (
        "",
        "UNWIND [1, 'a', null, true, [1], {a: 1}, 0.5] AS x RETURN x ORDER BY x DESC",
        "null; 1; 0.5; true; 'a'; [1]; {a: 1}",
    ),
    (
        "",
        "UNWIND [[], [null], [1], ['a'], [1, 2], [null, 1]] AS x RETURN x ORDER BY x",
        "[]; ['a']; [1]; [1, 2]; [null]; [null, 1]",
    ),
    ("", "UNWIND [1, 2.0, 'a', [1], null] AS x RETURN max(x), min(x)", "2.0 | [1]"),
    (
        "",
        "UNWIND [1, 2, 2, null] AS x RETURN count(*), count(x), count(DISTINCT x), sum(x), "
        "avg(x), collect(x), collect(DISTINCT x)",
        "4 | 3 | 2 | 5 | 1.6666666666666667 | [1, 2, 2] | [1, 2]",
    ),
    (
        "",
        "UNWIND [] AS x RETURN count(x), sum(x), avg(x), min(x), max(x), collect(x)",
        "0 | 0 | null | null | null | []",
    ),
    (
        "",
        "UNWIND [10, 20, 30] AS x RETURN percentileDisc(x, 0.5), percentileCont(x, 0.25), "
        "percentileDisc(x, 0), percentileDisc(x, 1), stDevP(x) > 8",
        "20 | 15.0 | 10 | 30 | true",
    ),
    ("", "UNWIND [[1], [1], [2]] AS x RETURN DISTINCT x", "[1]; [2]"),
    (
        "",
        "UNWIND [{a: null}, {a: null}, {a: 1}] AS x RETURN x, count(*)",
        "{a: null} | 2; {a: 1} | 1",
    ),
    ("", "WITH [1, 2] AS a, 3 AS b UNWIND a + b AS c RETURN c", "1; 2; 3"),
    ("", "UNWIND null AS x RETURN x", ""),
    ("", "RETURN 1 AS x UNION RETURN 1 AS x", "1"),
    ("", "RETURN 1 AS x UNION ALL RETURN 1 AS x", "1; 1"),
)

READING: tuple[Scenario, ...] = (
    (ABC, "MATCH (n) RETURN n", "(:A {n: 1}); (:B {n: 2}); (:C {n: 3})"),
    (ABC, "MATCH ()-[r]->() RETURN r", "[:R {w: 1}]; [:R {w: 2}]"),
    (ABC, "MATCH (a)-[:R]-(b) RETURN a.n, b.n", "1 | 2; 2 | 1; 2 | 3; 3 | 2"),
    (ABC, "MATCH (a)<--(b) RETURN a.n, b.n", "2 | 1; 3 | 2"),
    (ABC, "MATCH (a)<-->(b) RETURN count(*)", "4"),
    (ABC, "MATCH (a)-->(b)-->(c) RETURN a.n, c.n", "1 | 3"),
    (ABC, "MATCH (a)--(b)--(c) RETURN count(*)", "2"),
    (
        ABC,
        "MATCH p = (:A)-[*]->() RETURN length(p), [n IN nodes(p) | n.n]",
        "1 | [1, 2]; 2 | [1, 2, 3]",
    ),
    (ABC, "MATCH (a:A)-[rs*0..1]->(b) RETURN rs, b.n", "[] | 1; [[:R {w: 1}]] | 2"),
    (ABC, "MATCH (a:A)-[*2]->(b) RETURN b.n", "3"),
    (ABC, "MATCH (a:A)-[*..1]->(b) RETURN b.n", "2"),
    (ABC, "MATCH (a:A)-[*2..]->(b) RETURN b.n", "3"),
    (ABC, "MATCH (a:A)-[*2..1]->(b) RETURN b.n", ""),
    (ABC, "MATCH (a:A)-[:R* {w: 1}]->(b) RETURN b.n", "2"),
    (ABC, "MATCH (a:A)-[:X|R]->(b) RETURN b.n", "2"),
    (ABC, "MATCH (a:A)-[:X|:R]->(b) RETURN b.n", "2"),
    (
        ABC,
        "MATCH p = (c:C)<-[*]-(a:A) RETURN [n IN nodes(p) | n.n], [r IN relationships(p) | r.w]",
        "[3, 2, 1] | [2, 1]",
    ),
    (ABC, "MATCH p = (c:C) RETURN length(p), nodes(p)", "0 | [(:C {n: 3})]"),
    (
        ABC,
        "MATCH ()-[r1]->()-[r2]->() WITH [r1, r2] AS rs MATCH (a)-[rs*]->(b) RETURN a.n, b.n",
        "1 | 3",
    ),
    (
        ABC,
        "MATCH (a)-[r]->(b) WITH r MATCH (x)-[r]-(y) RETURN x.n, y.n",
        "1 | 2; 2 | 1; 2 | 3; 3 | 2",
    ),
    (ABC, "MATCH (n) WHERE n:A OR n.n = 3 RETURN n.n", "1; 3"),
    (ABC, "MATCH (n) WHERE (n)-->(:C) RETURN n.n", "2"),
    (ABC, "MATCH (n) WHERE NOT (n)-->() RETURN n.n", "3"),
    (ABC, "MATCH (n) WHERE exists((n)-->()) AND exists(n.n) RETURN n.n", "1; 2"),
    (ABC, "MATCH (n) WHERE exists { (n)-->(m) WHERE m.n = 3 } RETURN n.n", "2"),
    (
        ABC,
        "MATCH (n) WHERE exists { MATCH (n)-->(m) WHERE m.n > 1 RETURN true } RETURN n.n",
        "1; 2",
    ),
    (
        ABC,
        "MATCH (n) WHERE exists { MATCH (n)-->(m) WITH m, count(*) AS c WHERE c = 1 RETURN "
        "m } RETURN n.n",
        "1; 2",
    ),
    (
        ABC,
        "MATCH (n) RETURN n.n, COUNT { (n)--() }, COLLECT { MATCH (n)-->(m) RETURN m.n }",
        "1 | 1 | [2]; 2 | 2 | [3]; 3 | 1 | []",
    ),
    (
        ABC,
        "MATCH (n) OPTIONAL MATCH (n)-[r]->(m) RETURN n.n, r, m",
        "1 | [:R {w: 1}] | (:B {n: 2}); 2 | [:R {w: 2}] | (:C {n: 3}); 3 | null | null",
    ),
    (ABC, "OPTIONAL MATCH (x:X) OPTIONAL MATCH (x)-->(y) RETURN x, y", "null | null"),
    (ABC, "OPTIONAL MATCH (x:X) MATCH (x)-->(y) RETURN y", ""),
    (
        ABC,
        "OPTIONAL MATCH p = (x:X)-->() RETURN p, x.n, labels(x), type(null), x:A",
        "null | null | null | null | null",
    ),
    (ABC, "MATCH (n) RETURN [(n)-[r]->(m) WHERE r.w > 1 | m.n] AS l", "[]; [3]; []"),
    (ABC, "MATCH (n:A) RETURN [p = (n)-[*]->() | length(p)] AS l", "[1, 2]"),
    (ABC, "MATCH (n) RETURN n.n AS x ORDER BY x DESC SKIP 1 LIMIT 1", "2"),
    (ABC, "MATCH (n) RETURN n.n ORDER BY n.n + 1 DESC", "3; 2; 1"),
    (ABC, "MATCH (n) WITH n ORDER BY n.n LIMIT 2 WHERE n.n > 1 RETURN n.n", "2"),
    (ABC, "MATCH (n) WITH n.n AS x WHERE n.n > 1 RETURN x", "2; 3"),
    (
        ABC,
        "MATCH (n) WITH n.n > 1 AS big, count(*) AS c RETURN big, c ORDER BY c",
        "false | 1; true | 2",
    ),
    (ABC, "MATCH (n) RETURN n.n, n.n + count(*) ORDER BY n.n + count(*)", "1 | 2; 2 | 3; 3 | 4"),
    (
        ABC,
        "MATCH (n) RETURN count(n) + 1, {c: count(*)}, [x IN collect(n.n) WHERE x > 1]",
        "4 | {c: 3} | [2, 3]",
    ),
    (
        ABC,
        "MATCH (n) RETURN DISTINCT labels(n) AS l ORDER BY l LIMIT toInteger(ceil(0.7))",
        "['A']",
    ),
    (ABC, "MATCH (a:A), (b) WITH a, count(b) AS c RETURN *", "(:A {n: 1}) | 3"),
    (ABC, "MATCH (a:A)-->(b) WITH *, b.n AS x RETURN x", "2"),
    (ABC, "MATCH (a) WHERE a.n IN [1, 3] RETURN collect(a.n) AS l", "[1, 3]"),
    (ABC, "MATCH (a:A) RETURN a['n'], properties(a), keys(a), a.none", "1 | {n: 1} | ['n'] | null"),
    (
        ABC,
        "MATCH (a)-[r:R {w: 2}]->(b) RETURN type(r), startNode(r).n, endNode(r).n, r:R",
        "'R' | 2 | 3 | true",
    ),
    (ABC, "MATCH (a:A) CALL { WITH a MATCH (a)-->(b) RETURN b } RETURN b.n", "2"),
    (ABC, "MATCH (a:A) CALL { MATCH (a:B) RETURN a.n AS n } RETURN a.n, n", "1 | 2"),
    (
        ABC,
        "MATCH (a:A) CALL { WITH a RETURN a.n AS n UNION RETURN 9 AS n } RETURN a.n, n",
        "1 | 1; 1 | 9",
    ),
    (ABC, "MATCH (a:A), (c:C), p = shortestPath((a)-[*]->(c)) RETURN length(p)", "2"),
    ("CREATE (a:L)-[:R]->(a)", "MATCH (a)--(b) RETURN a = b", "true"),
    (
        "CREATE (a)-[:R]->(b)-[:R]->(c), (a)-[:R]->(c)",
        "MATCH (x)-->(y)-->(z) WHERE (x)-->(z) RETURN count(*)",
        "1",
    ),
    ("CREATE ({n: 'x'}), ({n: null})", "MATCH (n) WHERE n.n = 'x' OR n.n > 1 RETURN count(*)", "1"),
    (
        "CREATE (:P {n: 1})-[:K]->(:P {n: 2})-[:K]->(:P {n: 3})",
        "MATCH (a:P)-[:K]->()-[:K]->(c) WHERE NOT (a)-[:K]->(c) RETURN c.n",
        "3",
    ),
)

WRITING: tuple[Scenario, ...] = (
    ("", "CREATE (a:A:B {x: 1, y: null}) RETURN a, labels(a)", "(:A:B {x: 1}) | ['A', 'B']"),
    ("", "CREATE p = (a {n: 1})<-[:R]-(b {n: 2}) RETURN [x IN nodes(p) | x.n]", "[1, 2]"),
    ("", "UNWIND [1, 2] AS x CREATE (n {x: x}) RETURN n.x", "1; 2"),
    ("", "UNWIND [1, 1, 2] AS x MERGE (n:M {x: x}) RETURN count(DISTINCT n)", "2"),
    ("", "MERGE (a:A) ON CREATE SET a.c = 1 ON MATCH SET a.m = 1 RETURN a.c, a.m", "1 | null"),
    (
        "CREATE (:A)",
        "MERGE (a:A) ON CREATE SET a.c = 1 ON MATCH SET a.m = 1 RETURN a.c, a.m",
        "null | 1",
    ),
    (ABC, "MATCH (a:A), (b:B) MERGE (b)-[r:R]-(a) RETURN r", "[:R {w: 1}]"),
    (ABC, "MATCH (a:A), (c:C) MERGE (a)-[r:S]->(c) RETURN type(r)", "'S'"),
    (ABC, "MATCH (a:A) MERGE p = (a)-[:NEW]->(:D) RETURN length(p)", "1"),
    (ABC, "MATCH (a:A) SET a = {z: 1, n: null} RETURN a", "(:A {z: 1})"),
    (ABC, "MATCH (a:A) SET a += {z: 1, n: null} RETURN a", "(:A {z: 1})"),
    (ABC, "MATCH (a:A) SET a:X:Y, a.l = [1, 2] RETURN labels(a), a.l", "['A', 'X', 'Y'] | [1, 2]"),
    (ABC, "MATCH (a:A), (b:B) SET a = b RETURN a", "(:A {n: 2})"),
    (ABC, "MATCH (a:A) SET (a).n = a.n + 1 REMOVE a:A RETURN a", "({n: 2})"),
    (ABC, "MATCH ()-[r {w: 1}]->() REMOVE r.w RETURN r", "[:R]"),
    (ABC, "OPTIONAL MATCH (x:X) SET x.y = 1, x:L REMOVE x.y DELETE x RETURN x", "null"),
    (ABC, "MATCH ()-[r]->() DELETE r WITH count(r) AS c MATCH (n) RETURN c, count(n)", "2 | 3"),
    (ABC, "MATCH p = (:A)-[*2]->() DETACH DELETE p RETURN count(*)", "1"),
    (ABC, "MATCH ()-[r {w: 1}]->() DELETE r RETURN type(r)", "'R'"),
    (ABC, "MATCH (n) WITH collect(n) AS ns DETACH DELETE ns[0] RETURN size(ns)", "3"),
    (ABC, "MATCH (n:A) WITH {k: n} AS m DETACH DELETE m.k RETURN 1", "1"),
    (ABC, "MATCH (n) FOREACH (x IN [1, 2] | SET n.f = x) RETURN n.f", "2; 2; 2"),
)

# What changes in the graph: nodes, relationships, labels of nodes, properties.
EFFECTS: tuple[tuple[str, str, str], ...] = (
    (
        "",
        "CREATE (:A:B {x: 1, y: null})-[:R {z: 1}]->()",
        "+2 nodes, +1 relationships, 2 properties",
    ),
    (ABC, "MATCH (n:C) DETACH DELETE n", "-1 nodes, -1 relationships"),
    (ABC, "MATCH (n)-[r]->() DELETE r", "-2 relationships"),
    (ABC, "MATCH (n) DETACH DELETE n", "-3 nodes, -2 relationships"),
    (ABC, "MATCH (n:A) SET n.n = null", ""),
    (ABC, "MERGE (:A)", ""),
    (ABC, "MERGE (:A {n: 7})", "+1 nodes, 1 properties"),
    (ABC, "MATCH (n) SET n.m = 1", "3 properties"),
)
