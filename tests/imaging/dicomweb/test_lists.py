"""Each organisation's list of studies: what it may see, once, in order, whatever others have."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.imaging.objects import a_picture
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

from serai.fhir import body
from serai.fhir.store import FhirStore
from serai.kernel.actor import Actor, Kind, serai_itself
from serai.kernel.clock import utc_now
from serai.platform.db import Connection, Database


def staff(organisation: str) -> Actor:
    scopes = frozenset({"user/*.cruds"})
    return Actor("a", Kind.STAFF, "A", "doctor", organisation, scopes=scopes)


def in_record(server: Server, act: Callable[[Connection, FhirStore], Awaitable[None]]) -> None:
    async def run() -> None:
        db = await Database.open(server.database_url, max_size=1)
        async with db.transaction() as tx:
            await act(tx, FhirStore())
        await db.close()

    asyncio.run(run())


def uids(client: Client, **query: str) -> list[str]:
    return [each["0020000D"]["Value"][0] for each in client.found("/studies", **query)]


def test_a_study_about_another_hospitals_patient_is_listed_for_that_hospital(
    server: Server,
) -> None:
    centre, county = Client.of(server, "centre"), Client.of(server, "county")
    centre.store(a_picture(StudyInstanceUID="1.11"))
    assert uids(county) == []

    async def link(tx: Connection, store: FhirStore) -> None:
        now, county_patient = utc_now(), body.of({"resourceType": "Patient"})
        patient = await store.create(tx, county_patient, actor=staff("county"), now=now)
        (row,) = await (await tx.execute("SELECT resource FROM imaging_study")).fetchall()
        study = await store.read(tx, "ImagingStudy", row[0], actor=serai_itself)
        linked = {**study.data, "subject": {"reference": f"Patient/{patient.id}"}}
        await store.update(tx, body.of(linked), actor=serai_itself, now=now)

    in_record(server, link)
    assert uids(county) == ["1.11"]
    assert len(county.found("/series")) == len(county.found("/instances")) == 1
    assert uids(Client.of(server, "township")) == []

    async def move(tx: Connection, _: FhirStore) -> None:
        await tx.execute("UPDATE fhir_resource SET owner = 'township' WHERE type = 'Patient'")

    in_record(server, move)
    assert uids(county) == []
    assert uids(Client.of(server, "township")) == ["1.11"]


def test_what_is_visible_for_two_reasons_is_listed_once_on_one_page(server: Server) -> None:
    async def register(tx: Connection, store: FhirStore) -> None:
        known = {"resourceType": "Patient", "identifier": [{"value": "P1"}]}
        await store.create(tx, body.of(known), actor=staff("county"), now=utc_now())

    in_record(server, register)
    county = Client.of(server, "county")
    days = ["20260104", "20260102", "", "20260103", "20260102"]
    pictures = [
        a_picture(StudyInstanceUID=f"1.12.{number}", StudyDate=day)
        for number, day in enumerate(days)
    ]
    county.store(*pictures)
    pages = [uids(county, limit="2", offset=str(at)) for at in (0, 2, 4, 6)]
    assert pages == [["1.12.0", "1.12.3"], ["1.12.1", "1.12.4"], ["1.12.2"], []]
    assert uids(county, ModalitiesInStudy="CT") == [uid for page in pages for uid in page]


def test_a_shared_study_is_listed_while_the_reason_is_open(server: Server) -> None:
    Client.of(server, "county").store(a_picture(StudyInstanceUID="1.13"))
    reader = Client.of(server, "centre")

    async def share(tx: Connection, _: FhirStore) -> None:
        await tx.execute(
            "INSERT INTO fhir_share SELECT 'centre', 'ImagingStudy', resource, 'Task/1', now() "
            "FROM imaging_study"
        )

    async def close(tx: Connection, _: FhirStore) -> None:
        await tx.execute("UPDATE fhir_share SET closed_at = now()")

    assert uids(reader) == []
    in_record(server, share)
    assert uids(reader) == ["1.13"]
    in_record(server, close)
    assert uids(reader) == []
