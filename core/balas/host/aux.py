"""What modules keep in a snapshot beside their values: the opcode MODULE_AUX of RDB files.

Data of a module that is not loaded are kept as they were read, saved again with every snapshot, and
given to the module when it comes. So are data that the module does not understand, such as those of
another version or of a namesake: they are told in the log, and never dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from balas.engine.faults import FAULTS
from balas.errors import BadData, NotUnderstood
from balas.host.errors import reason
from balas.host.hooks import Hooks
from balas.host.module import Module
from balas.services.loading import ModuleAux
from balas.services.log import Log
from balas.services.rdb.format import module_type_id, module_type_name
from balas.services.rdb.reader import RdbReader
from balas.services.rdb.writer import RdbWriter


class Aux:
    """Saves and loads what belongs to no key.

    `kept` are the chunks that wait for a module that takes them: the id of its type, whether they
    stand behind the keys, and their items with the end.
    """

    def __init__(self, hooks: Hooks, log: Log) -> None:
        self._hooks = hooks
        self._log = log
        self.kept: list[ModuleAux] = []

    def save(self, writer: RdbWriter, modules: Iterable[Module], after_keys: bool) -> None:
        """Write all there is for this side of the keys. What a module raises is passed on."""
        chunks = [chunk for module in modules for chunk in self.chunks(module, (after_keys,))]
        for module_id, behind, items in (*chunks, *self.kept):
            if behind == after_keys:
                writer.begin_module_aux(module_id, after_keys)
                writer.write_raw(items)

    def chunks(self, module: Module, sides: Iterable[bool] = (False, True)) -> list[ModuleAux]:
        """What a module saves, for each side of the keys. What it raises is passed on."""
        found = []
        for name, version in module.aux_types().items():
            module_id = module_type_id(name, version)
            for after_keys in sides:
                writer = RdbWriter()
                items = writer.begin_module_aux(module_id, after_keys)
                head = writer.written
                self._hooks.call(module, "aux_save", out=items, after_keys=after_keys, name=name)
                if writer.written > head:
                    items.end()
                    found.append((module_id, after_keys, writer.take()[head:]))
        return found

    def load(self, chunks: Iterable[ModuleAux], modules: Iterable[Module]) -> None:
        """Give the chunks of a data set to their modules, and keep the others. Raises BadData."""
        by_name = {name: module for module in modules for name in module.aux_types()}
        self.kept = []
        for chunk in chunks:
            module = by_name.get(owner_of(chunk))
            self.kept += [chunk] if module is None else self.give(module, (chunk,))

    def waiting_for(self, module: Module) -> list[ModuleAux]:
        """The chunks that were kept for a module."""
        return [chunk for chunk in self.kept if owner_of(chunk) in module.aux_types()]

    def kept_bytes(self) -> dict[str, int]:
        """How much is kept, by the name of the type of the module it waits for."""
        found: Counter[str] = Counter()
        for chunk in self.kept:
            found[owner_of(chunk)] += len(chunk[2])
        return dict(sorted(found.items()))

    def give(self, module: Module, chunks: Iterable[ModuleAux]) -> list[ModuleAux]:
        """Have a module load what it saved; returns the chunks that it does not understand.

        Raises BadData.
        """
        foreign = []
        for chunk in chunks:
            name, version = module_type_name(chunk[0])
            try:
                self._give(module, chunk, name, version)
            except NotUnderstood as error:
                foreign.append(chunk)
                self._log.warning(
                    f"Module '{module.name}' does not understand what was saved beside the keys as "
                    f"version {version} of '{name}' ({error}). It is kept as it is."
                )
        return foreign

    def _give(self, module: Module, chunk: ModuleAux, name: str, version: int) -> None:
        _, after_keys, data = chunk
        items = RdbReader(data).begin_module_value()
        try:
            self._hooks.call(
                module, "aux_load", source=items, version=version, after_keys=after_keys, name=name
            )
        except BadData:
            raise
        except FAULTS as error:
            raise BadData(f"module '{module.name}', hook aux_load: {reason(error)}") from error
        items.end()


def owner_of(chunk: ModuleAux) -> str:
    """The name under which a module saved a chunk."""
    return module_type_name(chunk[0])[0]
