"""Libraries of functions: loaded once, kept with the data, and called by name with FCALL."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from balas.errors import BadData, ReplyError
from balas.protocol.parser import split_words
from balas.services.rdb.format import Opcode, dump_open, dump_seal
from balas.services.rdb.reader import RdbReader
from balas.services.rdb.writer import RdbWriter
from balas.services.scripting.bridge import Chunk, one_line
from balas.services.scripting.interpreter import CompileError, Interpreter
from balas.services.scripting.scripts import (
    FLAG_NAMES,
    Script,
    Scripting,
    without_first_line,
)

NAME = re.compile(rb"[A-Za-z0-9_]+\Z")
BAD_NAME = (
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one "
    "character long"
)
# How long a library may take to load.
LOAD_MAX_S = 0.5
# What a library and a function take beside their text, roughly.
LIBRARY_BYTES, FUNCTION_BYTES = 600, 400
BAD_PAYLOAD = "ERR DUMP payload version or checksum are wrong"


@dataclass(eq=False)
class Function:
    """A function of a library, `script` being what runs."""

    name: bytes
    script: Script
    flags: tuple[bytes, ...]
    description: bytes | None = None


@dataclass(eq=False)
class Library:
    """A library as it was loaded: its name, its text, and its functions by name."""

    name: bytes
    code: bytes
    functions: dict[bytes, Function] = field(default_factory=dict)


class Functions:
    """The libraries of one server.

    They have an interpreter of their own, so that SCRIPT FLUSH leaves them alone.

    Attributes:
        libraries: by name.
        functions: by name in lower case, since they are called by it in any case.
    """

    def __init__(self, scripting: Scripting) -> None:
        self._scripting = scripting
        self._made: Interpreter | None = None
        self.libraries: dict[bytes, Library] = {}
        self.functions: dict[bytes, Function] = {}
        scripting.flag_finders.update(fcall=self._flags_of, fcall_ro=self._flags_of)

    def _flags_of(self, name: bytes) -> int | None:
        function = self.functions.get(name.lower())
        return function.script.flags if function is not None else None

    @property
    def interpreter(self) -> Interpreter:
        """The interpreter, made when it is first needed."""
        if self._made is None:
            self._made = self._scripting.new_interpreter()
        return self._made

    @property
    def memory_bytes(self) -> int:
        """What the interpreter holds; 0 before it is made."""
        return self._made.memory_bytes if self._made is not None else 0

    @property
    def text_bytes(self) -> int:
        """About what is kept of libraries and functions outside the interpreter."""
        code = sum(len(library.code) + LIBRARY_BYTES for library in self.libraries.values())
        return code + FUNCTION_BYTES * len(self.functions)

    def flush(self) -> None:
        """Forget all libraries."""
        self.libraries, self.functions, self._made = {}, {}, None

    def load(self, code: bytes, *, replace: bool = False) -> bytes:
        """Load a library from its text; returns its name. Raises ReplyError."""
        name = library_name(code)
        if name in self.libraries and not replace:
            raise ReplyError(f"ERR Library '{name.decode()}' already exists")
        library = self._make(name, code)
        self._refuse_collisions(library)
        self._put(library)
        return name

    def delete(self, name: bytes) -> None:
        """Forget a library. Raises ReplyError if there is none."""
        if name not in self.libraries:
            raise ReplyError("ERR Library not found")
        self._drop(name)

    def dump(self) -> bytes:
        """All libraries as a payload for `restore`."""
        out = RdbWriter()
        self.save(out, False)
        return dump_seal(out.take())

    def restore(self, payload: bytes, policy: bytes) -> None:
        """Load the libraries of a payload: all of them or none. Raises ReplyError.

        `policy` is what becomes of those that are there: flush, append or replace.
        """
        codes = list(codes_of(payload))
        before = dict(self.libraries), dict(self.functions), self._made
        if policy == b"flush":
            self.libraries, self.functions = {}, {}
        try:
            for code in codes:
                name = library_name(code)
                if name in self.libraries and policy != b"replace":
                    raise ReplyError(f"ERR Library {name.decode()} already exists")
                self.load(code, replace=True)
        except ReplyError:
            self.libraries, self.functions, self._made = before
            raise

    def _make(self, name: bytes, code: bytes) -> Library:
        interpreter, scripting = self.interpreter, self._scripting
        library = Library(name, code)
        try:
            chunk = interpreter.compile(without_first_line(code), b"@user_function")
        except CompileError as error:
            text = one_line(str(error).encode("utf-8", "surrogateescape"))
            raise ReplyError(f"ERR Error compiling function: {text}") from None

        def register(
            name: bytes, callback: Any, description: bytes | None = None, *flags: bytes
        ) -> bytes | None:
            return add_function(
                library, name, interpreter.keep_function(callback), description, flags
            )

        scripting.load_deadline_s = time.monotonic() + LOAD_MAX_S
        try:
            problem = interpreter.load_library(chunk, register)
        finally:
            scripting.load_deadline_s = 0.0
        if problem is not None:
            raise ReplyError(f"ERR Error registering functions: {one_line(problem)}")
        if not library.functions:
            raise ReplyError("ERR No functions registered")
        return library

    def _refuse_collisions(self, library: Library) -> None:
        former = self.libraries.get(library.name)
        own = former.functions if former is not None else {}
        for name in library.functions:
            known = self.functions.get(name.lower())
            if known is not None and known.name not in own:
                raise ReplyError(f"ERR Function {name.decode()} already exists")

    def _put(self, library: Library) -> None:
        if library.name in self.libraries:
            self._drop(library.name)
        self.libraries[library.name] = library
        for name, function in library.functions.items():
            self.functions[name.lower()] = function

    def _drop(self, name: bytes) -> None:
        for function in self.libraries.pop(name).functions:
            self.functions.pop(function.lower(), None)

    # --- with the data ---------------------------------------------------------------------------

    def save(self, out: RdbWriter, after_keys: bool) -> None:
        """Write the libraries to a snapshot, before its keys."""
        if not after_keys:
            for library in self.libraries.values():
                out.write_function(library.code)

    def take(self, codes: list[bytes]) -> None:
        """Have the libraries of a snapshot in place of one's own. Raises BadData."""
        self.flush()
        try:
            for code in codes:
                self.load(code)
        except ReplyError as error:
            raise BadData(f"a library of functions cannot be loaded: {error.text}") from error

    def rebuild(self) -> Iterable[tuple[bytes, ...]]:
        """The commands that load the libraries, for a log of commands."""
        for library in self.libraries.values():
            yield b"FUNCTION", b"LOAD", library.code


