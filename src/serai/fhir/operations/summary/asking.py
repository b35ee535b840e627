"""Gathers what the actor may read of the patient and makes the document of it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from serai.fhir.body import Data, decode, encode
from serai.fhir.interaction.asked import Asked, Reply, Scene
from serai.fhir.operations.everything.compartment import Compartment
from serai.fhir.operations.everything.supporting import (
    Reference,
    closure,
    references,
    supporting_types,
)
from serai.fhir.operations.everything.wanted import MOST_COUNT, Wanted
from serai.fhir.operations.given import given
from serai.fhir.operations.operation import Operation
from serai.fhir.operations.summary import narrative
from serai.fhir.operations.summary.absent import completed
from serai.fhir.operations.summary.sections import (
    SECTIONS,
    TYPES,
    Section,
    section_of,
    within_bounds,
)
from serai.fhir.visibility import require
from serai.kernel.clock import instant
from serai.kernel.errors import Malformed, NotFound
from serai.kernel.ids import new_id

IPS: Final = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"
COMPOSITION: Final = "http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips"
TITLES: Final = {"en": "International Patient Summary", "zh": "国际患者摘要"}
EMPTY: Final = "http://terminology.hl7.org/CodeSystem/list-empty-reason"
# Beside supporting resources, what results are made of.
ALSO_POINTED_TO: Final = frozenset({"Observation", "Specimen"})


@dataclass(frozen=True, slots=True)
class Gathered:
    """The patient, the members by section (newest first), of how many they are, and what they
    point to."""

    patient: bytes
    members: dict[str, list[Data]]
    counts: dict[str, int]
    contents: dict[Reference, bytes]
    pointed: dict[Reference, bytes]


async def summary(scene: Scene, asked: Asked) -> Reply:
    """Of the patient in the address, or of the one with that identifier."""
    params = given(asked).only("identifier", "profile", "language")
    profile = params.text("profile")
    if params.body is not None or profile not in (None, IPS, COMPOSITION):
        raise Malformed("operation.bad-parameter", parameter="profile", expected=IPS)
    language = params.text("language") or "en"
    if language not in TITLES:
        raise Malformed(
            "operation.bad-parameter", parameter="language", expected=" or ".join(TITLES)
        )
    id = await _patient_id(scene, asked, params.text("identifier"))
    found = await gather(scene, id, base=asked.base)
    return Reply(200, document(found, base=asked.base, now=scene.now, language=language))


async def _patient_id(scene: Scene, asked: Asked, identifier: str | None) -> str:
    if len(asked.path) == 3:
        if identifier is not None:
            raise Malformed("operation.unknown-parameter", parameter="identifier")
        return asked.path[1]
    if identifier is None:
        raise Malformed("operation.parameter-missing", parameter="identifier")
    require(scene.actor, "s", "Patient")
    pairs = (("identifier", identifier),)
    found = await scene.store.only_match(scene.connection, "Patient", pairs, actor=scene.actor)
    if found is None:
        raise NotFound("fhir.not-found", resource="Patient")
    return found.id


async def gather(scene: Scene, id: str, *, base: str) -> Gathered:
    """One walk over the compartment, in pages; only what goes into a section is kept."""
    patient = await scene.store.read(scene.connection, "Patient", id, actor=scene.actor)
    wanted = Wanted(None, None, None, TYPES, MOST_COUNT, None, ())
    members: defaultdict[str, list[Data]] = defaultdict(list)
    contents: dict[Reference, bytes] = {}
    after: tuple[str, str] | None = None
    more = True
    while more:
        page = await Compartment("Patient", id).page(
            scene.connection, wanted, actor=scene.actor, after=after
        )
        for row in page.rows:
            data = decode(row.content)
            if section := section_of(data):
                members[section].append(data)
                contents[row.type, row.id] = row.content
        more = page.more
        after = (page.rows[-1].rank, page.rows[-1].id) if page.rows else None
    shown = {name: _newest(several) for name, several in members.items()}
    kept = {(one["resourceType"], one["id"]) for several in shown.values() for one in several}
    contents = {one: content for one, content in contents.items() if one in kept}
    wave = {
        one
        for one in references([patient.raw, *contents.values()], base)
        if one[0] in supporting_types() | ALSO_POINTED_TO and one not in contents
    }
    pointed = await closure(scene.connection, wave, actor=scene.actor, base=base)
    pointed = {one: content for one, content in pointed.items() if one not in contents}
    counts = {name: len(several) for name, several in members.items()}
    return Gathered(patient.raw, shown, counts, contents, pointed)


def _newest(several: list[Data]) -> list[Data]:
    ordered = sorted(several, key=narrative.when, reverse=True)
    return within_bounds(ordered)


def document(found: Gathered, *, base: str, now: datetime, language: str) -> bytes:
    """The Bundle; stored resources go in as they are, and their relative references resolve
    against their fullUrl (R4 §2.36.4.1). The Composition's are written out in full."""
    author = {"resourceType": "Device", "id": new_id(), "deviceName": [
        {"name": "Serai", "type": "manufacturer-name"}
    ]}  # fmt: skip
    author_url = f"urn:uuid:{author['id']}"
    composition = _composition(found, author_url, base=base, now=now, language=language)
    patient = decode(found.patient)
    entries: list[dict[str, Any]] = [
        {"fullUrl": f"urn:uuid:{composition['id']}", "resource": composition},
        {"fullUrl": f"{base}/Patient/{patient['id']}", "resource": completed(found.patient)},
        {"fullUrl": author_url, "resource": author},
    ]
    entries += [
        {"fullUrl": f"{base}/{kind}/{id}", "resource": msgspec.Raw(content)}
        for (kind, id), content in (found.contents | found.pointed).items()
    ]
    bundle = {
        "resourceType": "Bundle",
        "id": new_id(),
        "meta": {"profile": [IPS]},
        "language": language,
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{new_id()}"},
        "type": "document",
        "timestamp": instant(now),
        "entry": entries,
    }
    return encode(bundle)


