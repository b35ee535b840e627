"""A CodeSystem resource (R4 §4.9) as concepts and edges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serai.fhir.body import Data
from serai.fhir.terminology import staging
from serai.fhir.terminology.staging import Concept
from serai.fhir.terminology.words import as_vector
from serai.platform.db import Connection

# How HL7's and other code systems say that a code is no longer to be used (R4 §4.9.12.1).
_INACTIVE = {"status=retired", "status=deprecated", "status=inactive", "inactive=true"}
_ABSTRACT = {"notSelectable=true", "abstract=true"}


async def stage(tx: Connection, systems: Sequence[tuple[int, Data]]) -> None:
    """Copies the concepts of several resources; `staging.begin` and `finish` stand around it."""
    async with staging.copying(tx, staging.COPY_CONCEPTS) as copy:
        for id, data in systems:
            for position, (one, _) in enumerate(walk(data.get("concept"))):
                await copy.concept(id, concept(one, position))
    async with staging.copying(tx, staging.COPY_EDGES) as copy:
        for id, data in systems:
            for child, parent in _edges(data):
                await copy.edge(id, child, parent)


def concept(one: Data, position: int) -> Concept:
    """One CodeSystem.concept, whatever stands below it left to its own turn."""
    facts = _facts(one.get("property", []))
    displays = [one.get("display", ""), *(each["value"] for each in one.get("designation", []))]
    return Concept(
        code=one["code"],
        display=one.get("display"),
        definition=one.get("definition"),
        inactive=not _INACTIVE.isdisjoint(facts),
        abstract=not _ABSTRACT.isdisjoint(facts),
        position=position,
        facts=sorted(facts),
        words=as_vector(displays),
        designations=one.get("designation", []),
        properties=one.get("property", []),
    )


def walk(concepts: list[Data] | None) -> Iterator[tuple[Data, str | None]]:
    """Every concept with the code that it stands under."""
    stack: list[tuple[Data, str | None]] = [(one, None) for one in reversed(concepts or [])]
    while stack:
        one, parent = stack.pop()
        yield one, parent
        stack += [(below, one["code"]) for below in reversed(one.get("concept", []))]


def _edges(data: Data) -> Iterator[tuple[str, str]]:
    """Child and parent: by nesting and by the properties R4 §4.9.12.1 defines."""
    for one, parent in walk(data.get("concept")):
        if parent is not None:
            yield one["code"], parent
        for each in one.get("property", []):
            if each["code"] == "parent":
                yield one["code"], value_of(each)
            elif each["code"] == "child":
                yield value_of(each), one["code"]


def _facts(properties: list[Data]) -> set[str]:
    facts = set()
    for one in properties:
        if one["code"] != "parent":
            facts |= {one["code"], f"{one['code']}={value_of(one)}"}
    return facts


def value_of(property: Data) -> str:
    """The text of value[x]; a Coding counts by its code."""
    value = next((each for name, each in property.items() if name.startswith("value")), "")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return str(value.get("code", ""))
    return str(value)
