"""A wanted network as FHIR resources: Organization, HealthcareService, Practitioner and its role.

Ids come from the file's own codes and logins, so that loading a file again finds the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from serai.fhir.body import Data
from serai.network.model import (
    ORGANISATION_CODES,
    SERVICE_SYSTEM,
    SNOMED_CT,
    SPECIALTIES,
    STAFF_LOGINS,
    STAFF_ROLE_SYSTEM,
    TIER_SYSTEM,
)
from serai.network.plan import WantedOrganisation, WantedStaff

TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
LANGUAGE = "http://hl7.org/fhir/StructureDefinition/language"
NAME_REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
CONSULTATION = "consultation"


def resources(wanted: WantedOrganisation) -> Iterator[Data]:
    """Everything one entry of the file becomes."""
    yield organisation(wanted)
    for specialty in wanted.specialties:
        yield service(wanted.code, specialty)
    for person in wanted.staff:
        yield practitioner(person)
        yield practitioner_role(wanted.code, person)


def organisation(wanted: WantedOrganisation) -> Data:
    made: Data = {
        "resourceType": "Organization",
        "id": wanted.code,
        "identifier": [{"system": ORGANISATION_CODES, "value": wanted.code}],
        "active": True,
        "type": [{"coding": [{"system": TIER_SYSTEM, "code": wanted.tier.value}]}],
        **_translated("name", wanted.names),
        "alias": list(wanted.names.values())[1:],
        "telecom": _telecom(wanted.facts),
        "address": _address(wanted.facts),
    }
    if wanted.part_of:
        made["partOf"] = {"reference": f"Organization/{wanted.part_of}"}
    return _without_empty(made)


def service_id(organisation_id: str, specialty: str) -> str:
    return f"{organisation_id}-{specialty}"[:64]


def service(organisation_id: str, specialty: str) -> Data:
    """One specialty in which this organisation gives opinions."""
    known = SPECIALTIES[specialty]
    return {
        "resourceType": "HealthcareService",
        "id": service_id(organisation_id, specialty),
        "active": True,
        "providedBy": {"reference": f"Organization/{organisation_id}"},
        "type": [{"coding": [{"system": SERVICE_SYSTEM, "code": CONSULTATION}]}],
        "specialty": [_specialty(known.code)],
        "name": known.name,
    }


def practitioner_id(login: str) -> str:
    return f"staff-{login}"[:64]


def practitioner(person: WantedStaff) -> Data:
    return _without_empty(
        {
            "resourceType": "Practitioner",
            "id": practitioner_id(person.login),
            "identifier": [{"system": STAFF_LOGINS, "value": person.login}],
            "active": True,
            "name": [_human_name(language, name) for language, name in person.names.items()],
            "telecom": [{"system": "phone", "value": person.phone}] if person.phone else [],
        }
    )


def practitioner_role(organisation_id: str, person: WantedStaff) -> Data:
    code: Data = {"coding": [{"system": STAFF_ROLE_SYSTEM, "code": person.role}]}
    if person.titles:
        code |= _translated("text", person.titles)
    return _without_empty(
        {
            "resourceType": "PractitionerRole",
            "id": practitioner_id(person.login),
            "active": True,
            "practitioner": {"reference": f"Practitioner/{practitioner_id(person.login)}"},
            "organization": {"reference": f"Organization/{organisation_id}"},
            "code": [code],
            "specialty": [_specialty(person.specialty)] if person.specialty else [],
        }
    )


def closed(service_resource: Data) -> Data:
    """The same service, no longer offered."""
    return service_resource | {"active": False}


def _specialty(code: str) -> Data:
    known = SPECIALTIES[code]
    return {"coding": [{"system": SNOMED_CT, "code": known.snomed, "display": known.name}]}


def _translated(element: str, texts: Mapping[str, str]) -> Data:
    """The first text is the element's value, the others its translations."""
    (_, value), *others = texts.items()
    translations = [
        {
            "url": TRANSLATION,
            "extension": [
                {"url": "lang", "valueCode": language},
                {"url": "content", "valueString": text},
            ],
        }
        for language, text in others
    ]
    return {element: value} | ({f"_{element}": {"extension": translations}} if others else {})


def _human_name(language: str, text: str) -> Data:
    """The name with its language; Chinese characters are marked ideographic (ISO 21090)."""
    extensions = [{"url": LANGUAGE, "valueCode": language}]
    if language.startswith(("zh", "ja")):
        extensions.append({"url": NAME_REPRESENTATION, "valueCode": "IDE"})
    return {"extension": extensions, "text": text}


def _telecom(facts: Mapping[str, str]) -> list[Data]:
    return [
        {"system": system, "value": facts[system]}
        for system in ("phone", "email")
        if system in facts
    ]


def _address(facts: Mapping[str, str]) -> list[Data]:
    address: dict[str, Any] = {}
    if "address" in facts:
        address["line"] = [facts["address"]]
    address |= {name: facts[name] for name in ("city", "country") if name in facts}
    return [address] if address else []


def _without_empty(made: Data) -> Data:
    return {name: value for name, value in made.items() if value not in ([], {}, "")}
