"""Patients to choose from: those that the person at the browser sees."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from serai.fhir.body import Data
from serai.fhir.store import FhirStore
from serai.kernel.actor import Actor
from serai.kernel.errors import NotFound
from serai.platform.db import Connection

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Person:
    """A patient as far as two of one name can be told apart."""

    id: str
    name: str
    born: str
    sex: str


async def candidates(request: Request, c: Connection, actor: Actor, words: str) -> list[Person]:
    """The first who match; all in the order of the list when nothing is asked."""
    store: FhirStore = request.app.state.fhir
    asked = [("name", words)] if words else []
    page = await store.search(c, "Patient", [*asked, ("_count", str(SHOWN))], actor=actor)
    return [_person(one.id, one.data) for one in page.matches]


async def person(request: Request, c: Connection, actor: Actor, id: str) -> Person:
    """NotFound when they do not see such a patient."""
    store: FhirStore = request.app.state.fhir
    if "\0" in id or len(id) > 64:
        raise NotFound("fhir.not-found", resource="Patient")
    found = await store.read(c, "Patient", id, actor=actor)
    return _person(found.id, found.data)


def _person(id: str, data: Data) -> Person:
    name = (data.get("name") or [{}])[0]
    family, given = name.get("family", ""), " ".join(name.get("given", ()))
    shown = name.get("text") or " ".join(part for part in (family, given) if part) or id
    return Person(id, shown, data.get("birthDate", ""), data.get("gender", ""))
