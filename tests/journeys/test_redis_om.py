"""redis-om: models on hashes and on JSON, found by expressions."""

import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from balas.testing import ServerProcess

# The library warns of what its own dependencies do.
pytestmark = [pytest.mark.clients, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def models(stack: ServerProcess) -> Any:
    """Models whose data live on the server, with their indexes."""
    import redis_om

    connection = redis_om.get_redis_connection(url=f"redis://127.0.0.1:{stack.port}")

    class Base:
        database = connection

    class Product(redis_om.HashModel, index=True):
        name: str = redis_om.Field(index=True, full_text_search=True)
        maker: str = redis_om.Field(index=True)
        price: float = redis_om.Field(index=True, sortable=True)
        made_on: datetime.date = datetime.date(2024, 1, 2)

        class Meta(Base):
            global_key_prefix = "shop"

    class Address(redis_om.EmbeddedJsonModel, index=True):
        street: str
        city: str = redis_om.Field(index=True)
        postal_code: str = redis_om.Field(index=True)

        class Meta(Base):
            embedded = True

    class Customer(redis_om.JsonModel, index=True):
        first_name: str = redis_om.Field(index=True)
        last_name: str = redis_om.Field(index=True)
        email: str = redis_om.Field(index=True)
        age: int = redis_om.Field(index=True, sortable=True)
        bio: str = redis_om.Field(index=True, full_text_search=True, default="")
        tags: list[str] = redis_om.Field(index=True, default=[])
        address: Address

        class Meta(Base):
            global_key_prefix = "shop"

    redis_om.Migrator().run()
    return SimpleNamespace(
        Product=Product, Customer=Customer, Address=Address, connection=connection
    )


@pytest.fixture
def customers(models: Any) -> Any:
    """Three of them."""
    rows = [
        (
            "Andrew",
            "Brookins",
            "a@example.com",
            38,
            "Writes Python all day",
            ["a", "b"],
            "Portland",
        ),
        ("Kim", "Brookins", "k@example.com", 34, "Reads novels", ["b"], "San Antonio"),
        ("Tom", "O'Neil-Smith", "t.o@example.co.uk", 100, "Plays chess", [], "San Antonio"),
    ]
    for first, last, email, age, bio, tags, city in rows:
        address = models.Address(street="1 Main St.", city=city, postal_code="11111")
        models.Customer(
            first_name=first,
            last_name=last,
            email=email,
            age=age,
            bio=bio,
            tags=tags,
            address=address,
        ).save()
    return models.Customer


def test_models_on_hashes(models: Any) -> None:
    from redis_om import NotFoundError

    product = models.Product(name="A red bicycle", maker="Acme", price=99.5)
    product.save()
    models.Product(name="Blue bicycles for children", maker="Acme", price=50).save()
    models.Product(name="A lamp", maker="Bright & Co.", price=20).save()
    assert models.Product.get(product.pk) == product
    found = models.Product.find(models.Product.maker == "Acme").sort_by("price").all()
    assert [one.price for one in found] == [50, 99.5]
    cheap = models.Product.find(models.Product.price < 60).sort_by("-price").all()
    assert [one.price for one in cheap] == [50, 20]
    assert models.Product.find(models.Product.name % "bicycle").count() == 2
    assert models.Product.find(models.Product.maker == "Bright & Co.").first().name == "A lamp"
    product.expire(100)
    assert 0 < models.connection.ttl(product.key()) <= 100
    product.update(price=1)
    assert models.Product.find(models.Product.price == 1).count() == 1
    models.Product.delete(product.pk)
    assert models.Product.find().count() == 2
    with pytest.raises(NotFoundError):
        models.Product.get(product.pk)


def test_models_on_json(customers: Any) -> None:
    def names(*conditions: Any) -> list[str]:
        return [one.first_name for one in customers.find(*conditions).sort_by("age").all()]

    assert names(customers.last_name == "Brookins") == ["Kim", "Andrew"]
    assert names(customers.last_name != "Brookins") == ["Tom"]
    assert names(customers.last_name == "O'Neil-Smith") == ["Tom"]
    assert names(customers.email == "t.o@example.co.uk") == ["Tom"]
    assert names((customers.last_name == "Brookins") & (customers.age > 35)) == ["Andrew"]
    assert names((customers.age == 100) | (customers.first_name == "Kim")) == ["Kim", "Tom"]
    assert names(~(customers.first_name == "Tom")) == ["Kim", "Andrew"]
    assert names(customers.first_name << ["Tom", "Kim"]) == ["Kim", "Tom"]
    assert names(customers.first_name >> ["Tom", "Kim"]) == ["Andrew"]
    assert names(customers.age >= 38, customers.age <= 100) == ["Andrew", "Tom"]
    assert names(customers.bio % "python") == ["Andrew"]
    assert names(customers.bio % "chess | novel") == ["Kim", "Tom"]
    assert names(customers.tags << "b") == ["Kim", "Andrew"]
    assert names(customers.address.city == "San Antonio") == ["Kim", "Tom"]
    assert names(customers.first_name.startswith("And")) == ["Andrew"]
    page = customers.find().sort_by("-age").page(offset=1, limit=1)
    assert [one.first_name for one in page] == ["Andrew"]


def test_changes_and_removals(customers: Any) -> None:
    one = customers.find(customers.first_name == "Kim").first()
    one.update(address__city="Berlin", age=35)
    again = customers.find(customers.address.city == "Berlin").first()
    assert (again.age, again.address.city) == (35, "Berlin")
    values = customers.find(customers.age > 90).values("first_name", "age")
    assert [(row["first_name"], int(row["age"])) for row in values] == [("Tom", 100)]
    assert customers.find(customers.age > 90).delete() == 1
    assert sorted(one.first_name for one in customers.find().all()) == ["Andrew", "Kim"]
    assert len(list(customers.all_pks())) == 2


def test_a_changed_model_is_migrated(models: Any) -> None:
    import redis_om

    index = models.Product.Meta.index_name
    models.connection.ft(index).dropindex()
    redis_om.Migrator().run()
    assert index.encode() in [
        name if isinstance(name, bytes) else name.encode()
        for name in models.connection.execute_command("FT._LIST")
    ]
