"""A project from its beginning to its end, with a real database, queue and archive."""

from __future__ import annotations

import asyncio
import csv
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import httpx
import pydicom
import pytest
import pytest_asyncio
from pydicom.uid import generate_uid
from tests.care.hospitals import COUNTY_DOCTOR, LEAD_EXPERT, NOON, actor
from tests.imaging.objects import a_picture, uid

from serai.app import create_app
from serai.deidentify.projects import actions
from serai.deidentify.projects.actions import Desk, taking
from serai.deidentify.projects.model import Terms, Writing
from serai.fhir import body
from serai.imaging.archive import Archive, receive
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, Invalid, NotFound
from serai.platform import jobs
from serai.platform.auth.scopes import parse_scopes
from serai.platform.auth.tokens import issue_token
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.queue import Runner, serve
from serai.platform.running import Paused, Running
from serai.platform.settings import Settings
from serai.serving.jobs import works

COLLEAGUE = actor("dr-county-2")
TERMS = Terms("Chest", "Teaching; ethics 2026-11", frozenset(), Writing.ALL, stored=False)


class House:
    """A county hospital with studies, and the process that works jobs off."""

    def __init__(self, db: Database, url: str, home: Path) -> None:
        self.db, self.url = db, url
        self.settings = Settings(home=home, database_url=url)
        self.app = create_app(self.settings, url)
        self.app.state.db = db
        self.blobs: Blobs = self.app.state.blobs
        self.archive: Archive = self.app.state.archive
        self.desk = Desk(db, self.blobs, self.app.state.keys)

    async def sent(self, *contents: bytes, by: Actor = COUNTY_DOCTOR) -> list[str]:
        """The studies these objects belong to."""
        intake = self.archive.intake(self.db, by)
        outcomes = await intake.keep([receive(one) for one in contents], now=NOON)
        assert [one.error for one in outcomes] == [None] * len(contents)
        await intake.finish(now=NOON)
        return list(dict.fromkeys(uid(one, "StudyInstanceUID") for one in contents))

    async def project(
        self, studies: list[str], terms: Terms = TERMS, by: Actor = COUNTY_DOCTOR
    ) -> str:
        id = await actions.create(self.desk, terms, actor=by, now=NOON)
        await actions.add_studies(self.desk, id, studies, actor=by, now=NOON)
        return id

    async def take(self, id: str, by: Actor = COUNTY_DOCTOR) -> None:
        """Run as the queue would, in this process."""
        job = await actions.run(self.desk, id, actor=by, now=NOON)
        async with self.db.connection() as connection:
            begun = await jobs.begin(connection, job, now=utc_now())
        assert begun
        running = Running(self.db, begun)
        await taking.take(running, store=self.app.state.fhir, blobs=self.blobs, keys=self.desk.keys)
        async with self.db.connection() as connection:
            await jobs.end(connection, running.job, now=NOON)

    async def objects(self, id: str, by: Actor = COUNTY_DOCTOR) -> list[pydicom.Dataset]:
        archive = await self.zip(id, by)
        names = [name for name in archive.namelist() if name.endswith(".dcm")]
        return [pydicom.dcmread(BytesIO(archive.read(name))) for name in names]

    async def zip(self, id: str, by: Actor = COUNTY_DOCTOR) -> zipfile.ZipFile:
        parts = await actions.download(self.desk, id, actor=by, now=NOON)
        return zipfile.ZipFile(BytesIO(b"".join([part async for part in parts])))

    async def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        async with self.db.connection() as connection:
            return await (await connection.execute(statement.encode(), values)).fetchall()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        stop = asyncio.Event()
        runner = Runner(self.db, works(self.settings, self.app.state.fhir, self.blobs), stop)
        task = asyncio.create_task(serve(runner, self.url, lambda: None))
        yield
        stop.set()
        await task


@pytest_asyncio.fixture
async def house(db: Database, database_url: str, tmp_path: Path) -> House:
    return House(db, database_url, tmp_path)


def pictures(patient: str, count: int = 1, **attributes: Any) -> list[bytes]:
    """One study of a patient."""
    study, series = generate_uid(), generate_uid()
    name = {"PatientID": patient, "PatientName": f"Name{patient}^Given"}
    return [
        a_picture(StudyInstanceUID=study, SeriesInstanceUID=series, InstanceNumber=n,
                  **(name | attributes))
        for n in range(1, count + 1)
    ]  # fmt: skip


async def test_the_same_patient_is_one_subject_and_in_another_project_another(
    house: House,
) -> None:
    first = await house.sent(*pictures("P100", 2), *pictures("P100"), *pictures("P200"))
    one, two = await house.project(first), await house.project(first)
    await house.take(one)
    await house.take(two)
    found = await house.objects(one)
    assert len(found) == 4
    assert len({each.PatientID for each in found}) == 2
    assert len({each.StudyInstanceUID for each in found}) == 3
    others = await house.objects(two)
    assert {each.PatientID for each in found}.isdisjoint(each.PatientID for each in others)
    assert {each.StudyInstanceUID for each in found}.isdisjoint(first)
    assert {each.SOPInstanceUID for each in found}.isdisjoint(
        each.SOPInstanceUID for each in others
    )
    archive = await house.zip(one)
    assert b"Name" not in b"".join(archive.read(each) for each in archive.namelist())
    rows = list(csv.DictReader(StringIO(archive.read("objects.csv").decode())))
    assert {row["instance"] for row in rows} == {each.SOPInstanceUID for each in found}


