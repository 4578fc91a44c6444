"""redisvl: indexes, queries of all kinds, caches, histories and routers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from balas.testing import ServerProcess

# The library warns of names of its own that it uses itself.
pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

Embed = Callable[[str], list[float]]

PEOPLE = [
    ("john", 18, "high", "engineer", "-122.4194,37.7749", "an engineer who builds bridges"),
    ("derrick", 14, "low", "doctor", "-122.4194,37.7749", "a doctor who heals people"),
    ("nancy", 94, "high", "doctor", "-122.4194,37.7749", "a doctor who retired long ago"),
    ("tyler", 100, "high", "engineer", "-122.0839,37.3861", "an engineer of old machines"),
    ("tim", 12, "high", "dermatologist", "-122.0839,37.3861", "skin is what he looks at"),
    ("taimur", 15, "low", "CEO", "-122.0839,37.3861", "leads a company of bridges"),
    ("joe", 35, "medium", "dentist", "-122.0839,37.3861", "teeth are his trade"),
]


def schema(storage: str, algorithm: str, dimension: int) -> dict[str, Any]:
    """The schema of the quick start, and a place."""
    vector = {"dims": dimension, "distance_metric": "cosine", "datatype": "float32"}
    return {
        "index": {"name": "users", "prefix": "user", "storage_type": storage},
        "fields": [
            {"name": "user", "type": "tag"},
            {"name": "credit_score", "type": "tag", "attrs": {"sortable": True}},
            {"name": "job", "type": "text"},
            {"name": "bio", "type": "text"},
            {"name": "age", "type": "numeric", "attrs": {"sortable": True}},
            {"name": "office", "type": "geo"},
            {
                "name": "embedding",
                "type": "vector",
                "attrs": {"algorithm": algorithm, **vector},
            },
        ],
    }


def people(storage: str, embed: Embed) -> list[dict[str, Any]]:
    """The documents."""
    made = []
    for user, age, score, job, office, bio in PEOPLE:
        vector = embed(bio)
        kept = vector if storage == "json" else np.array(vector, np.float32).tobytes()
        row = {"user": user, "age": age, "credit_score": score, "job": job, "office": office}
        made.append({**row, "bio": bio, "embedding": kept})
    return made


@pytest.fixture(params=["hash flat", "json hnsw", "hash hnsw"])
def index(request: pytest.FixtureRequest, stack: ServerProcess, embed: Embed) -> Any:
    """An index with documents."""
    from redisvl.index import SearchIndex

    storage, algorithm = request.param.split(" ")
    made = SearchIndex.from_dict(
        schema(storage, algorithm, len(embed("size"))),
        redis_url=f"redis://127.0.0.1:{stack.port}",
    )
    made.create(overwrite=True)
    keys = made.load(people(storage, embed), id_field="user")
    assert sorted(keys) == sorted(f"user:{person[0]}" for person in PEOPLE)
    return made


def users(found: list[dict[str, Any]]) -> list[str]:
    return [row["user"] for row in found]


def test_indexes(index: Any) -> None:
    from redisvl.index import SearchIndex
    from redisvl.query import FilterQuery

    assert index.exists()
    assert index.listall() == ["users"]
    assert int(index.info()["num_docs"]) == len(PEOPLE)
    # The schema can be read back out of FT.INFO.
    again = SearchIndex.from_existing("users", redis_client=index.client)
    assert list(again.schema.fields) == list(index.schema.fields)
    assert again.schema.fields["embedding"].attrs.dims == 16
    assert index.fetch("john")["job"] == "engineer"
    assert index.drop_keys(["user:john", "user:joe"]) == 2
    left = index.query(FilterQuery(return_fields=["user"], num_results=20))
    assert sorted(users(left)) == ["derrick", "nancy", "taimur", "tim", "tyler"]
    pages = list(index.paginate(FilterQuery(return_fields=["user"]), page_size=2))
    assert [len(page) for page in pages] == [2, 2, 1]
    assert index.clear() == 5
    assert index.exists()
    index.delete(drop=True)
    assert not index.exists()


def test_filters(index: Any) -> None:
    from redisvl.query import CountQuery, FilterQuery
    from redisvl.query.filter import Geo, GeoRadius, Num, Tag, Text

    def matching(condition: Any) -> list[str]:
        query = FilterQuery(return_fields=["user"], filter_expression=condition, num_results=20)
        return sorted(users(index.query(query)))

    assert matching(Tag("credit_score") == "high") == ["john", "nancy", "tim", "tyler"]
    assert matching(Tag("credit_score") == ["low", "medium"]) == ["derrick", "joe", "taimur"]
    assert matching(Tag("credit_score") != "high") == ["derrick", "joe", "taimur"]
    assert matching(Tag("user") % "ta*") == ["taimur"]
    assert matching(Num("age") > 35) == ["nancy", "tyler"]
    assert matching(Num("age").between(14, 18, inclusive="left")) == ["derrick", "taimur"]
    assert matching(Num("age") != 100) == sorted(p[0] for p in PEOPLE if p[0] != "tyler")
    assert matching(Text("job") == "doctor") == ["derrick", "nancy"]
    assert matching(Text("job") != "doctor") == ["joe", "john", "taimur", "tim", "tyler"]
    assert matching(Text("job") % "de*") == ["joe", "tim"]
    assert matching(Text("job") % "%%dentits%%") == ["joe"]
    assert matching(Text("job") % "engineer|doctor") == ["derrick", "john", "nancy", "tyler"]
    near = GeoRadius(-122.4194, 37.7749, 10, "km")
    assert matching(Geo("office") == near) == ["derrick", "john", "nancy"]
    assert matching(Geo("office") != near) == ["joe", "taimur", "tim", "tyler"]
    both = (Tag("credit_score") == "high") & (Num("age") < 20) & (Geo("office") == near)
    assert matching(both) == ["john"]
    assert matching((Text("job") == "dentist") | (Num("age") == 100)) == ["joe", "tyler"]
    assert index.query(CountQuery(filter_expression=Tag("credit_score") == "high")) == 4
    by_age = FilterQuery(return_fields=["user", "age"], num_results=3).sort_by("age", asc=False)
    assert [(row["user"], row["age"]) for row in index.query(by_age)] == [
        ("tyler", "100"), ("nancy", "94"), ("joe", "35")
    ]  # fmt: skip


def test_vectors_and_texts(index: Any, embed: Embed) -> None:
    from redisvl.query import AggregateHybridQuery, TextQuery, VectorQuery, VectorRangeQuery
    from redisvl.query.filter import Num, Tag

    asked = embed("an engineer who builds bridges")
    near = VectorQuery(
        vector=asked,
        vector_field_name="embedding",
        return_fields=["user", "age"],
        num_results=3,
    )
    found = index.query(near)
    assert len(found) == 3
    assert found[0]["user"] == "john"
    assert abs(float(found[0]["vector_distance"])) < 1e-5
    distances = [float(row["vector_distance"]) for row in found]
    assert distances == sorted(distances)
    near.set_filter((Tag("credit_score") == "low") & (Num("age") < 18))
    assert sorted(users(index.query(near))) == ["derrick", "taimur"]
    near.set_filter("*")
    batch = index.batch_query([near, near])
    assert [users(rows) for rows in batch] == [users(found), users(found)]
    circle = VectorRangeQuery(
        vector=asked,
        vector_field_name="embedding",
        return_fields=["user"],
        distance_threshold=0.2,
        num_results=7,
    )
    inside = index.query(circle)
    assert inside[0]["user"] == "john"
    assert all(float(row["vector_distance"]) <= 0.2 for row in inside)
    circle.set_filter(Tag("credit_score") == "medium")
    circle.set_distance_threshold(2.0)
    assert users(index.query(circle)) == ["joe"]
    texts = TextQuery("doctor bridges", "bio", stopwords=None, return_fields=["user", "bio"])
    rows = index.query(texts)
    assert sorted(users(rows)) == ["derrick", "john", "nancy", "taimur"]
    assert all(float(row["score"]) > 0 for row in rows)
    mixed = AggregateHybridQuery(
        text="engineer of bridges",
        text_field_name="bio",
        vector=asked,
        vector_field_name="embedding",
        return_fields=["user"],
        stopwords=None,
        num_results=4,
    )
    blended = index.query(mixed)
    assert blended[0]["user"] == "john"
    scores = [float(row["hybrid_score"]) for row in blended]
    assert scores == sorted(scores, reverse=True)


def test_changes_by_filter(index: Any) -> None:
    from redis.commands.search.aggregation import AggregateRequest
    from redis.commands.search.reducers import avg, count
    from redisvl.query import CountQuery
    from redisvl.query.filter import Num, Tag

    request = AggregateRequest("*").group_by("@credit_score", count().alias("n"), avg("@age"))
    groups = index.aggregate(request).rows
    assert sorted((row[1], row[3]) for row in [list(map(text, row)) for row in groups]) == [
        ("high", "4"), ("low", "2"), ("medium", "1")
    ]  # fmt: skip
    assert index.expire_keys("user:joe", 100) == 1
    index.drop_by_filter(Tag("credit_score") == "low")
    assert index.query(CountQuery(filter_expression=Num("age") > 0)) == 5


def text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def vectorizer(embed: Embed) -> Any:
    from redisvl.utils.vectorize import CustomVectorizer

    return CustomVectorizer(embed=embed)


def test_semantic_caches(stack: ServerProcess, embed: Embed) -> None:
    from redisvl.extensions.cache.embeddings import EmbeddingsCache
    from redisvl.extensions.cache.llm import SemanticCache
    from redisvl.query.filter import Tag

    url = f"redis://127.0.0.1:{stack.port}"
    cache = SemanticCache(
        name="answers",
        redis_url=url,
        distance_threshold=0.1,
        vectorizer=vectorizer(embed),
        filterable_fields=[{"name": "tenant", "type": "tag"}],
        overwrite=True,
    )
    question = "what is the capital of France?"
    assert cache.check(prompt=question) == []
    key = cache.store(question, "Paris", metadata={"country": "France"}, filters={"tenant": "a"})
    hit = cache.check(prompt="What is the capital of France")
    assert [(row["response"], row["metadata"]) for row in hit] == [("Paris", {"country": "France"})]
    assert cache.check(prompt=question, filter_expression=Tag("tenant") == "b") == []
    assert len(cache.check(prompt=question, filter_expression=Tag("tenant") == "a")) == 1
    assert cache.check(prompt="how deep is the ocean") == []
    cache.update(key, response="Still Paris")
    assert cache.check(prompt=question)[0]["response"] == "Still Paris"
    cache.drop(keys=[key])
    assert cache.check(prompt=question) == []
    cache.store(question, "Paris", ttl=100)
    cache.clear()
    assert cache.check(prompt=question) == []
    cache.delete()
    vectors = EmbeddingsCache(name="vectors", redis_url=url, ttl=100)
    vectors.set(content="a text", model_name="m", embedding=[0.5, 0.25], metadata={"x": 1})
    found = vectors.get(content="a text", model_name="m")
    assert (found["embedding"], found["metadata"]) == ([0.5, 0.25], {"x": 1})
    assert vectors.mexists(["a text", "another"], "m") == [True, False]
    vectors.drop("a text", "m")
    assert vectors.get("a text", "m") is None


def test_histories(stack: ServerProcess, embed: Embed) -> None:
    from redisvl.extensions.message_history import MessageHistory, SemanticMessageHistory

    url = f"redis://127.0.0.1:{stack.port}"
    plain = MessageHistory(name="plain", redis_url=url)
    plain.store("hello", "good morning")
    plain.add_messages(
        [
            {"role": "user", "content": "how old is the moon"},
            {"role": "assistant", "content": "very"},
        ]
    )
    assert [message["content"] for message in plain.messages] == [
        "hello", "good morning", "how old is the moon", "very"
    ]  # fmt: skip
    assert [one["content"] for one in plain.get_recent(top_k=2)] == ["how old is the moon", "very"]
    assert plain.count() == 4
    plain.drop()
    assert plain.count() == 3
    plain.delete()
    semantic = SemanticMessageHistory(name="near", redis_url=url, vectorizer=vectorizer(embed))
    semantic.store("what is the size of England", "about Louisiana")
    semantic.store("who wrote this song", "a band")
    semantic.set_distance_threshold(0.2)
    near = semantic.get_relevant("what is the size of England")
    assert [message["content"] for message in near][:1] == ["what is the size of England"]
    other = semantic.get_recent(top_k=5, session_tag="another")
    assert other == []
    semantic.clear()
    assert semantic.messages == []
    semantic.delete()


def test_routers(stack: ServerProcess, embed: Embed) -> None:
    from redisvl.extensions.router import Route, SemanticRouter

    routes = [
        Route(
            name="technology",
            references=["what are the latest advances in AI", "tell me about the newest gadgets"],
            metadata={"priority": 1},
            distance_threshold=0.3,
        ),
        Route(
            name="sports",
            references=["who won the game last night", "tell me about the upcoming match"],
            distance_threshold=0.3,
        ),
    ]
    url = f"redis://127.0.0.1:{stack.port}"
    router = SemanticRouter(
        name="topics", vectorizer=vectorizer(embed), routes=routes, redis_url=url, overwrite=True
    )
    assert router("who won the game last night?").name == "sports"
    assert router("zebras eat grass quietly").name is None
    assert [match.name for match in router.route_many("tell me about the newest gadgets")] == [
        "technology"
    ]
    assert router.route_names == ["technology", "sports"]
    router.add_route_references(route_name="sports", references=["who scored most goals"])
    assert router("who scored most goals").name == "sports"
    router.remove_route("sports")
    assert router("who scored most goals").name is None
    router.delete()
