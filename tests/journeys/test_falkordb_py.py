"""FalkorDB's own client for Python talks to graphs of Balas."""

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
