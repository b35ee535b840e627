"""`/api/patients`: find and register people."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from serai.care.chart import actions
from serai.care.chart.actions import Charts
from serai.care.chart.model import Identifier, Numbering, Person, Registration, Sex
from serai.kernel.clock import utc_now
from serai.web.authentication import require_actor

router = APIRouter(prefix="/patients", tags=["patients"])


class IdentifierIn(BaseModel):
    numbering: Numbering
    value: str = Field(min_length=1, max_length=64)


class PersonOut(BaseModel):
    id: str
    name: str
    other_name: str
    sex: str
    birth_date: str
    identifiers: list[dict[str, str]]
    phone: str

    @classmethod
    def of(cls, person: Person) -> PersonOut:
        known = asdict(person) | {"identifiers": [asdict(one) for one in person.identifiers]}
        return cls(**{name: known[name] for name in cls.model_fields})


class RegistrationIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    family: str = Field(default="", max_length=100)
    given: str = Field(default="", max_length=100)
    other_name: str = Field(default="", max_length=200)
    sex: Sex = Sex.UNKNOWN
    birth_date: date | None = None
    identifier: IdentifierIn | None = None
    phone: str = Field(default="", max_length=50)
    address: str = Field(default="", max_length=300)
    despite: list[str] = Field(
        default=[], description="Patients with the same number or name who are somebody else"
    )

    def registration(self) -> Registration:
        identifier = self.identifier
        return Registration(
            family=self.family,
            given=self.given,
            other_name=self.other_name,
            sex=self.sex,
            birth_date=self.birth_date,
            identifier=Identifier(identifier.numbering.value, identifier.value)
            if identifier
            else None,
            phone=self.phone,
            address=self.address,
        )


def charts_of(request: Request) -> Charts:
    state = request.app.state
    return Charts(state.db, state.fhir, state.archive)


@router.get("", summary="People by name in any script, number or birth date")
async def find(request: Request, q: Annotated[str, Query(max_length=200)] = "") -> list[PersonOut]:
    actor = require_actor(request)
    found = await actions.find(charts_of(request), q, actor=actor)
    return [PersonOut.of(person) for person in found]


@router.post("", status_code=201, summary="Register a person")
async def register(request: Request, body: RegistrationIn) -> PersonOut:
    person = await actions.register(
        charts_of(request),
        body.registration(),
        despite=frozenset(body.despite),
        actor=require_actor(request),
        now=utc_now(),
    )
    return PersonOut.of(person)
