from balas_search.index.tables import DocumentTable
from balas_search.postings.posting import Posting

def best_keys(
    documents: DocumentTable,
    posting: Posting,
    fields: int,
    value: float,
    offset: int,
    count: int,
) -> list[int | bytes] | None: ...