async def test_a_later_study_joins_its_subject_and_only_what_is_new_is_taken(
    house: House,
) -> None:
    id = await house.project(await house.sent(*pictures("P100")))
    await house.take(id)
    (before,) = await house.objects(id)
    later = await house.sent(*pictures("P100"))
    await actions.add_studies(house.desk, id, later, actor=COUNTY_DOCTOR, now=NOON)
    await house.take(id)
    found = await house.objects(id)
    assert len(found) == 2
    assert {each.PatientID for each in found} == {before.PatientID}
    seen = await actions.see(house.desk, id, actor=COUNTY_DOCTOR)
    assert (seen.result.subjects, seen.result.studies, seen.result.objects) == (1, 2, 2)
    assert seen.progress
    assert (seen.progress.done, seen.progress.total) == (1, 1)


async def test_the_record_of_the_patient_tells_what_else_to_look_for(house: House) -> None:
    (study,) = await house.sent(*pictures("P100", ConvolutionKernel="TEMUULEN", StationName="X"))
    patient = {"resourceType": "Patient", "name": [{"family": "Temuulen", "given": ["Bat"]}]}
    async with house.db.transaction() as tx:
        made = await house.app.state.fhir.create(
            tx, body.of(patient), actor=COUNTY_DOCTOR, now=NOON
        )
        await house.archive.attach(tx, study, made.id, actor=COUNTY_DOCTOR, now=NOON)
    id = await house.project([study])
    await house.take(id)
    (found,) = await house.objects(id)
    assert found.ConvolutionKernel == "REMOVED"


async def test_a_stopped_run_goes_on_and_takes_nothing_twice(house: House) -> None:
    id = await house.project(await house.sent(*pictures("P100", 3)))
    job = await actions.run(house.desk, id, actor=COUNTY_DOCTOR, now=NOON)
    for stopped_after in (1, 2, None):
        async with house.db.connection() as connection:
            begun = await jobs.begin(connection, job, now=utc_now())
        assert begun
        running = _StoppedAfter(house.db, begun, stopped_after)
        try:
            await taking.take(
                running, store=house.app.state.fhir, blobs=house.blobs, keys=house.desk.keys
            )
        except Paused:
            continue
    assert (running.job.done, running.job.total) == (3, 3)
    assert len(await house.objects(id)) == 3


class _StoppedAfter(Running):
    def __init__(self, db: Database, job: jobs.Job, done: int | None) -> None:
        super().__init__(db, job)
        self.most = done

    def go_on(self) -> None:
        if self.job.done == self.most:
            self.stop.set()
        super().go_on()


async def test_new_studies_can_be_kept_as_the_projects_organisations_own(house: House) -> None:
    studies = await house.sent(*pictures("P100", 2))
    id = await house.project(studies, replace(TERMS, stored=True))
    await house.take(id)
    found = await house.objects(id)
    rows = await house.rows(
        "SELECT owner, patient_id, instances FROM imaging_study WHERE uid = %s",
        found[0].StudyInstanceUID,
    )
    assert rows == [("county", found[0].PatientID, 2)]
    subject = await house.rows(
        "SELECT content::text FROM fhir_resource r JOIN imaging_study s ON s.resource = r.id "
        "WHERE s.uid = %s AND r.type = 'ImagingStudy'",
        found[0].StudyInstanceUID,
    )
    assert "NameP100" not in str(subject)
    await actions.discard(house.desk, id, actor=COUNTY_DOCTOR, now=NOON)
    assert await house.rows("SELECT 1 FROM imaging_study WHERE uid = %s", found[0].StudyInstanceUID)


async def test_what_cannot_be_cleaned_is_counted_with_its_reason(house: House) -> None:
    pair = [*pictures("P100"), *pictures("P100", BurnedInAnnotation="YES")]
    id = await house.project(await house.sent(*pair))
    await house.take(id)
    seen = await actions.see(house.desk, id, actor=COUNTY_DOCTOR)
    assert seen.refusals == (("deidentify.burned-in", 1),)
    assert seen.result.objects == 1


async def test_nobody_but_members_knows_of_a_project(house: House) -> None:
    id = await house.project(await house.sent(*pictures("P100")))
    for stranger in (COLLEAGUE, LEAD_EXPERT):
        rows, _ = await actions.see_all(house.desk, 0, actor=stranger)
        assert rows == []
        for act in (
            actions.see(house.desk, id, actor=stranger),
            actions.run(house.desk, id, actor=stranger, now=NOON),
            actions.download(house.desk, id, actor=stranger, now=NOON),
            actions.discard(house.desk, id, actor=stranger, now=NOON),
            actions.who_is(house.desk, id, "S", "incidental finding", actor=stranger, now=NOON),
        ):
            with pytest.raises(NotFound):
                await act
    for role in ("desk-county", "admin-lead"):
        with pytest.raises(Forbidden):
            await actions.create(house.desk, TERMS, actor=actor(role), now=NOON)


