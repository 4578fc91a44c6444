"""What FT.CREATE says about one field."""

from __future__ import annotations

from dataclasses import dataclass, field

TEXT, TAG, NUMERIC, GEO, GEOSHAPE, VECTOR = "TEXT", "TAG", "NUMERIC", "GEO", "GEOSHAPE", "VECTOR"
KINDS = (TEXT, TAG, NUMERIC, GEO, GEOSHAPE, VECTOR)


@dataclass(slots=True)
class FieldSpec:
    """A field of a schema.

    `identifier` is the hash field or the JSON path; `name` what queries call it. `bit` is a text
    field's place in masks, and `words` what FT.CREATE was told, for saving.
    """

    identifier: bytes
    name: bytes
    kind: str
    words: list[bytes]
    bit: int = -1
    weight: float = 1.0
    no_stem: bool = False
    phonetic: bytes = b""
    separator: bytes = b","
    case_sensitive: bool = False
    sortable: bool = False
    unnormalized: bool = False
    no_index: bool = False
    index_missing: bool = False
    index_empty: bool = False
    suffix_trie: bool = False
    spherical: bool = True
    # VECTOR: the algorithm, and its attributes, names in upper case.
    algorithm: bytes = b""
    attributes: dict[bytes, bytes] = field(default_factory=dict)
    # Failures to index a value of this field, for FT.INFO.
    failures: int = 0
    last_error: str = "N/A"
    last_error_key: bytes = b"N/A"

    @property
    def mask(self) -> int:
        """A text field's bit as a mask."""
        return 1 << self.bit
