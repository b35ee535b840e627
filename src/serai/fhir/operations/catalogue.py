"""Every operation this server offers; the dispatcher and the CapabilityStatement read this list."""

from __future__ import annotations

from typing import Final

from serai.fhir.operations import (
    diff,
    document,
    everything,
    export,
    importing,
    lastn,
    match,
    meta,
    reindex,
    subscription_binding,
    subscription_events,
    subscription_letters,
    subscription_status,
    summary,
)
from serai.fhir.operations.closure import CLOSURE
from serai.fhir.operations.expand import EXPAND
from serai.fhir.operations.lookup import LOOKUP
from serai.fhir.operations.operation import Level, Operation
from serai.fhir.operations.subsumes import SUBSUMES
from serai.fhir.operations.translate import TRANSLATE
from serai.fhir.operations.validate import VALIDATE
from serai.fhir.operations.validate_code import VALIDATE_IN_SYSTEM, VALIDATE_IN_VALUE_SET

OPERATIONS: Final[tuple[Operation, ...]] = (
    VALIDATE,
    everything.PATIENT,
    everything.ENCOUNTER,
    summary.SUMMARY,
    match.MATCH,
    lastn.LASTN,
    document.DOCUMENT,
    diff.DIFF,
    meta.META,
    meta.META_ADD,
    meta.META_DELETE,
    CLOSURE,
    EXPAND,
    LOOKUP,
    SUBSUMES,
    TRANSLATE,
    VALIDATE_IN_SYSTEM,
    VALIDATE_IN_VALUE_SET,
    *export.OPERATIONS,
    importing.OPERATION,
    reindex.OPERATION,
    subscription_status.OPERATION,
    subscription_binding.OPERATION,
    subscription_events.OPERATION,
    *subscription_letters.OPERATIONS,
)


def named(name: str, level: Level, resource_type: str | None) -> Operation | None:
    """The operation asked for at that level, if there is one."""
    for one in OPERATIONS:
        if one.name == name and one.is_asked_at(level, resource_type):
            return one
    return None
