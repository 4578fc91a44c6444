"""What a module is: a class that says what it brings."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import ClassVar

from balas.services.config.options import Option
from balas.types.value import Value

# Major and minor of `balas.api`: a module that was written for 1.0 runs with every 1.x.
API_VERSION = "1.0"


class Module:
    """Base of every module, bundled or from outside; one instance for each server that loads it.

    What a module has to remember lives in its instance, which commands find by its class:
    `ctx.service(MyModule)`. Methods marked with `hook` are called at the moments that
    `balas.host.hookspecs` names.

    Class attributes:
        name: what MODULE LIST shows and MODULE UNLOAD takes.
        version: an integer, by convention major * 10000 + minor * 100 + patch.
        api_version: the `balas.api` it was written for, such as "1.0"; a server that has less
            refuses it, and says so. Without one, nothing is compared.
        commands: Python modules that hold functions declared with `command`; if there are none, the
            one in which the class itself stands.
        types: the `Value` classes it brings.
        options: its settings, which CONFIG GET and SET know under their names.
        categories: ACL categories it adds.
        aux_name: nine characters, under which snapshots hold what its hook `aux_save` saves.
        aux_version: the version of that, 0 to 1023.
        aux_others: further such names with their versions, for who keeps several kinds of data
            beside the keys, as another server does. The hooks are called for each.

    Example:
        >>> class Demo(Module):
        ...     name = "demo"
        ...     version = 100
        ...     api_version = "1.0"
        >>> serve()("MODULE", "LIST")[0][:4]
        [b'name', b'demo', b'ver', 100]
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    api_version: ClassVar[str] = ""
    commands: ClassVar[tuple[ModuleType, ...]] = ()
    types: ClassVar[tuple[type[Value], ...]] = ()
    options: ClassVar[tuple[Option, ...]] = ()
    categories: ClassVar[tuple[str, ...]] = ()
    aux_name: ClassVar[str] = ""
    aux_version: ClassVar[int] = 0
    aux_others: ClassVar[Mapping[str, int]] = MappingProxyType({})

    @classmethod
    def aux_types(cls) -> dict[str, int]:
        """All names under which snapshots hold data of the module, with their versions."""
        return {**({cls.aux_name: cls.aux_version} if cls.aux_name else {}), **cls.aux_others}
