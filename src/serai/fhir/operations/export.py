"""$export of the system, of all patients or of a group (Bulk Data Access IG 2.0)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from serai.fhir.definitions import RESOURCE_TYPES
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.given import Given, given
from serai.fhir.operations.operation import Operation
from serai.fhir.operations.reindex import accepted
from serai.fhir.search.extract import compartment
from serai.fhir.search.parsing import RESULT_PARAMETERS
from serai.fhir.search.subsets import element_keys
from serai.kernel.actor import Kind
from serai.kernel.errors import Forbidden, Malformed
from serai.platform import audit, jobs

FORMATS = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
KNOWN = ("_outputFormat", "_since", "_type", "_typeFilter", "_elements", "patient", "_format")
# Known to the IG; leaving one of them out would answer another question than was asked.
REFUSED = ("_until", "includeAssociatedData", "organizeOutputBy")
# Several in one parameter; a comma elsewhere belongs to a search value.
NEXT_FILTER = re.compile(r",(?=[A-Z][A-Za-z]+\?)")
IN_COMPARTMENT = frozenset({"Patient", *(kind for kind in RESOURCE_TYPES if compartment(kind))})


async def of_system(scene: Scene, asked: Asked) -> Reply:
    return await _export(scene, asked, "system", frozenset(RESOURCE_TYPES), None)


async def of_patients(scene: Scene, asked: Asked) -> Reply:
    return await _export(scene, asked, "patient", IN_COMPARTMENT, _patients(_given(asked)))


async def of_group(scene: Scene, asked: Asked) -> Reply:
    """The members as they are when it is asked."""
    group = await scene.store.read(scene.connection, "Group", asked.path[1], actor=scene.actor)
    members = [
        member.get("entity", {}).get("reference", "")
        for member in group.data.get("member", ())
        if not member.get("inactive")
    ]
    ids = {one.removeprefix("Patient/") for one in members if one.startswith("Patient/")}
    wanted = _patients(_given(asked))
    if wanted is not None:
        ids &= set(wanted)
    return await _export(scene, asked, "group", IN_COMPARTMENT, sorted(ids))


async def _export(
    scene: Scene, asked: Asked, level: str, offered: frozenset[str], patients: list[str] | None
) -> Reply:
    asked_for = _given(asked)
    if not asked.prefer.respond_async:
        raise Malformed("bulk.prefer-async")
    if scene.actor.kind is Kind.STAFF:
        raise Forbidden("bulk.machines-only")
    if level == "system" and asked_for.all("patient"):
        raise Malformed("operation.unknown-parameter", parameter="patient")
    if asked_for.one("_outputFormat") not in (None, *FORMATS):
        raise Malformed("bulk.format")
    types = _types(scene, asked_for, offered)
    parameters: dict[str, Any] = {
        "level": level,
        "types": types,
        "elements": _elements(asked_for, types),
        "filters": await _filters(scene, asked_for, types),
        "since": _since(asked_for),
        "patients": patients,
        "request": _request(asked),
    }
    async with scene.connection.transaction():
        job = await jobs.ask(scene.connection, "export", parameters, **scene.who)
        await audit.record(
            scene.connection,
            actor=scene.actor,
            act="fhir.export",
            at=scene.now,
            resource=f"job/{job}",
        )
    return accepted(asked.base, job)


def _given(asked: Asked) -> Given:
    found = given(asked)
    for name in REFUSED:
        if found.all(name):
            raise Malformed("bulk.not-offered", parameter=name)
    if found.body is not None or (asked.method == "GET" and found.all("patient")):
        raise Malformed("bulk.parameters")
    return found.only(*KNOWN)


def _types(scene: Scene, asked_for: Given, offered: frozenset[str]) -> list[str]:
    """What is named must be allowed; of everything, what is allowed."""
    named = {part for text in asked_for.all("_type") for part in str(text).split(",")}
    for kind in sorted(named):
        if kind not in offered:
            raise Malformed("bulk.type", type=kind[:64])
        if not _may_export(scene, kind):
            raise Forbidden("fhir.scope", interaction="rs", type=kind)
    allowed = [kind for kind in sorted(named or offered) if _may_export(scene, kind)]
    if not allowed:
        raise Forbidden("fhir.scope", interaction="rs", type="*")
    return allowed


async def _filters(
    scene: Scene, asked_for: Given, types: list[str]
) -> dict[str, list[list[tuple[str, str]]]] | None:
    """The searches of each type, tried once: what search would refuse is refused here."""
    found: dict[str, list[list[tuple[str, str]]]] = {}
    for text in asked_for.all("_typeFilter"):
        for one in NEXT_FILTER.split(str(text)):
            kind, _, query = one.partition("?")
            pairs = parse_qsl(query, keep_blank_values=True)
            if kind not in types or not pairs or {name for name, _ in pairs} & RESULT_PARAMETERS:
                raise Malformed("bulk.type-filter")
            counted = [*pairs, ("_count", "0")]
            await scene.store.search(scene.connection, kind, counted, actor=scene.actor)
            found.setdefault(kind, []).append(pairs)
    return found or None


def _elements(asked_for: Given, types: list[str]) -> dict[str, list[str]] | None:
    """The keys to keep of each type that `_elements` speaks of: those named with the type, and
    those without one, which hold for every type (IG, "_elements")."""
    named = {part for text in asked_for.all("_elements") for part in str(text).split(",")}
    if not named:
        return None
    wanted = [one.rpartition(".") for one in sorted(named)]
    found = [(of, keys_of_one) for of, _, name in wanted if (keys_of_one := _keys(of, name, types))]
    if len(found) != len(wanted):
        raise Malformed("search.elements")
    everywhere = any(not of for of, _ in found)
    spoken_of = types if everywhere else [kind for kind in types if kind in {of for of, _ in found}]
    return {
        kind: sorted(frozenset().union(*(keys.get(kind, ()) for _, keys in found)))
        for kind in spoken_of
    }


def _keys(of: str, name: str, types: list[str]) -> dict[str, frozenset[str]]:
    """By type; empty when no exported type has such an element."""
    candidates = [kind for kind in types if of in ("", kind)]
    found = {kind: element_keys(kind, [name]) for kind in candidates}
    return {kind: keys for kind, keys in found.items() if keys is not None}


def _may_export(scene: Scene, kind: str) -> bool:
    return scene.actor.may("r", kind) and scene.actor.may("s", kind)


def _since(asked_for: Given) -> str | None:
    text = asked_for.text("_since")
    if text is None:
        return None
    try:
        # A + in an address arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise Malformed("bulk.since") from error
    if moment.tzinfo is None:
        raise Malformed("bulk.since")
    return moment.astimezone(UTC).isoformat()


def _patients(asked_for: Given) -> list[str] | None:
    """Ids of the Patients named; those the client may not see will simply not be found."""
    references = asked_for.all("patient")
    if not references:
        return None
    return sorted(map(_patient, references))


def _patient(reference: object) -> str:
    text = reference.get("reference") if isinstance(reference, dict) else None
    if not isinstance(text, str) or not text.startswith("Patient/"):
        raise Malformed("operation.bad-parameter", parameter="patient", expected="a Patient/id")
    return text.removeprefix("Patient/")


def _request(asked: Asked) -> str:
    address = f"{asked.base}/{'/'.join(asked.path)}"
    return f"{address}?{urlencode(asked.params)}" if asked.params else address


_IG = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition"

OPERATIONS = (
    Operation("export", of_system, frozenset({"system"}), f"{_IG}/export"),
    Operation(
        "export", of_patients, frozenset({"type"}), f"{_IG}/patient-export", frozenset({"Patient"})
    ),
    Operation(
        "export", of_group, frozenset({"instance"}), f"{_IG}/group-export", frozenset({"Group"})
    ),
)
