from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.imaging.objects import a_picture

from serai.fhir import body
from serai.fhir.store import FhirStore
from serai.fhir.validation import validate
from serai.imaging.archive import Archive, Outcome, receive
from serai.kernel.actor import Actor, Kind, serai_itself
from serai.kernel.errors import Conflict, NotFound
from serai.platform.blobs import Blobs
from serai.platform.db import Database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 1, 13, tzinfo=UTC)


def of(organisation: str) -> Actor:
    return Actor(
        id=f"doctor of {organisation}",
        kind=Kind.STAFF,
        name="Dr Chen",
        role="doctor",
        organisation=organisation,
        scopes=frozenset({"user/*.crus"}),
    )


COUNTY, TOWNSHIP = of("county"), of("township")


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(FhirStore(), Blobs(tmp_path))


async def keep(
    archive: Archive, db: Database, *contents: bytes, actor: Actor = COUNTY
) -> Sequence[Outcome]:
    intake = archive.intake(db, actor)
    outcomes = await intake.keep([receive(content) for content in contents], now=NOON)
    await intake.finish(now=NOON)
    return outcomes


async def a_patient(archive: Archive, db: Database, actor: Actor = COUNTY, **fields: Any) -> str:
    patient = {"resourceType": "Patient", "identifier": [{"value": "P1"}], **fields}
    async with db.transaction() as tx:
        return (await archive.fhir.create(tx, body.of(patient), actor=actor, now=NOON)).id


async def the_study(archive: Archive, db: Database, actor: Actor = COUNTY) -> dict[str, Any]:
    async with db.connection() as connection:
        (study,) = await archive.fhir.find(connection, "ImagingStudy", actor=actor)
    return study


