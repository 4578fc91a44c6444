"""The Lua interpreter of one server: the sandbox and the libraries in lua/, put together."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from importlib import resources
from typing import Any

from lupa import lua51

from balas import REDIS_VERSION
from balas.services.scripting.bridge import BAD_ARGUMENT, NO_ARGUMENT, Bridge, Chunk
from balas.services.scripting.frames import keep_frames

# Instructions between two looks at the clock.
WATCH_INSTRUCTIONS = 100_000
# cjson.null, which no script may be able to tell from a null pointer.
NULL = b"""
local null = newproxy(true)
local shared = getmetatable(null)
shared.__tostring = function() return "userdata: (nil)" end
shared.__metatable = false
return null
"""


class CompileError(Exception):
    """Source that is no Lua; the text says where."""


def source(name: str) -> bytes:
    """The text of one of the libraries."""
    return resources.files(__package__).joinpath("lua", name).read_bytes()


def refuse(target: object, name: object, setting: bool) -> object:
    """No attribute of an object of this language may be seen from Lua."""
    raise AttributeError("scripts see no objects of the server")


def float_bytes(value: float) -> bytes:
    """Four bytes of a float; of one that is too large those of infinity."""
    try:
        return struct.pack(">f", value)
    except OverflowError:
        return struct.pack(">f", float("inf") if value > 0 else float("-inf"))


class Interpreter:
    """Compiles and runs what scripts consist of.

    Args:
        services: `log`, `setresp`, `set_repl` and `acl_check` of the sandbox.
        tick: called every so often while a script runs; returns a text to end it.
    """

    def __init__(
        self,
        services: dict[str, Callable[..., Any]],
        tick: Callable[[], bytes | None],
    ) -> None:
        self._lua = lua51.LuaRuntime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            unpack_returned_tuples=True,
            attribute_filter=refuse,
        )
        self._bridge = Bridge(self._lua, lua51.__file__)
        server = {
            b"caller": self._bridge.caller,
            b"sha1": lambda text: hashlib.sha1(text).hexdigest().encode(),
            b"version": REDIS_VERSION.encode(),
            b"version_number": version_number(REDIS_VERSION),
            b"no_words": NO_ARGUMENT.encode(),
            b"bad_words": BAD_ARGUMENT.encode(),
            b"libraries": self._libraries(),
            **{name.encode(): function for name, function in services.items()},
        }
        sandbox = self._chunk("sandbox.lua")(self._lua.table_from(server))
        self._bridge.settle(sandbox[b"explain"], sandbox[b"globals"])
        self._compile = sandbox[b"compile"]
        self._load_library = sandbox[b"load_library"]
        sandbox[b"watch"](tick, WATCH_INSTRUCTIONS)

    def _chunk(self, name: str) -> Any:
        return self._lua.execute(b"return loadstring(...)", source(name), b"=" + name.encode())

    def _libraries(self) -> Any:
        floats = (
            lambda value: struct.pack(">d", value),
            lambda data: struct.unpack(">d", data)[0],
            float_bytes,
            lambda data: struct.unpack(">f", data)[0],
        )
        null = self._lua.execute(NULL)
        arguments = self._chunk("arguments.lua")()
        return self._lua.table_from(
            {
                b"cjson": self._chunk("cjson.lua")(
                    arguments, null, self._bridge.decode, self._bridge.encode
                ),
                b"cmsgpack": self._chunk("cmsgpack.lua")(
                    arguments, self._bridge.unpack, self._bridge.pack, floats[1], floats[3]
                ),
                b"math": self._chunk("random.lua")(arguments),
                b"struct": self._chunk("struct.lua")(arguments, *floats),
                b"bit": self._chunk("bit.lua")(
                    arguments,
                    floats[0],
                    lambda a, b: int(a) & int(b),
                    lambda a, b: int(a) | int(b),
                    lambda a, b: int(a) ^ int(b),
                ),
            }
        )

    def compile(self, text: bytes, name: bytes) -> Any:
        """A function of source text, `name` being how its errors call it. Raises CompileError."""
        chunk, message = self._compile(keep_frames(text), name)
        if chunk is None:
            raise CompileError(message.decode("utf-8", "surrogateescape"))
        return chunk

    def keep_script(self, chunk: Any) -> Chunk:
        """A compiled script, ready to be run."""
        return self._bridge.keep(chunk)

    def keep_function(self, callback: Any) -> Chunk:
        """A registered function, ready to be run."""
        return self._bridge.keep(callback, takes_words=True)

    def load_library(self, chunk: Any, register: Callable[..., bytes | None]) -> bytes | None:
        """Run a library, which tells `register` of its functions: name, function, description or
        None, flags. Returns the error it ends with, or None.
        """
        fine, problem = self._load_library(chunk, register)
        return None if fine else problem

    @property
    def memory_bytes(self) -> int:
        """What the interpreter holds."""
        return self._bridge.memory_bytes


def version_number(version: str) -> int:
    """8.2.3 as 0x080203."""
    major, minor, patch = (int(part) for part in version.split("."))
    return major << 16 | minor << 8 | patch
