"""Person ↔ Patient, and the names of people and places."""

from __future__ import annotations

from typing import Any

from serai.care.chart.model import Identifier, Numbering, Person, Registration, joined
from serai.fhir.store import FhirStore
from serai.kernel.actor import Actor, serai_itself
from serai.kernel.errors import NotFound
from serai.platform.db import Connection

Resource = dict[str, Any]
BASE = "https://serai.health/fhir"
SYSTEMS = {
    Numbering.NATIONAL: f"{BASE}/NamingSystem/national-id",
    Numbering.PASSPORT: f"{BASE}/NamingSystem/passport",
    Numbering.HOSPITAL: f"{BASE}/NamingSystem/hospital-number",
}
# http://terminology.hl7.org/CodeSystem/v2-0203
TYPES = {Numbering.NATIONAL: "NI", Numbering.PASSPORT: "PPN", Numbering.HOSPITAL: "MR"}
V2_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
MANY = 20


def name_of(human_name: Resource) -> str:
    if text := human_name.get("text"):
        return str(text)
    prefix = " ".join(human_name.get("prefix", ()))
    name = joined(human_name.get("family", ""), " ".join(human_name.get("given", ())))
    return f"{prefix} {name}".strip()


def names_of(resource: Resource) -> tuple[str, ...]:
    """Every name somebody is known by, the official one first."""
    order = {"official": 0, "usual": 1}
    names = sorted(resource.get("name", ()), key=lambda name: order.get(name.get("use"), 2))
    return tuple(text for name in names if (text := name_of(name)))


def person_name(resource: Resource) -> str:
    return next(iter(names_of(resource)), "")


async def organisation_name(fhir: FhirStore, c: Connection, organisation: str) -> str:
    try:
        stored = await fhir.read(c, "Organization", organisation, actor=serai_itself)
    except NotFound:
        return ""
    return str(stored.data.get("name", ""))


def to_person(resource: Resource) -> Person:
    names = names_of(resource)
    address: Resource = next(iter(resource.get("address", ())), {})
    return Person(
        id=resource["id"],
        name=names[0] if names else "",
        other_name=names[1] if len(names) > 1 else "",
        sex=resource.get("gender", "unknown"),
        birth_date=resource.get("birthDate", ""),
        identifiers=tuple(
            Identifier(_numbering(item), item["value"])
            for item in resource.get("identifier", ())
            if "value" in item
        ),
        phone=next(
            (t.get("value", "") for t in resource.get("telecom", ()) if t.get("system") == "phone"),
            "",
        ),
        address=address.get("text", "") or " ".join(address.get("line", ())),
        deceased="deceasedDateTime" in resource or resource.get("deceasedBoolean") is True,
    )


def _numbering(identifier: Resource) -> str:
    for numbering, system in SYSTEMS.items():
        if identifier.get("system") == system:
            return numbering.value
    codings = identifier.get("type", {}).get("coding", ())
    by_type = {code: numbering.value for numbering, code in TYPES.items()}
    for coding in codings:
        if coding.get("code") in by_type:
            return by_type[coding["code"]]
    return str(identifier.get("type", {}).get("text", ""))


def to_patient(registration: Registration, *, organisation: str | None) -> Resource:
    """https://hl7.org/fhir/R4/patient.html"""
    name: Resource = {"use": "official", "text": registration.full_name}
    if registration.family:
        name["family"] = registration.family
    if registration.given:
        name["given"] = registration.given.split()
    patient: Resource = {
        "resourceType": "Patient",
        "active": True,
        "name": [name],
        "gender": registration.sex.value,
    }
    if registration.other_name:
        patient["name"].append({"use": "usual", "text": registration.other_name})
    optional: Resource = {
        "birthDate": registration.birth_date and registration.birth_date.isoformat(),
        "identifier": registration.identifier and [to_identifier(registration.identifier)],
        "telecom": registration.phone and [{"system": "phone", "value": registration.phone}],
        "address": registration.address and [{"text": registration.address}],
        "managingOrganization": organisation and {"reference": f"Organization/{organisation}"},
    }
    return patient | {name: value for name, value in optional.items() if value}


def to_identifier(identifier: Identifier) -> Resource:
    numbering = Numbering(identifier.numbering)
    return {
        "type": {"coding": [{"system": V2_0203, "code": TYPES[numbering]}]},
        "system": SYSTEMS[numbering],
        "value": identifier.value,
    }


async def find_people(
    fhir: FhirStore, c: Connection, text: str, *, actor: Actor
) -> tuple[Person, ...]:
    """By name in any script, by number, or by birth date, as far as the actor may see."""
    words = text.split()
    if not words:
        return ()
    searches = [[_looks_like(word, "name") for word in words]]
    if len(words) == 1:
        searches.append([("identifier", _escaped(words[0]))])
    found = await _found(fhir, c, searches, actor=actor)
    if not found:
        # Within names too, which no index helps: only when their beginnings gave nobody.
        inside = [[_looks_like(word, "name:contains") for word in words]]
        found = await _found(fhir, c, inside, actor=actor)
    return found[:MANY]


async def _found(
    fhir: FhirStore, c: Connection, searches: list[list[tuple[str, str]]], *, actor: Actor
) -> tuple[Person, ...]:
    """Whom any of the searches finds, each once."""
    found: dict[str, Person] = {}
    for search in searches:
        for resource in await _patients(fhir, c, *search, actor=actor):
            found.setdefault(resource["id"], to_person(resource))
    return tuple(found.values())


async def _patients(
    fhir: FhirStore, c: Connection, *params: tuple[str, str], actor: Actor
) -> list[Resource]:
    """The first matches only: who finds too many types more."""
    page = await fhir.search(c, "Patient", [*params, ("_count", str(MANY))], actor=actor)
    return [match.data for match in page.matches]


def _looks_like(word: str, name: str) -> tuple[str, str]:
    """A word of the search box is a date or part of a name; letters decide."""
    digits = word.replace("-", "").replace("/", "")
    if digits.isdigit() and len(word) in (4, 7, 10) and word[:2] in ("18", "19", "20"):
        return "birthdate", word.replace("/", "-")
    return name, _escaped(word)


def _escaped(value: str) -> str:
    """FHIR's own separators in a search value mean themselves (R4 §3.1.1.4.0.1)."""
    for sign in ("\\", ",", "$", "|"):
        value = value.replace(sign, f"\\{sign}")
    return value


async def look_alikes(
    fhir: FhirStore, c: Connection, registration: Registration, *, actor: Actor
) -> tuple[Person, ...]:
    """Who is already registered with this number, or this name and birth date."""
    searches: list[list[tuple[str, str]]] = []
    if registration.identifier:
        searches.append([("identifier", _escaped(registration.identifier.value))])
    if registration.birth_date:
        born = ("birthdate", registration.birth_date.isoformat())
        for name in (registration.full_name, registration.other_name):
            searches += [[born, ("name", _escaped(name))]] if name else []
        if registration.family and registration.given:
            family, given = _escaped(registration.family), _escaped(registration.given.split()[0])
            searches.append([born, ("family", family), ("given", given)])
    return await _found(fhir, c, searches, actor=actor)


async def newest_people(fhir: FhirStore, c: Connection, *, actor: Actor) -> tuple[Person, ...]:
    """Whose record changed last."""
    resources = await _patients(fhir, c, ("_sort", "-_lastUpdated"), actor=actor)
    return tuple(to_person(resource) for resource in resources)
