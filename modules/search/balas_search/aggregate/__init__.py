"""FT.AGGREGATE: steps over columns of found documents, and the language of its expressions."""
