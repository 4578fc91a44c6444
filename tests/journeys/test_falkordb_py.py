"""FalkorDB's own client for Python talks to graphs of Balas."""

from datetime import UTC, date, datetime, time

import pytest

from balas.testing import BalasProcess

pytestmark = pytest.mark.clients


def test_falkordb_py_reads_every_reply() -> None:
    import falkordb

    with BalasProcess({"save": ""}) as server:
        database = falkordb.FalkorDB(port=server.port)
        graph = database.select_graph("social")
        made = graph.query(
            "CREATE (a:P {n: 'x', age: 3, tags: [1, 'a', 2.5]})-[:K {w: 1.5}]->(b:P {n: 'y'}) "
            "RETURN a, b"
        )
        assert (made.nodes_created, made.relationships_created) == (2, 1)
        assert made.result_set[0][0].properties == {"n": "x", "age": 3, "tags": [1, "a", 2.5]}
        found = graph.ro_query(
            "MATCH p = (a)-[k]->(b) RETURN p, k, {x: 1}, null, true, 2.5, [1, 'b'], "
            "point({latitude: 1.5, longitude: 2})"
        ).result_set[0]
        assert found[0].edges()[0] == found[1]
        assert found[2:] == [
            {"x": 1}, None, True, 2.5, [1, "b"], {"latitude": 1.5, "longitude": 2.0}
        ]  # fmt: skip
        assert graph.query("MATCH (a:P {n: $n}) RETURN a.age", {"n": "x"}).result_set == [[3]]
        assert graph.create_node_range_index("P", "n").indices_created == 1
        assert graph.create_edge_range_index("K", "w").indices_created == 1
        graph.create_node_unique_constraint("P", "n")
        graph.create_node_mandatory_constraint("P", "n")
        kinds = {one["type"]: one["status"] for one in graph.list_constraints()}
        assert kinds == {"UNIQUE": "OPERATIONAL", "MANDATORY": "OPERATIONAL"}
        with pytest.raises(Exception, match="unique constraint violation"):
            graph.query("CREATE (:P {n: 'x'})")
        assert "Node By Label Scan" in str(graph.explain("MATCH (a:P) RETURN a"))
        assert (
            graph.profile("MATCH (a:P) RETURN a").structured_plan.profile_stats.records_produced
            == 2
        )
        graph.drop_node_unique_constraint("P", "n")
        assert database.config_get("TIMEOUT") == 0
        assert graph.slowlog() == []
        assert graph.copy("other").name == "other"
        assert sorted(database.list_graphs()) == ["other", "social"]
        graph.delete()
        assert database.list_graphs() == ["other"]


def test_falkordb_py_reads_values_in_one_another() -> None:
    import falkordb

    with BalasProcess({"save": ""}) as server:
        graph = falkordb.FalkorDB(port=server.port).select_graph("values")
        nested = graph.query(
            "RETURN {a: [1, {b: null, c: [[]]}], d: date('2001-02-03'), e: 1.5, f: true}, "
            "[null, localdatetime('2001-02-03T04:05:06'), [[1]]], {}, '', null"
        ).result_set[0]
        assert nested == [
            {"a": [1, {"b": None, "c": [[]]}], "d": date(2001, 2, 3), "e": 1.5, "f": True},
            [None, datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC), [[1]]],
            {},
            "",
            None,
        ]
        # What the client's own types cannot hold comes as the text that openCypher writes.
        times = graph.query(
            "RETURN date('1969-07-20'), localtime('10:11:12'), time('10:00+01:00'), "
            "localtime('10:00:00.25'), date('-0044-03-15'), datetime('2001-01-01T10:00+02:00')"
        ).result_set[0]
        assert times == [
            date(1969, 7, 20), time(10, 11, 12), "10:00+01:00",
            "10:00:00.250", "-0044-03-15", "2001-01-01T10:00+02:00",
        ]  # fmt: skip
        made, inside, path = graph.query(
            "CREATE p = (a:A {day: date('2001-02-03'), l: [1, [2]], n: null})-[:R]->() "
            "RETURN a, [{in: a}], p"
        ).result_set[0]
        assert made.properties == {"day": date(2001, 2, 3), "l": [1, [2]]}
        assert inside == [{"in": made}]
        assert (path.nodes()[0], len(path.edges())) == (made, 1)
        missing = graph.query("OPTIONAL MATCH (q:Q) RETURN q, q.x, [q], {q: q}").result_set
        assert missing == [[None, None, [None], {"q": None}]]
        assert graph.query("CALL db.labels() YIELD *").result_set == [["A"]]
        with pytest.raises(Exception, match="expected List or Null but was String"):
            graph.query("MATCH (n:Nobody) RETURN 1 IN 'a'")
