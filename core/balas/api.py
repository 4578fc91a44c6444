"""THE import for module authors: everything a module needs, and nothing that may change under it.

>>> from balas.api import Context, Module, Value, command, key, READONLY, FAST

What is exported here stays: a name or verb goes only after a minor version in which its use warned
with a `BalasDeprecationWarning`. docs/api.md lists it all.

`help()` of any of these shows an example. In it, `serve()` stands for whatever loads what is above
it as a module into a server, and returns a client.
"""

from balas.engine.context import Context
from balas.errors import (
    NOT_A_FLOAT,
    NOT_AN_INTEGER,
    SYNTAX,
    WRONG_TYPE,
    BadData,
    NotUnderstood,
    ReplyError,
)
from balas.host.attachment import Attachment, Change, Following
from balas.host.deprecation import BalasDeprecationWarning
from balas.host.hookspecs import hook
from balas.host.module import API_VERSION, Module
from balas.protocol.replies import (
    NO_REPLY,
    NULL_ARRAY,
    OK,
    BigNumber,
    Encoded,
    Pairs,
    Push,
    Reply,
    SetReply,
    Status,
    Verbatim,
)
from balas.registry import (
    Arguments,
    command,
    container,
    integer,
    key,
    key_count,
    keys,
    number,
    unknown_keys,
)
from balas.registry.flags import (
    ACCESS,
    ADMIN,
    BLOCKING,
    DELETE,
    DENYOOM,
    FAST,
    INSERT,
    LOADING,
    NOSCRIPT,
    OW,
    READONLY,
    RM,
    RO,
    RW,
    STALE,
    UPDATE,
    VARIABLE_FLAGS,
    WRITE,
)
from balas.services.acl.users import Acl
from balas.services.config.grammar import BadValue
from balas.services.config.kinds import Kind
from balas.services.config.options import Option
from balas.services.config.store import Config
from balas.services.rdb.module_values import pack as dump_payload
from balas.types.digest import Digest
from balas.types.streams import LoadStream, SaveStream
from balas.types.value import Value

api_version = API_VERSION

__all__ = [
    "ACCESS",
    "ADMIN",
    "BLOCKING",
    "DELETE",
    "DENYOOM",
    "FAST",
    "INSERT",
    "LOADING",
    "NOSCRIPT",
    "NOT_AN_INTEGER",
    "NOT_A_FLOAT",
    "NO_REPLY",
    "NULL_ARRAY",
    "OK",
    "OW",
    "READONLY",
    "RM",
    "RO",
    "RW",
    "STALE",
    "SYNTAX",
    "UPDATE",
    "VARIABLE_FLAGS",
    "WRITE",
    "WRONG_TYPE",
    "Acl",
    "Arguments",
    "Attachment",
    "BadData",
    "BadValue",
    "BalasDeprecationWarning",
    "BigNumber",
    "Change",
    "Config",
    "Context",
    "Digest",
    "Encoded",
    "Following",
    "Kind",
    "LoadStream",
    "Module",
    "NotUnderstood",
    "Option",
    "Pairs",
    "Push",
    "Reply",
    "ReplyError",
    "SaveStream",
    "SetReply",
    "Status",
    "Value",
    "Verbatim",
    "api_version",
    "command",
    "container",
    "dump_payload",
    "hook",
    "integer",
    "key",
    "key_count",
    "keys",
    "number",
    "unknown_keys",
]
