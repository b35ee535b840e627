"""What an operation is: a name, where it may be asked, and the function that answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from serai.fhir.interaction.asked import Asked, Reply, Scene

Level = Literal["system", "type", "instance", "version"]
Handler = Callable[[Scene, Asked], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Operation:
    """`name` comes without ``$``. `types` are the resource types it is asked of at type and
    instance level, empty for any. `writes` runs it in a transaction and refuses GET
    (OperationDefinition.affectsState); `definition` is its canonical URL, `documentation` what
    the CapabilityStatement says besides.
    """

    name: str
    handler: Handler
    levels: frozenset[Level]
    definition: str
    types: frozenset[str] = frozenset()
    writes: bool = False
    documentation: str = ""

    def is_asked_at(self, level: Level, resource_type: str | None) -> bool:
        if level not in self.levels:
            return False
        return resource_type is None or not self.types or resource_type in self.types
