"""What the scopes of a token narrow, as SQL (SMART App Launch v2 §3.0.1): the rows of one patient,
and those that a search named in the scope finds, as ``Observation.rs?category=laboratory``.

It stands in the same WHERE as who may see what at all, so that a narrowed token counts, sorts,
includes and exports no row that it does not cover. It never opens anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from serai.fhir.search import own
from serai.fhir.search.criteria import Given, criterion
from serai.fhir.search.query import Keys
from serai.kernel.actor import Actor
from serai.kernel.errors import Malformed
from serai.platform.auth.scopes import Scope, parse_scope

# Types that describe the network, knowledge or vocabulary: no patient is found in them.
SHARED_TYPES = frozenset(
    {
        "ActivityDefinition", "CapabilityStatement", "ChargeItemDefinition", "CodeSystem",
        "CompartmentDefinition", "ConceptMap", "Endpoint", "EventDefinition", "Evidence",
        "EvidenceVariable", "ExampleScenario", "GraphDefinition", "HealthcareService",
        "ImplementationGuide", "InsurancePlan", "Library", "Location", "Measure", "Medication",
        "MedicationKnowledge", "MessageDefinition", "NamingSystem", "ObservationDefinition",
        "OperationDefinition", "Organization", "OrganizationAffiliation", "PlanDefinition",
        "Practitioner", "PractitionerRole", "Questionnaire", "ResearchDefinition",
        "ResearchElementDefinition", "SearchParameter", "SpecimenDefinition",
        "StructureDefinition", "StructureMap", "Substance", "TerminologyCapabilities",
        "TestScript", "ValueSet",
    }
)  # fmt: skip

SHARED_LIST = ", ".join(f"'{name}'" for name in sorted(SHARED_TYPES))

Clause = tuple[str, dict[str, Any]]

# What is about this patient and nobody else; the network's directory belongs to every record.
_INSIDE = f"""({{r}}.type IN ({SHARED_LIST})
    OR ({{r}}.patients <> '{{{{}}}}' AND {{r}}.patients <@ ARRAY[%(granted_patient)s]::text[]))"""

# Every version of a record is judged by what the current one says, as with security labels.
_FOUND = """EXISTS (SELECT 1 FROM fhir_resource granted
    WHERE granted.type = {r}.type AND granted.id = {r}.id AND {tests})"""


@dataclass(frozen=True, slots=True)
class _Some:
    """One scope with a search: the keys that a row must hold, several sets of them."""

    type: str
    inside: bool
    tests: tuple[Keys, ...]


@dataclass(frozen=True, slots=True)
class _Granted:
    """What scopes cover for one act: types whole, types inside the patient's record, and rows
    that a search finds. `*` among the types is every type."""

    whole: frozenset[str]
    inside: frozenset[str]
    some: tuple[_Some, ...]


def is_narrow(actor: Actor) -> bool:
    """Whether the scopes say more than which types."""
    return actor.patient is not None or _has_searches(actor.scopes)


def rules_of(actor: Actor) -> tuple[object, ...]:
    """What `narrowed` depends on."""
    return (actor.patient, actor.scopes) if is_narrow(actor) else ()


def unnarrowed(actor: Actor) -> Actor:
    """The same person, for asking what they see whatever the token covers."""
    return replace(actor, patient=None, scopes=frozenset()) if is_narrow(actor) else actor


def narrowed(seen: Clause, actor: Actor, alias: str, act: str) -> Clause:
    """The rows seen that the scopes cover for this act (one of c, r, u, d, s)."""
    if not is_narrow(actor):
        return seen
    visible, values = seen
    covered, more = clause(actor, alias, act)
    return f"({visible} AND {covered})", {**values, **more}


def clause(actor: Actor, alias: str, act: str) -> Clause:
    """What the scopes of a narrowed actor cover, as SQL."""
    granted = _granted(actor.scopes, act)
    if "*" in granted.whole:
        return "TRUE", {}
    ways: list[str] = []
    values: dict[str, Any] = {}
    inside = "FALSE" if actor.patient is None else _INSIDE.format(r=alias)
    if actor.patient is not None:
        values["granted_patient"] = actor.patient
    for name, types, more in (
        ("whole", granted.whole, "TRUE"),
        ("inside", granted.inside - {"*"}, inside),
    ):
        if types:
            values[f"granted_{act}_{name}"] = sorted(types)
            ways.append(f"({alias}.type = ANY (%(granted_{act}_{name})s::text[]) AND {more})")
    if "*" in granted.inside:
        ways.append(inside)
    for number, one in enumerate(granted.some):
        name = f"granted_{act}_{number}"
        values[name] = one.type
        tests = " AND ".join(_tests(one, name, values))
        found = _FOUND.format(r=alias, tests=tests)
        more = inside if one.inside else "TRUE"
        ways.append(f"({alias}.type = %({name})s AND {more} AND {found})")
    return f"({' OR '.join(ways) or 'FALSE'})", values


def require_understood(scope: Scope) -> None:
    """Malformed when the search of a scope is none that rows can be told apart by."""
    _searched(scope)


def _tests(one: _Some, name: str, values: dict[str, Any]) -> Iterator[str]:
    for number, keys in enumerate(one.tests):
        values[f"{name}_{number}"] = list(keys.keys)
        holds = f"granted.keys && %({name}_{number})s::bigint[]"
        yield f"NOT {holds}" if keys.negated else holds


@lru_cache(maxsize=1024)
def _has_searches(scopes: frozenset[str]) -> bool:
    return any("?" in one for one in scopes)


@lru_cache(maxsize=1024)
def _granted(scopes: frozenset[str], act: str) -> _Granted:
    covering = [one for one in _readable(scopes) if act in one.interactions]
    plain = [one for one in covering if not one.query]
    return _Granted(
        frozenset(one.resource_type for one in plain if one.level != "patient"),
        frozenset(one.resource_type for one in plain if one.level == "patient"),
        tuple(_searched(one) for one in covering if one.query),
    )


def _readable(scopes: frozenset[str]) -> Iterator[Scope]:
    """Sorted, so that one set of scopes is always one statement."""
    return (parse_scope(text) for text in sorted(scopes) if "/" in text)


def _searched(scope: Scope) -> _Some:
    given = datetime.min.replace(tzinfo=UTC)
    try:
        pairs = parse_qsl(scope.query, keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise Malformed("scope.search", scope=str(scope)[:100]) from error
    tests = [criterion(scope.resource_type, name, Given(value, given, "")) for name, value in pairs]
    keys = tuple(one for one in tests if isinstance(one, Keys))
    if len(keys) != len(tests):
        raise Malformed("scope.search", scope=str(scope)[:100])
    return _Some(scope.resource_type, scope.level == "patient", keys)


own.forgets(_granted.cache_clear)
