"""Tokens of a text, and their way into posting lists.

RediSearch's rules: a token ends at a blank, a control character or one of the separators; a
backslash makes the next character part of the token; ASCII letters are lower-cased, and no others;
stop words are left out and take no position.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t

from balas_search.postings.posting cimport BLOCK_DOCS, Posting
from balas_search.postings.termtable cimport TermTable

cdef enum:
    # Longer tokens are cut off here.
    TOKEN_BYTES_MAX = 4096

# Those characters at which a token ends, beside blanks and control characters.
SEPARATORS = b" \t,./(){}[]:;~!@#$%^&*-=+|'`\"<>?\x00"


@cython.final
cdef class Alphabet:
    """For each byte whether it ends a token, and what it is in lower case."""

    cdef uint8_t ends[256]
    cdef uint8_t lower[256]

    def __cinit__(self):
        cdef int byte
        for byte in range(256):
            self.lower[byte] = byte + 32 if 65 <= byte <= 90 else byte
            self.ends[byte] = byte < 32 or byte == 127 or byte in SEPARATORS


cdef Alphabet ALPHABET = Alphabet()


@cython.final
cdef class Tokens:
    """Walks through a text, token by token.

    `begin` and `end` say where the token stands in the text, in bytes.
    """

    cdef const uint8_t* text
    cdef Py_ssize_t size
    cdef readonly Py_ssize_t begin
    cdef readonly Py_ssize_t end
    cdef bytes held

    def __cinit__(self, bytes text not None):
        self.held = text
        self.text = <const uint8_t*> PyBytes_AS_STRING(text)
        self.size = PyBytes_GET_SIZE(text)

    cdef bytes next(self):
        """The next token in lower case, or None at the end."""
        cdef uint8_t buffer[TOKEN_BYTES_MAX]
        cdef Py_ssize_t at = self.end
        cdef Py_ssize_t length = 0
        cdef uint8_t byte
        while at < self.size and ALPHABET.ends[self.text[at]]:
            at += 1
        if at >= self.size:
            self.begin = self.end = self.size
            return None
        self.begin = at
        while at < self.size:
            byte = self.text[at]
            if byte == 92 and at + 1 < self.size:
                at += 1
                byte = self.text[at]
                if not (ALPHABET.ends[byte] or byte == 92):
                    # It protects nothing, so it stands for nothing.
                    continue
            elif ALPHABET.ends[byte]:
                break
            if length < TOKEN_BYTES_MAX:
                buffer[length] = ALPHABET.lower[byte]
                length += 1
            at += 1
        self.end = at
        return PyBytes_FromStringAndSize(<char*> buffer, length)


def tokens_of(text: bytes) -> list:
    """All tokens of a text, as (token, begin, end)."""
    cdef Tokens walk = Tokens(text)
    found = []
    while True:
        token = walk.next()
        if token is None:
            return found
        if token:
            found.append((token, walk.begin, walk.end))


def hits_in(bytes text not None, stop_words, dict wanted not None, TermTable terms not None,
            stem, language) -> tuple[list, list]:
    """The words of a text as (begin, end), and which of them are wanted: (place, term).

    The place is one in the first list. A word is wanted if it is one of `wanted`, or `stem(word)`
    is. `terms` are the index's, which remember their stems in `language`; `stem` may be None.
    """
    cdef Tokens walk = Tokens(text)
    cdef Posting posting
    cdef list words = []
    cdef list hits = []
    cdef bytes token
    while True:
        token = walk.next()
        if token is None:
            return words, hits
        if not token or token in stop_words:
            continue
        found = None
        if token in wanted:
            found = token
        elif stem is not None:
            posting = terms.find(token)
            if posting is not None and posting.stem_language is language:
                posting = <Posting> posting.stem
                found = posting.term if posting is not None else None
            else:
                found = stem(token)
        if found is not None and found in wanted:
            hits.append((len(words), found))
        words.append((walk.begin, walk.end))


@cython.final
cdef class TextWriter:
    """Adds the texts of one document after another to the posting lists of an index.

    `terms` has the Posting of each term. `stop_words` is a set of bytes. `begin` starts a document;
    `add` takes one text of it; then `length` is the sum of the frequencies of its words, and
    `frequency_max` the highest frequency of any term.
    """

    cdef TermTable terms
    cdef set stop_words
    cdef object new_term
    cdef bint keep_positions
    cdef uint32_t doc
    cdef readonly uint32_t position
    cdef readonly long length
    cdef readonly long frequency_max
    cdef readonly long records

    def __cinit__(self, TermTable terms not None, set stop_words not None, new_term,
                  bint keep_positions):
        self.terms = terms
        self.stop_words = stop_words
        self.new_term = new_term
        self.keep_positions = keep_positions

    def begin(self, uint32_t doc) -> None:
        """Start a document."""
        self.doc = doc
        self.position = 0
        self.length = 0
        self.frequency_max = 0
        self.records = 0

    def skip(self, uint32_t positions) -> None:
        """Leave some positions free, so that no phrase reaches across."""
        self.position += positions

    def add(self, bytes text, int field, double weight, object stem, object language,
            object sound, dict groups) -> None:
        """Add a text that belongs to `field` (its bit).

        `stem(token)` returns the stem as a term, or None; `sound(token)` the phonetic terms;
        `groups` maps a token to the terms of its synonyms. Each may be None. `language` names what
        `stem` does: the stem of a term is remembered for the last one asked for.
        """
        cdef Tokens walk = Tokens(text)
        cdef uint32_t freq = <uint32_t> weight if weight >= 1 else 1
        cdef Posting posting, found
        cdef bytes token
        while True:
            token = walk.next()
            if token is None:
                break
            if not token or token in self.stop_words:
                continue
            self.position += 1
            posting = self.posting_of(token)
            self.length += freq
            self.put(posting, freq, field)
            if stem is not None:
                if posting.stem_language is not language:
                    self.find_stem(posting, stem, language)
                if posting.stem is not None:
                    found = self.terms.stem_of(posting)
                    if found is None:
                        self.find_stem(posting, stem, language)
                        found = <Posting> posting.stem
                    self.put(found, 1, field)
            if sound is not None:
                for code in sound(token):
                    self.put(self.posting_of(code), 1, field)
            if groups is not None and token in groups:
                for group in groups[token]:
                    self.put(self.posting_of(group), 1, field)

    cdef Posting posting_of(self, bytes term):
        cdef Posting made = self.terms.find(term)
        if made is not None:
            return made
        made = Posting(term)
        self.terms.put(made)
        self.new_term(term)
        return made

    cdef int find_stem(self, Posting posting, stem, language) except -1:
        found = stem(posting.term)
        posting.stem = None if found is None else self.posting_of(found)
        posting.stem_language = language
        return 0

    cdef int put(self, Posting posting, uint32_t freq, int field) except -1:
        cdef TermTable terms = self.terms
        cdef Py_ssize_t before = posting.size
        cdef uint32_t total
        terms.posting_bytes -= posting.held()
        terms.position_bytes -= posting.offsets_size
        total = posting.add(self.doc, freq, field, self.position, self.keep_positions)
        terms.posting_bytes += posting.held()
        terms.position_bytes += posting.offsets_size
        if posting.size != before:
            self.records += 1
            terms.entries += 1
            terms.blocks += before % BLOCK_DOCS == 0
        if total > self.frequency_max:
            self.frequency_max = total
        return 0

    def add_term(self, bytes term, int field) -> None:
        """Add a term as it stands."""
        self.position += 1
        self.length += 1
        self.put(self.posting_of(term), 1, field)
