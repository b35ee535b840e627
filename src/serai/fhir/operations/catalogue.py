"""Every operation this server offers; the dispatcher and the CapabilityStatement read this list."""

from __future__ import annotations

from typing import Final

from serai.fhir.operations import export, importing, reindex
from serai.fhir.operations.operation import Level, Operation

OPERATIONS: Final[tuple[Operation, ...]] = (
    *export.OPERATIONS,
    importing.OPERATION,
    reindex.OPERATION,
)


def named(name: str, level: Level, resource_type: str | None) -> Operation | None:
    """The operation asked for at that level, if there is one."""
    for one in OPERATIONS:
        if one.name == name and one.is_asked_at(level, resource_type):
            return one
    return None
