"""What FT.CREATE says about a VECTOR field: its algorithm and attributes, and their errors."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balas.api import ReplyError
from balas_search.fields.spec import FieldSpec
from balas_search.schema.words import Words, bad, shown

FLAT, HNSW = b"FLAT", b"HNSW"
# How each type is stored; BFLOAT16, which numpy does not know, as its bits.
STORED: dict[bytes, np.dtype[Any]] = {
    b"FLOAT32": np.dtype("<f4"),
    b"FLOAT64": np.dtype("<f8"),
    b"FLOAT16": np.dtype("<f2"),
    b"BFLOAT16": np.dtype("<u2"),
    b"INT8": np.dtype("i1"),
    b"UINT8": np.dtype("u1"),
}
# Whole numbers; RediSearch has them since 8.0.
WHOLE = (b"INT8", b"UINT8")
L2, IP, COSINE = b"L2", b"IP", b"COSINE"
METRICS = (L2, IP, COSINE)
MANDATORY = (b"TYPE", b"DIM", b"DISTANCE_METRIC")
# The name of each attribute as errors have it.
NAMES = {
    b"TYPE": "type",
    b"DIM": "dim",
    b"DISTANCE_METRIC": "metric",
    b"INITIAL_CAP": "initial cap",
    b"BLOCK_SIZE": "blocksize",
    b"M": "m",
    b"EF_CONSTRUCTION": "efConstruction",
    b"EF_RUNTIME": "efRuntime",
    b"EPSILON": "epsilon",
}
ATTRIBUTES = {
    FLAT: (*MANDATORY, b"INITIAL_CAP", b"BLOCK_SIZE"),
    HNSW: (*MANDATORY, b"INITIAL_CAP", b"M", b"EF_CONSTRUCTION", b"EF_RUNTIME", b"EPSILON"),
}
# A graph with one neighbour each has no layers; one with more than this fits in no memory.
NEIGHBOURS_MIN, NEIGHBOURS_MAX = 2, 512


def take_vector(spec: FieldSpec, words: Words) -> None:
    """Read algorithm and attributes behind VECTOR into the field; raises ReplyError."""
    algorithm = words.take("vector similarity algorithm").upper()
    if algorithm not in ATTRIBUTES:
        raise bad("vector similarity algorithm", "Unknown argument")
    spec.algorithm = algorithm
    count = words.take_count("vector similarity number of parameters")
    if count % 2:
        raise ReplyError(
            f"Bad number of arguments for vector similarity index: got {count} but expected even "
            "number as algorithm parameters (should be submitted as named arguments)"
        )
    given = Words(words.words[words.at : words.at + count])
    words.at += given.left
    while given.more:
        name = given.take().upper()
        if name not in ATTRIBUTES[algorithm]:
            raise bad(f"algorithm {shown(algorithm)}", shown(given.words[given.at - 1]))
        spec.attributes[name] = _value(algorithm, name, given)
    if given.at < count:
        raise ReplyError(f"Expected {count} parameters but got {given.at}")
    for name in MANDATORY:
        if name not in spec.attributes:
            raise ReplyError(
                f"Missing mandatory parameter: cannot create {shown(algorithm)} index without "
                f"specifying {shown(name)} argument"
            )
    _check_capacity(spec)


def _value(algorithm: bytes, name: bytes, words: Words) -> bytes:
    """The value of an attribute, checked."""
    of = f"vector similarity {shown(algorithm)} index {NAMES[name]}"
    if name in (b"TYPE", b"DISTANCE_METRIC"):
        word = words.take(of).upper()
        if word not in (STORED if name == b"TYPE" else METRICS):
            raise bad(of, "Unknown argument")
        return word
    if name == b"EPSILON":
        epsilon = words.take_number(of)
        if epsilon < 0:
            raise bad(of, "Value is outside acceptable bounds")
        return repr(epsilon).encode()
    low = 0 if name == b"INITIAL_CAP" else 1
    return str(words.take_count(of, low)).encode()


def _check_capacity(spec: FieldSpec) -> None:
    """Raise ReplyError where INITIAL_CAP or BLOCK_SIZE ask for more than memory has."""
    row_bytes = int(spec.attributes[b"DIM"]) * STORED[spec.attributes[b"TYPE"]].itemsize + 16
    limit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // (10 * row_bytes)
    for name in (b"INITIAL_CAP", b"BLOCK_SIZE"):
        wanted = int(spec.attributes.get(name, b"0"))
        if wanted > limit:
            raise ReplyError(
                f"Vector index initial capacity {wanted} exceeded server limit ({limit} with the "
                "given parameters)"
            )


@dataclass(frozen=True, slots=True)
class VectorKind:
    """What the vectors of a field are, and how far apart they are.

    A vector is `dimension` numbers of `type_name`, little-endian. `metric` is L2 (the square of the
    distance), IP or COSINE (both 1 minus the product).
    """

    type_name: bytes
    dimension: int
    metric: bytes

    @property
    def blob_bytes(self) -> int:
        """Bytes of a vector."""
        return self.dimension * self.stored.itemsize

    @property
    def exact(self) -> type[np.floating[Any]]:
        """The type distances are told in."""
        return np.float64 if self.type_name == b"FLOAT64" else np.float32

    @property
    def stored(self) -> np.dtype[Any]:
        """The type of the matrix."""
        return STORED[self.type_name]

    @property
    def whole(self) -> bool:
        """Whether vectors are whole numbers, so that they cannot be kept at length 1."""
        return self.type_name in WHOLE

    def widened(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Stored rows as numbers that can be calculated with; of COSINE they have length 1."""
        if self.whole:
            wide = rows.astype(np.float32)
            return unit(wide) if self.metric == COSINE else wide
        if self.type_name == b"BFLOAT16":
            return (rows.astype(np.uint32) << 16).view(np.float32)
        return rows.astype(np.float32) if self.type_name == b"FLOAT16" else rows

    def narrowed(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Numbers as they are stored, rounded to the nearest; raises OverflowError."""
        if self.whole:
            limits = np.iinfo(self.stored)
            if np.any(rows < limits.min) or np.any(rows > limits.max):
                raise OverflowError(f"a number not between {limits.min} and {limits.max}")
            return np.asarray(np.rint(rows), self.stored)
        if self.type_name == b"BFLOAT16":
            bits = rows.astype(np.float32).view(np.uint32)
            return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
        return rows.astype(self.stored)

    def of_blobs(self, blobs: list[bytes]) -> NDArray[Any]:
        """Rows to be stored, from blobs of the right size; of COSINE floats have length 1."""
        whole = blobs[0] if len(blobs) == 1 else b"".join(blobs)
        rows = np.frombuffer(whole, self.stored).reshape(len(blobs), self.dimension)
        if self.metric != COSINE or self.whole:
            return rows
        return self.narrowed(unit(self.widened(rows)))

    def query(self, blob: bytes) -> NDArray[Any]:
        """A vector to be compared with rows."""
        if self.metric != COSINE and self.exact == self.stored:
            return np.frombuffer(blob, self.stored)
        return np.asarray(self.widened(self.of_blobs([blob]))[0])


def unit(rows: NDArray[Any]) -> NDArray[Any]:
    """Rows divided by their lengths; those of length 0 stay."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    lengths[lengths == 0] = 1
    return np.asarray(rows / lengths[:, None], rows.dtype)


def kind_of(spec: FieldSpec) -> VectorKind:
    """The kind of vectors of a field."""
    attributes = spec.attributes
    return VectorKind(attributes[b"TYPE"], int(attributes[b"DIM"]), attributes[b"DISTANCE_METRIC"])


def described(spec: FieldSpec) -> list[tuple[str, bytes | int]]:
    """What FT.INFO says about a vector field."""
    attributes = spec.attributes
    made: list[tuple[str, bytes | int]] = [
        ("algorithm", spec.algorithm),
        ("data_type", attributes[b"TYPE"]),
        ("dim", int(attributes[b"DIM"])),
        ("distance_metric", attributes[b"DISTANCE_METRIC"]),
    ]
    if spec.algorithm == HNSW:
        made.append(("M", int(attributes.get(b"M", b"16"))))
        made.append(("ef_construction", int(attributes.get(b"EF_CONSTRUCTION", b"200"))))
    return made
