"""A small network for the tests of care: a county, its lead hospital, a township, one abroad."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from serai.care.consultation import actions
from serai.care.consultation.model import Consultation, Opinion, Request, State, Urgency
from serai.care.consultation.records import Consultations
from serai.fhir.body import of
from serai.kernel.actor import Actor, Kind, serai_itself
from serai.network.model import SNOMED_CT, SPECIALTIES, STAFF_ROLE_SYSTEM
from serai.platform.auth.roles import scopes_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOSPITALS = {"county": "Qingshan County Hospital", "lead": "Lead Teaching Hospital",
             "township": "Baiyun Township", "partner": "Partner Hospital"}  # fmt: skip
STAFF = (
    ("dr-county", "county", "doctor", "Li Na"),
    ("dr-county-2", "county", "doctor", "Zhao Min"),
    ("desk-county", "county", "desk", "County Desk"),
    ("desk-lead", "lead", "desk", "Lead Desk"),
    ("prof-lead", "lead", "expert", "Prof. Chen Hui"),
    ("prof-other", "lead", "expert", "Prof. Wu Jun"),
    ("admin-lead", "lead", "admin", "Admin"),
    ("dr-township", "township", "doctor", "Sun Li"),
    ("desk-partner", "partner", "desk", "Partner Desk"),
    ("prof-partner", "partner", "expert", "Dr Somchai"),
)


def actor(practitioner: str) -> Actor:
    name, organisation, role, display = next(row for row in STAFF if row[0] == practitioner)
    return Actor(
        id=name,
        kind=Kind.STAFF,
        name=display,
        role=role,
        organisation=organisation,
        practitioner=name,
        scopes=scopes_of(role),
    )


COUNTY_DOCTOR = actor("dr-county")
LEAD_DESK = actor("desk-lead")
LEAD_EXPERT = actor("prof-lead")
OTHER_EXPERT = actor("prof-other")
TOWNSHIP_DOCTOR = actor("dr-township")
PARTNER_DESK = actor("desk-partner")


async def build(kept: Consultations) -> None:
    """The organisations and their staff, as the network file would load them."""
    resources: list[dict[str, Any]] = [
        {"resourceType": "Organization", "id": id, "name": name} for id, name in HOSPITALS.items()
    ]
    for practitioner, organisation, role, display in STAFF:
        resources.append(
            {"resourceType": "Practitioner", "id": practitioner, "name": [{"text": display}]}
        )
        resources.append(
            {
                "resourceType": "PractitionerRole",
                "id": practitioner,
                "active": True,
                "practitioner": {"reference": f"Practitioner/{practitioner}"},
                "organization": {"reference": f"Organization/{organisation}"},
                "code": [{"coding": [{"system": STAFF_ROLE_SYSTEM, "code": role}]}],
            }
        )
    radiology = {"coding": [{"system": SNOMED_CT, "code": SPECIALTIES["radiology"].snomed}]}
    resources += [
        {
            "resourceType": "HealthcareService",
            "id": f"{hospital}-radiology",
            "active": True,
            "providedBy": {"reference": f"Organization/{hospital}"},
            "specialty": [radiology],
        }
        for hospital in ("lead", "partner")
    ]
    async with kept.db.transaction() as tx:
        for resource in resources:
            await kept.fhir.update(tx, of(resource), actor=serai_itself, now=NOON)


PATIENT = {
    "resourceType": "Patient",
    "id": "zhang",
    "name": [{"use": "official", "text": "张伟", "family": "张", "given": ["伟"]},
             {"use": "usual", "text": "Zhang Wei"}],
    "gender": "male",
    "birthDate": "1958-04-02",
}  # fmt: skip


def an_observation(id: str, patient: str = "zhang") -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": id,
        "status": "final",
        "code": {"text": "Blood pressure"},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-11-20",
        "valueString": "168/95",
    }


async def put(
    kept: Consultations, *resources: dict[str, Any], by: Actor, at: datetime = NOON
) -> None:
    async with kept.db.transaction() as tx:
        for resource in resources:
            await kept.fhir.update(tx, of(resource), actor=by, now=at)


REQUEST = Request(
    reason="Sudden headache",
    question="Is there a bleeding?",
    summary="Hypertension for ten years.",
    urgency=Urgency.URGENT,
    specialty="radiology",
    expert_organisation="lead",
    attachments=("Observation/bp",),
)
OPINION = Opinion(findings="No hyperdensity.", conclusion="No bleeding.", advice="MRI in a week.")


@dataclass
class Loop:
    """Drives one consultation forward, a minute per step."""

    kept: Consultations
    at: datetime = NOON
    id: str = ""

    def later(self) -> datetime:
        self.at += timedelta(minutes=1)
        return self.at

    async def draft(self, request: Request = REQUEST) -> Consultation:
        made = await actions.draft(
            self.kept, "zhang", request, actor=COUNTY_DOCTOR, now=self.later()
        )
        self.id = made.id
        return made

    async def send(self) -> Consultation:
        return await actions.send(
            self.kept, self.id, version=None, actor=COUNTY_DOCTOR, now=self.later()
        )

    async def assign(self, expert: str = "prof-lead") -> Consultation:
        return await actions.assign(
            self.kept, self.id, expert, version=None, actor=LEAD_DESK, now=self.later()
        )

    async def accept(self) -> Consultation:
        return await actions.accept(
            self.kept, self.id, version=None, actor=LEAD_EXPERT, now=self.later()
        )

    async def start(self) -> Consultation:
        return await actions.start(
            self.kept, self.id, version=None, actor=LEAD_EXPERT, now=self.later()
        )

    async def ask(self) -> Consultation:
        return await actions.ask(
            self.kept, self.id, "Since when?", version=None, actor=LEAD_EXPERT, now=self.later()
        )

    async def answer(self) -> Consultation:
        return await actions.answer(
            self.kept, self.id, "Since noon.", version=None, actor=COUNTY_DOCTOR, now=self.later()
        )

    async def sign(self) -> Consultation:
        return await actions.sign(
            self.kept, self.id, OPINION, version=None, actor=LEAD_EXPERT, now=self.later()
        )

    async def acknowledge(self) -> Consultation:
        return await actions.acknowledge(
            self.kept, self.id, version=None, actor=COUNTY_DOCTOR, now=self.later()
        )

    async def decline(self) -> Consultation:
        return await actions.decline(
            self.kept, self.id, "No MRI here", version=None, actor=LEAD_EXPERT, now=self.later()
        )

    async def cancel(self) -> Consultation:
        return await actions.cancel(
            self.kept, self.id, "Transferred", version=None, actor=COUNTY_DOCTOR, now=self.later()
        )

    async def until(self, state: State) -> Consultation:
        """The shortest way to a state."""
        made = await self.draft()
        for step in WAY[state]:
            made = await getattr(self, step)()
        assert made.state is state
        return made


_TO_WORK = ("send", "assign", "accept", "start")
WAY: dict[State, tuple[str, ...]] = {
    State.DRAFT: (),
    State.SENT: ("send",),
    State.ASSIGNED: ("send", "assign"),
    State.ACCEPTED: ("send", "assign", "accept"),
    State.IN_PROGRESS: _TO_WORK,
    State.ASKED: (*_TO_WORK, "ask"),
    State.REPORTED: (*_TO_WORK, "sign"),
    State.CLOSED: (*_TO_WORK, "sign", "acknowledge"),
    State.DECLINED: ("send", "assign", "decline"),
    State.CANCELLED: ("send", "cancel"),
}
