"""Definitions in a snapshot: each index as the words of its FT.CREATE, and what was added later."""

from __future__ import annotations

from balas.api import LoadStream, SaveStream
from balas_search.index.index import Index
from balas_search.index.indexes import Indexes
from balas_search.schema.definition import parse_create

Dictionaries = dict[bytes, dict[bytes, None]]


def save_all(out: SaveStream, indexes: Indexes, dictionaries: Dictionaries) -> None:
    """Save all definitions, aliases, synonyms and dictionaries."""
    out.save_unsigned(len(indexes.by_name))
    for index in indexes.by_name.values():
        out.save_string(index.name)
        _save_words(out, index.words)
        aliases = [alias for alias, other in indexes.aliases.items() if other is index]
        _save_words(out, aliases)
        out.save_unsigned(len(index.synonyms.groups))
        for term, groups in index.synonyms.groups.items():
            out.save_string(term)
            _save_words(out, groups)
    out.save_unsigned(len(dictionaries))
    for name, terms in dictionaries.items():
        out.save_string(name)
        _save_words(out, list(terms))


def load_all(
    source: LoadStream, indexes: Indexes, dictionaries: Dictionaries, stem_length_min: int
) -> None:
    """Take what `save_all` saved; the indexes are empty then."""
    indexes.clear()
    for _ in range(source.load_unsigned()):
        name, words = source.load_string(), _load_words(source)
        index = Index(name, words, *parse_create(words), stem_length_min)
        indexes.add(index)
        for alias in _load_words(source):
            indexes.aliases[alias] = index
        for _ in range(source.load_unsigned()):
            term = source.load_string()
            for group in _load_words(source):
                index.synonyms.update(group, [term])
    dictionaries.clear()
    for _ in range(source.load_unsigned()):
        name = source.load_string()
        dictionaries[name] = dict.fromkeys(_load_words(source))


def _save_words(out: SaveStream, words: list[bytes]) -> None:
    out.save_unsigned(len(words))
    for word in words:
        out.save_string(word)


def _load_words(source: LoadStream) -> list[bytes]:
    return [source.load_string() for _ in range(source.load_unsigned())]
