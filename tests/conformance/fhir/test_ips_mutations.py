"""R4 §5.1: what is broken in an IPS example is found where it was broken."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.conformance.fhir.test_ips_profiles import example, load_ips

from serai.fhir.profiles import validate
from serai.platform.db import Database

Mutation = Callable[[dict[str, Any]], object]
MINIMAL = "Bundle-bundle-minimal"
LAB = "Observation-hemoglobin"
ALLERGY = "AllergyIntolerance-eumfh-39-07-1"
PREGNANCY = "Observation-pregnancy-status-example"
IN_COMPOSITION = "Bundle.entry[0].resource"
ELSEWHERE = "urn:uuid:7d5d4c5e-0000-4000-8000-000000000000"


def drop(*names: str) -> Mutation:
    return lambda it: [it.pop(name, None) for name in names]


def give(**values: Any) -> Mutation:
    return lambda it: it.update(copy.deepcopy(values))


def of(kind: str, change: Mutation) -> Mutation:
    """The first entry of that type."""

    def mutate(it: dict[str, Any]) -> None:
        change(next(e["resource"] for e in it["entry"] if e["resource"]["resourceType"] == kind))

    return mutate


def section(code: str, change: Callable[[list[Any], Any], object]) -> Mutation:
    def mutate(it: dict[str, Any]) -> None:
        sections = it["entry"][0]["resource"]["section"]
        change(sections, next(s for s in sections if s["code"]["coding"][0]["code"] == code))

    return mutate


def without(sections: list[Any], one: Any) -> None:
    sections.remove(one)


def second(sections: list[Any], one: Any) -> None:
    sections.append(copy.deepcopy(one))


def another_composition(it: dict[str, Any]) -> None:
    it["entry"].append(copy.deepcopy(it["entry"][0]) | {"fullUrl": ELSEWHERE})


SECTIONS = f"{IN_COMPOSITION}.section"

# (example, mutation, where an error is expected)
MUTATIONS: list[tuple[str, Mutation, str]] = [
    (MINIMAL, section("11450-4", without), SECTIONS),
    (MINIMAL, section("48765-2", without), SECTIONS),
    (MINIMAL, section("10160-0", without), SECTIONS),
    (MINIMAL, section("11450-4", second), SECTIONS),
    (MINIMAL, section("11450-4", lambda _, one: one.pop("title")), f"{SECTIONS}[0].title"),
    (MINIMAL, of("Composition", drop("subject")), f"{IN_COMPOSITION}.subject"),
    (MINIMAL, of("Composition", give(type={"text": "?"})), f"{IN_COMPOSITION}.type"),
    (MINIMAL, of("Patient", drop("name")), "Bundle.entry[1].resource.name"),
    (MINIMAL, of("Patient", drop("birthDate")), "Bundle.entry[1].resource.birthDate"),
    (MINIMAL, give(type="collection"), "Bundle.type"),
    (MINIMAL, drop("identifier"), "Bundle.identifier"),
    (MINIMAL, drop("timestamp"), "Bundle.timestamp"),
    (MINIMAL, lambda it: it["entry"][1].pop("fullUrl"), "Bundle.entry[1].fullUrl"),
    (MINIMAL, another_composition, "Bundle.entry"),
    (MINIMAL, lambda it: it["entry"].pop(0), "Bundle.entry"),
    (
        MINIMAL,
        lambda it: it["entry"][1].update(search={"mode": "match"}),
        "Bundle.entry[1].search",
    ),
    (MINIMAL, give(total=3), "Bundle"),
    (PREGNANCY, lambda it: it["code"]["coding"][0].update(code="1-8"), "Observation.code"),
    (PREGNANCY, give(component=[{"code": {"text": "?"}}]), "Observation.component"),
    (PREGNANCY, drop("effectiveDateTime"), "Observation.effective"),
    (LAB, drop("category"), "Observation.category"),
    (LAB, drop("performer"), "Observation.performer"),
    (LAB, drop("valueQuantity"), "Observation"),
    (LAB, give(hasMember=[{"reference": "Patient/1"}]), "Observation.hasMember[0].reference"),
    (ALLERGY, drop("code"), "AllergyIntolerance.code"),
    (ALLERGY, drop("patient"), "AllergyIntolerance.patient"),
    (
        "MedicationStatement-eumfh-39-07-1",
        drop("effectiveDateTime", "effectivePeriod", "_effectiveDateTime"),
        "MedicationStatement.effective",
    ),
    (
        "Flag-546482",
        give(modifierExtension=[{"url": "http://example.org/not", "valueBoolean": True}]),
        "Flag.modifierExtension[0]",
    ),
    ("Practitioner-eumfh-39-07", drop("name"), "Practitioner.name"),
    ("Organization-simple-org", drop("name"), "Organization.name"),
    ("Specimen-specimen-example-1", drop("type"), "Specimen.type"),
    ("Procedure-eumfh-39-07-1", drop("code"), "Procedure.code"),
    ("Patient-eumfh-39-07", lambda it: it["name"].append({"use": "usual"}), "Patient.name[1]"),
]


async def test_each_break_is_found_at_its_place(db: Database, tmp_path: Path) -> None:
    await load_ips(db, tmp_path)
    missed = []
    async with db.connection() as connection:
        for position, (name, mutate, expected) in enumerate(MUTATIONS):
            data = example(name)
            mutate(data)
            issues = await validate(connection, data, [])
            places = [one.path for one in issues if one.severity == "error"]
            if expected not in places:
                missed.append((position, name, expected, places))
    assert missed == []