def add_function(
    library: Library,
    name: bytes,
    callback: Chunk,
    description: bytes | None,
    flags: tuple[bytes, ...],
) -> bytes | None:
    """Add a function to a library that is being loaded; returns what is wrong with it, or None."""
    bits = 0
    for flag in flags:
        if flag not in FLAG_NAMES:
            return b"unknown flag given"
        bits |= FLAG_NAMES[flag]
    if not NAME.match(name):
        return BAD_NAME.encode()
    if name in library.functions:
        return b"Function already exists in the library"
    script = Script(name.decode(), callback, flags=bits, is_function=True)
    named = tuple(flag for flag, bit in FLAG_NAMES.items() if bits & bit)
    library.functions[name] = Function(name, script, named, description)
    return None


def library_name(code: bytes) -> bytes:
    """The name in a library's first line, "#!lua name=...". Raises ReplyError."""
    if not code.startswith(b"#!"):
        raise ReplyError("ERR Missing library metadata")
    first, newline, _ = code.partition(b"\n")
    words = split_words(first) if newline else None
    if not words:
        raise ReplyError("ERR Invalid library metadata")
    name: bytes | None = None
    for word in words[1:]:
        if word[:5].lower() != b"name=":
            raise ReplyError(f"ERR Invalid metadata value given: {one_line(word)}")
        if name is not None:
            raise ReplyError("ERR Invalid metadata value, name argument was given multiple times")
        name = word[5:]
    if name is None:
        raise ReplyError("ERR Library name was not given")
    engine = words[0][2:]
    if engine.lower() != b"lua":
        raise ReplyError(f"ERR Engine '{one_line(engine)}' not found")
    if not NAME.match(name):
        raise ReplyError(f"ERR {BAD_NAME}")
    return name


def codes_of(payload: bytes) -> Iterator[bytes]:
    """The texts of the libraries in a payload. Raises ReplyError."""
    try:
        body = dump_open(payload)
        reader = RdbReader(body)
        while reader.position < len(body):
            if reader.read_byte() != Opcode.FUNCTION:
                raise ReplyError("ERR given type is not a function")
            yield reader.read_string()
    except BadData:
        raise ReplyError(BAD_PAYLOAD) from None
