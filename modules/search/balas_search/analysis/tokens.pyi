from collections.abc import Callable, Container, Iterable

from balas_search.postings.termtable import TermTable

SEPARATORS: bytes

def tokens_of(text: bytes) -> list[tuple[bytes, int, int]]: ...
def hits_in(
    text: bytes,
    stop_words: Container[bytes],
    wanted: dict[bytes, float],
    terms: TermTable,
    stem: Callable[[bytes], bytes | None] | None,
    language: object,
) -> tuple[list[tuple[int, int]], list[tuple[int, bytes]]]: ...

class TextWriter:
    position: int
    length: int
    frequency_max: int
    records: int
    def __init__(
        self,
        terms: TermTable,
        stop_words: set[bytes],
        new_term: Callable[[bytes], object],
        keep_positions: bool,
    ) -> None: ...
    def begin(self, doc: int) -> None: ...
    def skip(self, positions: int) -> None: ...
    def add(
        self,
        text: bytes,
        field: int,
        weight: float,
        stem: Callable[[bytes], bytes | None] | None,
        language: object,
        sound: Callable[[bytes], Iterable[bytes]] | None,
        groups: dict[bytes, list[bytes]] | None,
    ) -> None: ...
    def add_term(self, term: bytes, field: int) -> None: ...
