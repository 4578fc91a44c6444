"""VECTOR: vectors, found by how near they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from balas.api import ReplyError, number
from balas_search.evaluation.cursors import Cursor, VectorCursor
from balas_search.fields.base import BadField, Docs, FieldIndex
from balas_search.fields.spec import FieldSpec
from balas_search.query.tree import Everything, Knn, Options, VectorRange
from balas_search.schema.words import shown
from balas_search.vectors.attributes import HNSW
from balas_search.vectors.flat import ADHOC_BF, POLICIES, FlatVectors, HowToFilter
from balas_search.vectors.hnsw import EPSILON, HnswVectors
from balas_search.vectors.rows import no_limit

if TYPE_CHECKING:
    from balas_search.evaluation.evaluation import Evaluation

# How a query is filtered that says nothing about it.
AS_SUITS = HowToFilter()
INVALID = "Error parsing vector similarity parameters: "
INVALID_QUERY = "Error parsing vector similarity query: "


class VectorIndex(FieldIndex):
    """The vectors of one field."""

    wants_removals: ClassVar[bool] = True

    def __init__(self, spec: FieldSpec) -> None:
        super().__init__(spec)
        self.vectors = HnswVectors(spec) if spec.algorithm == HNSW else FlatVectors(spec)
        self.kind = self.vectors.kind
        self.blob_bytes = self.kind.blob_bytes
        self.default_name = b"__" + spec.name + b"_score"
        self.used = False

    def prepare(self, values: list[Any]) -> NDArray[Any] | None:
        """The vectors as rows, None if there are none; raises BadField."""
        blobs = [self.blob(value) for value in values if value is not None]
        return self.kind.of_blobs(blobs) if blobs else None

    def blob(self, value: Any) -> bytes:
        """The vector as bytes, of which there are as many as there must be; raises BadField."""
        blob = bytes(value) if isinstance(value, bytes | bytearray) else self.packed(value)
        if len(blob) != self.blob_bytes:
            raise BadField(
                f"Could not add vector with blob size {len(blob)} (expected size {self.blob_bytes})"
            )
        return blob

    def packed(self, value: Any) -> bytes:
        """The blob of an array of JSON."""
        if not isinstance(value, list) or not all(
            isinstance(item, int | float) and not isinstance(item, bool) for item in value
        ):
            raise BadField("Invalid vector element type")
        if len(value) != self.kind.dimension:
            raise BadField(
                f"Invalid vector length. Expected {self.kind.dimension}, got {len(value)}"
            )
        if self.kind.whole and not all(isinstance(item, int) for item in value):
            raise BadField("Invalid vector element type")
        try:
            return self.kind.narrowed(np.array(value, np.float64)).tobytes()
        except OverflowError as error:
            raise BadField(f"Invalid vector element: {error}") from None

    def add(self, doc: int, prepared: NDArray[Any]) -> int:
        """Add a document's vectors."""
        self.used = True
        self.vectors.add(doc, prepared)
        return 1

    def remove(self, doc: int) -> None:
        """Take a document's vectors out."""
        self.vectors.remove(doc)

    def renumber(self, new_ids: Docs) -> None:
        """Move to new ids."""
        self.vectors.renumber(new_ids)

    def upkeep(self) -> Iterator[None] | None:
        """Steps that are to be done soon; None if there are none, or somebody does them."""
        return self.vectors.upkeep()

    def close(self) -> None:
        """End what is still to be done: the field is dropped."""
        self.vectors.close()

    def memory(self) -> int:
        """Bytes it takes."""
        return self.vectors.memory()

    # --- queries ---------------------------------------------------------------------------------

    def cursor(self, node: Any, evaluation: Evaluation) -> Cursor:
        """The nearest, or those within a radius."""
        if isinstance(node, Knn):
            return self.nearest(node, evaluation)
        if isinstance(node, VectorRange):
            return self.within(node, evaluation)
        return super().cursor(node, evaluation)

    def query_of(self, blob: bytes) -> NDArray[Any] | None:
        """The vector that a query asks for; None where no vector was ever indexed."""
        if not self.used:
            return None
        if len(blob) != self.blob_bytes:
            raise ReplyError(
                f"{INVALID_QUERY}query vector blob size ({len(blob)}) does not match index's "
                f"expected size ({self.blob_bytes})."
            )
        return self.kind.query(blob)

    def nearest(self, node: Knn, evaluation: Evaluation) -> Cursor:
        """KNN."""
        hybrid = not isinstance(node.children[0], Everything)
        query = self.query_of(node.vector)
        how = self.how_to_filter(node.options, hybrid) if node.options else AS_SUITS
        name = node.distance_name or self.default_name
        check_name(name, evaluation)
        batches = 0
        child = evaluation.cursor(node.children[0]) if hybrid else None
        rows = self.vectors.rows
        rows.check_time = evaluation.check_time
        try:
            if query is None:
                docs, distances = np.empty(0, np.uint32), np.empty(0)
            elif child is None:
                docs, distances = self.vectors.nearest(query, node.count, how.breadth)
            else:
                among = evaluation.documents(child)
                docs, distances, batches = self.vectors.nearest_of(query, node.count, among, how)
        finally:
            rows.check_time = no_limit
        order = docs.argsort(kind="stable")
        docs, distances = docs[order], distances[order]
        measured = dict(evaluation.yielded)
        evaluation.yielded.clear()
        # In replies this distance stands before those of the filter.
        evaluation.yielded[name] = docs, distances
        evaluation.yielded.update(measured)
        return VectorCursor(docs, False, child, batches)

    def within(self, node: VectorRange, evaluation: Evaluation) -> Cursor:
        """VECTOR_RANGE."""
        options = node.options
        epsilon = float(self.spec.attributes.get(b"EPSILON", EPSILON))
        for name, value in options.items():
            if name != b"EPSILON" or self.spec.algorithm != HNSW:
                raise ReplyError(f"{INVALID}Invalid option")
            epsilon = number(value, f"{INVALID}Invalid value was given")
            if epsilon <= 0:
                raise ReplyError(f"{INVALID}Invalid value was given")
        check_repeated(options)
        if node.radius < 0:
            raise ReplyError(
                f"{INVALID_QUERY}negative radius ({node.radius:g}) given in a range query"
            )
        if node.distance_name is not None:
            check_name(node.distance_name, evaluation)
        query = self.query_of(node.vector)
        if query is None:
            return VectorCursor(np.empty(0, np.uint32), True)
        rows = self.vectors.rows
        rows.check_time = evaluation.check_time
        try:
            docs, distances = self.vectors.within(query, node.radius, epsilon)
        finally:
            rows.check_time = no_limit
        if node.distance_name is not None:
            evaluation.yielded[node.distance_name] = docs, distances
        return VectorCursor(docs, True)

    def how_to_filter(self, options: Options, hybrid: bool) -> HowToFilter:
        """What the further parameters of KNN ask for; raises ReplyError."""
        if not hybrid and (b"HYBRID_POLICY" in options or b"BATCH_SIZE" in options):
            raise ReplyError(f"{INVALID}hybrid query attributes were sent for a non-hybrid query")
        policy = options.get(b"HYBRID_POLICY", b"").upper()
        for name, value in options.items():
            if name == b"HYBRID_POLICY":
                if policy not in POLICIES:
                    raise ReplyError(f"{INVALID}invalid hybrid policy was given")
                known = True
            elif name == b"EF_RUNTIME":
                known = self.spec.algorithm == HNSW
                positive(value, known)
            elif name == b"BATCH_SIZE":
                known = True
                positive(value, known)
            else:
                known = False
            if not known:
                raise ReplyError(f"{INVALID}Invalid option")
        check_repeated(options)
        if policy == ADHOC_BF:
            for name, called in ((b"BATCH_SIZE", "batch size"), (b"EF_RUNTIME", "EF_RUNTIME")):
                if name in options:
                    raise ReplyError(f"{INVALID}'{called}' is irrelevant for 'ADHOC_BF' policy")
        batch_size, breadth = (
            int(options.get(name, b"0")) for name in (b"BATCH_SIZE", b"EF_RUNTIME")
        )
        return HowToFilter(policy, batch_size, breadth)


def positive(value: bytes, known: bool) -> None:
    """Raise ReplyError unless an option that is `known` is a whole number above 0."""
    if known and (not value.isdigit() or not int(value)):
        raise ReplyError(f"{INVALID}Invalid value was given")


def check_repeated(options: Options) -> None:
    """Raise ReplyError if a parameter was given twice."""
    if options.repeated:
        raise ReplyError(f"{INVALID}Parameter was specified twice")


def check_name(name: bytes, evaluation: Evaluation) -> None:
    """Raise ReplyError if a distance cannot have this name."""
    if evaluation.index.spec_of(name) is not None:
        raise ReplyError(f"Property `{shown(name)}` already exists in schema")
    if name in evaluation.yielded:
        raise ReplyError(f"Property `{shown(name)}` specified more than once")
