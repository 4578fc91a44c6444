"""langchain-redis: vector stores, caches of answers, histories of chats."""

from collections.abc import Callable
from typing import Any

import pytest

from balas.testing import ServerProcess

# The libraries warn of what their own dependencies do.
pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore")]

TEXTS = [
    ("green trees grow in the forest", {"category": "nature", "year": 2001}),
    ("tall trees and small flowers", {"category": "nature", "year": 2010}),
    ("fast cars on the road", {"category": "machines", "year": 2010}),
    ("old cars rust away", {"category": "machines", "year": 1990}),
]


@pytest.fixture
def embeddings(embed: Callable[[str], list[float]]) -> Any:
    """Embeddings that need no model."""
    from langchain_core.embeddings import Embeddings

    class OfWords(Embeddings):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [embed(text) for text in texts]

        def embed_query(self, text: str) -> list[float]:
            return embed(text)

    return OfWords()


@pytest.fixture
def url(stack: ServerProcess) -> str:
    return f"redis://127.0.0.1:{stack.port}"


@pytest.mark.parametrize("storage", ["hash", "json"])
@pytest.mark.parametrize("algorithm", ["FLAT", "HNSW"])
def test_vector_stores(url: str, embeddings: Any, storage: str, algorithm: str) -> None:
    from langchain_core.documents import Document
    from langchain_redis import RedisConfig, RedisVectorStore
    from redisvl.query.filter import Num, Tag

    config = RedisConfig(
        index_name="texts",
        redis_url=url,
        distance_metric="COSINE",
        indexing_algorithm=algorithm,
        storage_type=storage,
        metadata_schema=[
            {"name": "category", "type": "tag"},
            {"name": "year", "type": "numeric"},
        ],
    )
    store = RedisVectorStore(embeddings, config=config)
    keys = store.add_texts([text for text, _ in TEXTS], [data for _, data in TEXTS])
    assert len(keys) == len(TEXTS)
    found = store.similarity_search("green trees grow in the forest", k=2)
    assert found[0].page_content == TEXTS[0][0]
    assert found[0].metadata["category"] == "nature"
    scored = store.similarity_search_with_score("fast cars on the road", k=4)
    assert scored[0][0].page_content == TEXTS[2][0]
    assert abs(scored[0][1]) < 1e-4
    assert [score for _, score in scored] == sorted(score for _, score in scored)
    filtered = store.similarity_search("cars", k=4, filter=Tag("category") == "nature")
    assert {one.metadata["category"] for one in filtered} == {"nature"}
    assert len(filtered) == 2
    both = (Tag("category") == "machines") & (Num("year") < 2000)
    assert [one.page_content for one in store.similarity_search("x", k=4, filter=both)] == [
        TEXTS[3][0]
    ]
    varied = store.max_marginal_relevance_search("trees", k=2, fetch_k=4)
    assert len(varied) == 2
    more = store.add_documents([Document("a new text", metadata={"category": "x", "year": 1})])
    assert [one.page_content for one in store.get_by_ids([more[0].split(":")[-1]])] == [
        "a new text"
    ]
    assert store.similarity_search("a new text", k=1)[0].page_content == "a new text"
    retriever = store.as_retriever(search_kwargs={"k": 1})
    assert retriever.invoke("old cars rust away")[0].page_content == TEXTS[3][0]
    assert store.delete([keys[3]])
    assert store.similarity_search("old cars rust away", k=1)[0].page_content != TEXTS[3][0]
    again = RedisVectorStore.from_existing_index("texts", embeddings, redis_url=url)
    assert again.similarity_search("fast cars on the road", k=1)[0].page_content == TEXTS[2][0]
    store.index.delete(drop=True)


def test_caches(url: str, embeddings: Any) -> None:
    from langchain_core.outputs import Generation
    from langchain_redis import RedisCache, RedisSemanticCache

    exact = RedisCache(redis_url=url, ttl=100)
    answer = [Generation(text="Paris")]
    exact.update("What is the capital of France?", "a model", answer)
    assert exact.lookup("What is the capital of France?", "a model") == answer
    assert exact.lookup("What is the capital of France?", "another") is None
    exact.clear()
    assert exact.lookup("What is the capital of France?", "a model") is None
    semantic = RedisSemanticCache(embeddings, redis_url=url, distance_threshold=0.1)
    semantic.update("What is the capital of France?", "a model", answer)
    hit = semantic.lookup("what is the capital of France", "a model")
    assert hit is not None
    assert hit[0].text == "Paris"
    assert semantic.lookup("what is the capital of France", "another") is None
    assert semantic.lookup("how deep is the ocean", "a model") is None
    semantic.clear()
    assert semantic.lookup("What is the capital of France?", "a model") is None


def test_histories(url: str) -> None:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
    from langchain_redis import RedisChatMessageHistory

    # Of an index that is there it understands the description in RESP2 only.
    url = f"{url}?protocol=2"
    history = RedisChatMessageHistory(session_id="one", redis_url=url, ttl=100)
    history.add_message(SystemMessage(content="You are kind."))
    history.add_messages(
        [HumanMessage(content="Hello, computer!"), AIMessage(content="Hello, human!")]
    )
    assert [(one.type, one.content) for one in history.messages] == [
        ("system", "You are kind."), ("human", "Hello, computer!"), ("ai", "Hello, human!")
    ]  # fmt: skip
    other = RedisChatMessageHistory(session_id="two", redis_url=url)
    other.add_message(HumanMessage(content="a secret"))
    assert len(other.messages) == 1
    assert len(history) == 3
    found = history.search_messages("computer")
    assert [row["content"] for row in found] == ["Hello, computer!"]
    history.clear()
    assert history.messages == []
    assert len(other.messages) == 1
    other.delete()
