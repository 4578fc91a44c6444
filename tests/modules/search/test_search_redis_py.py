"""What users of redis-py do with search."""

from collections.abc import Callable

import redis
from redis.commands.search import reducers
from redis.commands.search.aggregation import AggregateRequest, Asc, Desc
from redis.commands.search.field import NumericField, TagField, TextField
from redis.commands.search.index_definition import IndexDefinition, IndexType
from redis.commands.search.query import NumericFilter, Query

from balas.testing import ServerProcess


def test_redis_py(balas_process: Callable[..., ServerProcess]) -> None:
    server = balas_process()
    with redis.Redis(port=server.port, decode_responses=True, protocol=2) as client:
        index = client.ft("idx")
        fields = [
            TextField("title", weight=5.0, sortable=True),
            TextField("body"),
            NumericField("price", sortable=True),
            TagField("tags", separator=","),
        ]
        definition = IndexDefinition(prefix=["doc:"], index_type=IndexType.HASH)
        index.create_index(fields, definition=definition)
        for number in range(20):
            values = {
                "title": f"Title {number}",
                "body": "some running text" if number % 2 else "another text",
                "price": number,
                "tags": "even,red" if number % 2 == 0 else "odd",
            }
            client.hset(f"doc:{number}", mapping=values)
        found = index.search(Query("run").sort_by("price", asc=False).paging(0, 3))
        assert found.total == 10
        assert [document.id for document in found.docs] == ["doc:19", "doc:17", "doc:15"]
        assert found.docs[0].body == "some running text"
        query = Query("@tags:{even}").add_filter(NumericFilter("price", 4, 8)).no_content()
        assert index.search(query).total == 3
        shown = index.search(Query("title").return_fields("title", "price").with_scores())
        assert shown.docs[0].score > 0
        parameters = {"low": 3, "high": 5}
        query = Query("@price:[$low $high]").dialect(2)
        assert index.search(query, query_params=parameters).total == 3
        assert int(index.info()["num_docs"]) == 20
        assert index.tagvals("tags") == ["even", "odd", "red"]
        assert "title" in index.explain("@title:one")
        assert index.spellcheck("runing")["runing"][0]["suggestion"] == "running"
        request = AggregateRequest("*").group_by(
            "@tags", reducers.count().alias("count"), reducers.avg("@price").alias("mean")
        )
        rows = index.aggregate(request.sort_by(Desc("@count"), Asc("@tags"))).rows
        assert rows == [
            ["tags", "even,red", "count", "10", "mean", "9"],
            ["tags", "odd", "count", "10", "mean", "10"],
        ]
        request = AggregateRequest("@price:[5 15]").load("@price").apply(twice="@price * 2")
        page = index.aggregate(request.filter("@twice > 12").cursor(count=4))
        prices = [row[1] for row in page.rows]
        while page.cursor.cid:
            page = index.aggregate(page.cursor)
            prices += [row[1] for row in page.rows]
        assert prices == [str(number) for number in range(7, 16)]
        index.alter_schema_add(NumericField("extra"))
        index.aliasadd("alias")
        assert client.ft("alias").search("another").total == 10
        index.dropindex(delete_documents=True)
        assert client.dbsize() == 0