def _composition(
    found: Gathered, author: str, *, base: str, now: datetime, language: str
) -> dict[str, Any]:
    patient = decode(found.patient)
    pointed = {f"{kind}/{id}": decode(one) for (kind, id), one in found.pointed.items()}
    sections = [
        _section(one, found, pointed, base=base, language=language)
        for one in SECTIONS
        if one.required or found.members.get(one.name)
    ]
    made: dict[str, Any] = {
        "resourceType": "Composition",
        "id": new_id(),
        "meta": {"profile": [COMPOSITION]},
        "language": language,
        "text": narrative.div([], {}, language)
        | {"div": _heading(language)},
        "status": "final",
        "type": _loinc("60591-5", "Patient summary Document"),
        "subject": {"reference": f"{base}/Patient/{patient['id']}"},
        "date": instant(now),
        "author": [{"reference": author}],
        "title": TITLES[language],
    }  # fmt: skip
    custodian = (patient.get("managingOrganization") or {}).get("reference")
    if custodian in pointed:
        made["custodian"] = {"reference": f"{base}/{custodian}"}
    return made | {"section": sections}


def _heading(language: str) -> str:
    opening = f'<div xmlns="{narrative.XHTML}" lang="{language}" xml:lang="{language}">'
    return f"{opening}<p>{narrative.safe(TITLES[language])}</p></div>"


def _section(
    section: Section, found: Gathered, pointed: dict[str, Data], *, base: str, language: str
) -> dict[str, Any]:
    members = found.members.get(section.name, [])
    count = found.counts.get(section.name, 0)
    made: dict[str, Any] = {
        "title": section.titles[language],
        "code": _loinc(section.code, section.display),
        "text": narrative.div(members, pointed, language, count=count),
    }
    if members:
        made["entry"] = [
            {"reference": f"{base}/{one['resourceType']}/{one['id']}"} for one in members
        ]
    else:
        coding = {"system": EMPTY, "code": "unavailable", "display": "Unavailable"}
        made["emptyReason"] = {"coding": [coding]}
    return made


def _loinc(code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://loinc.org", "code": code, "display": display}]}


SUMMARY: Final = Operation(
    name="summary",
    handler=summary,
    levels=frozenset({"type", "instance"}),
    definition="http://hl7.org/fhir/uv/ips/OperationDefinition/summary",
    types=frozenset({"Patient"}),
)
