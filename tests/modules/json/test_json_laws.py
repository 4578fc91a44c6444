"""The laws of value types, for JSON documents."""

import json
from itertools import count

import pytest

from balas.testing import InProcessServer, check_laws
from balas_json import _changes
from balas_json._document import parsed
from balas_json._paths import compiled
from balas_json.value import JsonValue

RECORDS = [
    {"id": i, "name": f"name of {i}", "price": i * 1.25, "tags": ["a", "b"], "dims": [i, 1, 700]}
    for i in range(200)
]


@pytest.mark.parametrize("content", [{"a": [1, "two", None, {"b": 2.5}]}, {"l": RECORDS}])
def test_a_document_obeys_the_laws(content: object, balas_server: InProcessServer) -> None:
    numbers = count()

    def make() -> JsonValue:
        return JsonValue(parsed(json.dumps(content).encode()))

    def change(value: JsonValue) -> None:
        number = next(numbers)
        path = compiled(b"$.changed%d" % (number % 7))
        text = parsed(b'"%d and more than seven letters"' % number)
        if not _changes.assign(value.document, path, text):
            _changes.create(value.document, path, text)

    check_laws(balas_server, make, change)