async def test_a_study_of_somebody_else_cannot_be_chosen_nor_taken(house: House) -> None:
    foreign = await house.sent(*pictures("P900"), by=LEAD_EXPERT)
    id = await house.project(await house.sent(*pictures("P100")))
    with pytest.raises(NotFound):
        await actions.add_studies(house.desk, id, foreign, actor=COUNTY_DOCTOR, now=NOON)
    # Chosen while it was shared, and closed since: the run does not take it.
    async with house.db.connection() as connection:
        await connection.execute(
            "INSERT INTO deidentify_study VALUES (%s, %s, now())", (id, foreign[0])
        )
    await house.take(id)
    assert len(await house.objects(id)) == 1
    found = await actions.candidates(house.desk, id, "P900", actor=COUNTY_DOCTOR)
    assert found == ()


async def test_the_keeper_alone_may_ask_who_it_is_and_the_trail_remembers(house: House) -> None:
    id = await house.project(await house.sent(*pictures("P100")))
    await house.take(id)
    async with house.db.connection() as connection:
        await connection.execute(
            "INSERT INTO deidentify_member VALUES (%s, %s, 'Zhao Min')", (id, COLLEAGUE.id)
        )
    (found,) = await house.objects(id, by=COLLEAGUE)
    subject, why = found.PatientID, "incidental nodule"
    with pytest.raises(Forbidden):
        await actions.who_is(house.desk, id, subject, why, actor=COLLEAGUE, now=NOON)
    with pytest.raises(Invalid):
        await actions.who_is(house.desk, id, subject, "why", actor=COUNTY_DOCTOR, now=NOON)
    known = await actions.who_is(house.desk, id, subject, why, actor=COUNTY_DOCTOR, now=NOON)
    assert known == ["number:county||P100"]
    acts = [act for (act,) in await house.rows("SELECT act FROM audit_event ORDER BY at, act")]
    assert acts.count("deidentify.who-is") == 1
    expected = {"create", "add-study", "run", "download", "who-is"}
    assert {f"deidentify.{one}" for one in expected} <= set(acts)


async def test_with_the_project_goes_everything_that_leads_back(house: House) -> None:
    id = await house.project(await house.sent(*pictures("P100")))
    await house.take(id)
    ((blob,),) = await house.rows("SELECT blob FROM deidentify_object")
    await actions.discard(house.desk, id, actor=COUNTY_DOCTOR, now=NOON)
    for table in ("project", "object", "secret_key", "secret_subject", "secret_origin"):
        assert await house.rows(f"SELECT 1 FROM deidentify_{table}") == []  # noqa: S608
    with pytest.raises(NotFound):
        await house.blobs.get(blob)
    assert await house.rows("SELECT 1 FROM imaging_study") != []


async def test_a_program_leads_a_project_through_the_api_and_the_queue(house: House) -> None:
    (study,) = await house.sent(*pictures("P100", 2))
    async with house.db.transaction() as tx:
        scopes = parse_scopes("system/ImagingStudy.cruds")
        secret = await issue_token(tx, scopes, timedelta(hours=1), organisation="county")
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=house.app),
        base_url="http://serai.test",
        headers={"Authorization": f"Bearer {secret}"},
    ) as client:
        base = "/api/deidentification"
        asked = {"name": "Chest", "purpose": "Research", "options": ["retain-modified-dates"]}
        refused = await client.post(base, json=asked | {"unknown": 1})
        assert refused.status_code == 422
        refused = await client.post(base, json=asked | {"options": ["retain-uids"], "stored": True})
        assert (refused.status_code, refused.json()["error"]["key"]) == (
            422,
            "deidentify.stored-needs-new-uids",
        )
        at = f"{base}/{(await client.post(base, json=asked)).json()['id']}"
        assert (await client.get(f"{at}/objects.zip")).status_code == 409
        added = await client.post(f"{at}/studies", json={"studies": [study]})
        assert added.status_code == 204
        async with house.working():
            assert (await client.post(f"{at}/run")).status_code == 202
            for _ in range(300):
                seen = (await client.get(at)).json()
                if seen["run"]["status"] not in ("waiting", "running"):
                    break
                await asyncio.sleep(0.1)
        assert seen["run"] == {"status": "done", "done": 2, "total": 2, "error": None}
        assert (seen["result"]["objects"], seen["left_out"]) == (2, {})
        archive = await client.get(f"{at}/objects.zip")
        assert archive.headers["content-type"] == "application/zip"
        assert len(zipfile.ZipFile(BytesIO(archive.content)).namelist()) == 4
        assert [one["name"] for one in (await client.get(base)).json()["projects"]] == ["Chest"]
        assert (await client.delete(at)).status_code == 204
        assert (await client.get(at)).status_code == 404