async def test_a_study_becomes_one_valid_imaging_study(archive: Archive, db: Database) -> None:
    await keep(
        archive,
        db,
        a_picture(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.1", AccessionNumber="A1"),
        a_picture(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.1", AccessionNumber="A1"),
        a_picture(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.2", Modality="SR"),
    )
    study = await the_study(archive, db)
    assert validate(study) == []
    assert {"system": "urn:dicom:uid", "value": "urn:oid:1.2.3"} in study["identifier"]
    assert [each["code"] for each in study["modality"]] == ["CT", "SR"]
    assert (study["numberOfSeries"], study["numberOfInstances"]) == (2, 3)
    assert [each["numberOfInstances"] for each in study["series"]] == [2, 1]
    assert study["started"] == "2026-03-01"
    assert study["subject"] == {"identifier": {"value": "P1"}, "display": "Li Wei"}


async def test_a_growing_study_is_settled_at_the_end(archive: Archive, db: Database) -> None:
    for _ in range(3):
        await keep(archive, db, a_picture(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.1"))
    study = await the_study(archive, db)
    assert study["numberOfInstances"] == 3
    assert study["meta"]["versionId"] == "3"


async def test_what_a_crash_left_unsettled_is_settled_later(archive: Archive, db: Database) -> None:
    for _ in range(2):
        intake = archive.intake(db, COUNTY)
        await intake.keep([receive(a_picture(StudyInstanceUID="1.2.3"))], now=NOON)
    assert (await the_study(archive, db))["numberOfInstances"] == 1
    assert await archive.settle_left(db, now=LATER) == 1
    study = await the_study(archive, db)
    assert study["numberOfInstances"] == 2
    assert await archive.settle_left(db, now=LATER) == 0


async def test_the_patient_is_found_by_number_at_the_same_organisation(
    archive: Archive, db: Database
) -> None:
    await a_patient(archive, db, TOWNSHIP)
    patient = await a_patient(archive, db, birthDate="1970-05-15")
    await keep(archive, db, a_picture(PatientBirthDate="19700515"))
    study = await the_study(archive, db)
    assert study["subject"] == {"reference": f"Patient/{patient}", "display": "Li Wei"}
    async with db.connection() as connection:
        (summary,) = await archive.studies_for_patient(connection, patient, actor=COUNTY)
        assert (summary.instances, summary.modalities) == (1, ("CT",))
        assert await archive.studies_for_patient(connection, patient, actor=TOWNSHIP) == []


@pytest.mark.parametrize(
    ("records", "attributes"),
    [
        ([{}, {}], {}),
        ([{"birthDate": "1971-05-15"}], {"PatientBirthDate": "19700515"}),
        ([{"identifier": [{"system": "urn:a", "value": "P1"}]}], {"IssuerOfPatientID": "B"}),
        ([{"identifier": [{"value": "P10"}]}], {}),
        ([{}], {"PatientID": ""}),
    ],
    ids=["two records", "another birth date", "another issuer", "another number", "no number"],
)
async def test_in_doubt_the_study_waits_for_people_to_link_it(
    archive: Archive, db: Database, records: list[Any], attributes: dict[str, Any]
) -> None:
    for record in records:
        await a_patient(archive, db, **record)
    await keep(archive, db, a_picture(**attributes))
    assert "reference" not in (await the_study(archive, db))["subject"]


async def test_a_study_is_linked_to_a_patient(archive: Archive, db: Database) -> None:
    patient = await a_patient(archive, db, identifier=[{"value": "other"}])
    await keep(archive, db, a_picture(StudyInstanceUID="1.2.3"))
    async with db.transaction() as tx:
        await archive.attach(tx, "1.2.3", patient, actor=COUNTY, now=LATER)
    await keep(archive, db, a_picture(StudyInstanceUID="1.2.3"))
    study = await the_study(archive, db)
    assert study["subject"]["reference"] == f"Patient/{patient}"
    assert study["numberOfInstances"] == 2
    async with db.transaction() as tx:
        with pytest.raises(NotFound):
            await archive.attach(tx, "1.2.3", patient, actor=TOWNSHIP, now=LATER)
        with pytest.raises(NotFound):
            await archive.attach(tx, "9.9.9", patient, actor=COUNTY, now=LATER)


async def test_the_resource_stays_while_its_pictures_do(archive: Archive, db: Database) -> None:
    await keep(archive, db, a_picture())
    study = await the_study(archive, db)
    changed = body.of({**study, "identifier": [{"value": "another"}]})
    with pytest.raises(Conflict, match=r"imaging\.study-has-pictures"):
        async with db.transaction() as tx:
            await archive.fhir.delete(
                tx, "ImagingStudy", study["id"], actor=serai_itself, now=LATER
            )
    with pytest.raises(Conflict, match=r"imaging\.study-uid-changed"):
        async with db.transaction() as tx:
            await archive.fhir.update(tx, changed, actor=COUNTY, now=LATER)
    assert (await the_study(archive, db))["meta"]["versionId"] == study["meta"]["versionId"]


async def test_senders_at_the_same_moment_make_one_study(archive: Archive, db: Database) -> None:
    pictures = [
        a_picture(StudyInstanceUID="1.2.3", SeriesInstanceUID=f"1.2.3.{number % 2}")
        for number in range(12)
    ]
    both = [*pictures, pictures[0], pictures[5]]
    kept = await asyncio.gather(*(keep(archive, db, picture) for picture in both))
    assert [outcome.error for (outcome,) in kept] == [None] * len(both)
    study = await the_study(archive, db)
    assert (study["numberOfSeries"], study["numberOfInstances"]) == (2, 12)


async def test_two_contents_racing_for_one_uid_leave_one(
    archive: Archive, db: Database, tmp_path: Path
) -> None:
    contents = [
        a_picture(SOPInstanceUID="1.2.3.4", StudyInstanceUID="1.2.3", PixelData=bytes([n]) * 64)
        for n in range(4)
    ]
    kept = await asyncio.gather(*(keep(archive, db, content) for content in contents))
    assert sum(outcome.error is None for (outcome,) in kept) == 1
    assert len([path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]) == 1


async def test_every_transfer_leaves_its_trace(archive: Archive, db: Database) -> None:
    await keep(archive, db, a_picture(StudyInstanceUID="1.2.3"))
    study = await the_study(archive, db)
    async with db.connection() as connection:
        rows = await connection.execute(
            "SELECT actor, resource FROM audit_event WHERE act = 'dicom.store'"
        )
        assert await rows.fetchall() == [(COUNTY.id, f"ImagingStudy/{study['id']}")]
