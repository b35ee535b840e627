"""Scopes in words, for the person who decides on them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from serai.platform.auth.apps import scoping
from serai.platform.auth.scopes import Scope
from serai.web.languages import N_, gettext

TYPES = {
    "AllergyIntolerance": N_("Allergies"),
    "Appointment": N_("Appointments"),
    "CarePlan": N_("Care plans"),
    "CareTeam": N_("Care teams"),
    "Communication": N_("Messages"),
    "Condition": N_("Diagnoses and problems"),
    "Consent": N_("Consents"),
    "Device": N_("Devices"),
    "DiagnosticReport": N_("Reports"),
    "DocumentReference": N_("Documents"),
    "Encounter": N_("Visits and stays"),
    "FamilyMemberHistory": N_("Illnesses in the family"),
    "Goal": N_("Goals of treatment"),
    "ImagingStudy": N_("Images"),
    "Immunization": N_("Vaccinations"),
    "Location": N_("Places"),
    "Medication": N_("Medicines"),
    "MedicationRequest": N_("Prescriptions"),
    "MedicationStatement": N_("Medicines taken"),
    "Observation": N_("Measurements and findings"),
    "Organization": N_("Organisations"),
    "Patient": N_("Name, birth date and contact"),
    "Practitioner": N_("Doctors and nurses"),
    "Procedure": N_("Procedures"),
    "QuestionnaireResponse": N_("Answers to questionnaires"),
    "RelatedPerson": N_("Relatives"),
    "ServiceRequest": N_("Orders and referrals"),
    "Specimen": N_("Samples"),
    "Task": N_("Tasks"),
    "*": N_("The whole record"),
}
ACTS = {
    "c": N_("add"),
    "r": N_("read"),
    "u": N_("change"),
    "d": N_("delete"),
    "s": N_("search"),
}
OF = {
    "patient": N_("of this patient"),
    "user": N_("of every patient whom you see"),
    "system": N_("of every patient of the organisation"),
}
OTHERS = {
    "fhirUser": (N_("Who you are"), N_("your name in the record")),
    "profile": (N_("Your name"), N_("as in your account")),
    "offline_access": (N_("Also while you are away"), N_("until you end it under My account")),
    "online_access": (N_("As long as you are signed in"), N_("without asking again")),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One box to tick: what, and what the app may do with it."""

    scope: str
    what: str
    detail: str


def lines(scopes: Iterable[str], *, held: frozenset[str] | None = None) -> list[Line]:
    """What is asked; with `held`, without what the person cannot give. In the reader's words."""
    scopes = list(scopes)
    found = [_line(one) for one in scoping.clinical(scopes) if _given(one, held)]
    others = [
        Line(word, gettext(what), gettext(detail))
        for word, (what, detail) in OTHERS.items()
        if word in scopes
    ]
    return found + others


def _given(scope: Scope, held: frozenset[str] | None) -> bool:
    return held is None or bool(scoping.effective(frozenset({str(scope)}), held))


def _line(scope: Scope) -> Line:
    kind = scope.resource_type
    what = gettext(TYPES[kind]) if kind in TYPES else kind
    acts = ", ".join(gettext(ACTS[letter]) for letter in scope.interactions)
    only = "; ".join(
        f"{name}: {value.rpartition('|')[2]}" for name, value in parse_qsl(scope.query)
    )
    return Line(
        str(scope),
        f"{what} ({only})" if only else what,
        f"{acts} · {gettext(OF[scope.level])}",
    )
