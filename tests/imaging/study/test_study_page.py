from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import pytest
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid
from tests.imaging.documents.reports import (
    a_ct_dose_report,
    a_paper,
    a_report,
    a_selection,
    dcm,
    number,
)
from tests.imaging.objects import a_picture, uid
from tests.imaging.presentation.states import a_state
from tests.imaging.serving import Server
from tests.imaging.uploading import Client
from tests.imaging.viewer.browsing import doctor_cookie

from serai.fhir import body
from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive
from serai.kernel.actor import Actor, Kind
from serai.kernel.clock import utc_now
from serai.platform.blobs import Blobs
from serai.platform.db import Database

CT = "1.2.840.10008.5.1.4.1.1.2"
CLERK = Actor(
    "county.clerk", Kind.MACHINE, "Clerk", "system", "county", None, frozenset({"system/*.cruds"})
)


@dataclass(frozen=True, slots=True)
class Reader:
    """One person's session."""

    server: Server
    cookie: str

    def get(self, path: str, language: str = "en") -> httpx.Response:
        headers = {"Cookie": f"serai_session={self.cookie}", "Accept-Language": language}
        return httpx.get(f"{self.server.url}{path}", headers=headers)


@dataclass(frozen=True, slots=True)
class Chest:
    """A CT of eleven slices with everything that readers and devices add to one."""

    study: str
    slices: Sequence[bytes]
    added: Sequence[bytes]


def a_chest(products: Sequence[str] = ("210.25", "105.50"), total: str = "315.75") -> Chest:
    study, series = generate_uid(), generate_uid()
    slices = [
        a_picture(
            StudyInstanceUID=study,
            SeriesInstanceUID=series,
            SOPClassUID=CT,
            SeriesDescription="Lung 1.0",
            SeriesNumber=2,
            InstanceNumber=index,
            StudyDescription="Chest CT",
        )
        for index in range(1, 12)
    ]
    length = number(Code("410668003", "SCT", "Length"), "18.9", Code("mm", "UCUM", "mm"))
    added = [
        a_report(study, dcm("126000", "Imaging Measurement Report"), [length]),
        a_ct_dose_report(study, products, total),
        a_selection(study, series, CT, [uid(slices[5])]),
        a_paper(study, b"%PDF-1.4 letter"),
        a_state(study, series, [uid(slices[5])]),
    ]
    return Chest(study, slices, added)


@pytest.fixture(scope="module")
def county(shared_server: Server) -> Reader:
    return Reader(shared_server, doctor_cookie(shared_server, "county"))


def test_a_study_tells_what_it_holds(shared_server: Server, county: Reader) -> None:
    chest = a_chest()
    sent = Client.of(shared_server, "county").store(*chest.slices, *chest.added)
    assert sent.status_code == 200
    answer = county.get(f"/studies/{chest.study}")
    assert answer.status_code == 200
    page = " ".join(answer.text.split())
    for shown in (
        "Chest CT",
        "Lung 1.0",
        "11 images",
        "1 presentation",
        f"/instances/{uid(chest.slices[5])}/thumbnail",
        "Imaging Measurement Report",
        "18.9</span> mm",
        "315.75",
        "the events add up to it",
        "Nodule, right upper lobe",
        "Discharge letter",
        "NODULE",
        "hangingprotocolId=mpr",
        f"/viewer/viewer?StudyInstanceUIDs={chest.study}",
    ):
        assert shown in page, shown
    assert "序列" in county.get(f"/studies/{chest.study}", "zh").text


def test_a_dose_that_does_not_add_up_is_marked(shared_server: Server, county: Reader) -> None:
    client = Client.of(shared_server, "county")
    wrong = a_chest(total="900")
    unreadable = a_chest(products=("100", "10.50/ 15.00"), total="125.5")
    client.store(wrong.slices[0], *wrong.added)
    client.store(unreadable.slices[0], *unreadable.added)
    assert "the events add up to 315.75" in county.get(f"/studies/{wrong.study}").text
    page = county.get(f"/studies/{unreadable.study}").text
    assert "10.50/ 15.00" in page
    assert "1 value is not a number" in page


def test_an_xray_says_its_own_dose_when_no_report_does(
    shared_server: Server, county: Reader
) -> None:
    content = a_picture(Modality="DX", ImageAndFluoroscopyAreaDoseProduct="1.7")
    Client.of(shared_server, "county").store(content)
    page = county.get(f"/studies/{uid(content, 'StudyInstanceUID')}").text
    assert "Dose area product (DAP)" in page
    assert "dGy.cm2" in page


def test_the_hospital_next_door_learns_nothing(shared_server: Server) -> None:
    chest = a_chest()
    Client.of(shared_server, "county").store(*chest.slices)
    neighbour = Reader(shared_server, doctor_cookie(shared_server, "township"))
    there, nowhere = (neighbour.get(f"/studies/{each}") for each in (chest.study, "1.2.3"))
    assert (there.status_code, nowhere.status_code) == (404, 404)
    assert there.text.replace(chest.study, "") == nowhere.text.replace("1.2.3", "")
    film = f"/studies/{chest.study}/films/{uid(chest.slices[0], 'SeriesInstanceUID')}/1.2"
    assert neighbour.get(film).status_code == 404


def test_the_study_before_is_offered_beside_it(shared_server: Server, county: Reader) -> None:
    older = a_picture(StudyDate="20250101", PatientID="P77")
    newer = a_picture(StudyDate="20260101", PatientID="P77")
    other = a_picture(StudyDate="20240101", PatientID="P77")
    Client.of(shared_server, "county").store(older, newer, other)
    first, second = (uid(each, "StudyInstanceUID") for each in (older, newer))
    asyncio.run(_same_patient(shared_server, [first, second]))
    assert f"StudyInstanceUIDs={second},{first}&amp;hangingprotocolId" in _page(county, second)
    assert "hangingprotocolId=%40ohif" not in _page(county, first)


def _page(reader: Reader, study: str) -> str:
    return reader.get(f"/studies/{study}").text


async def _same_patient(server: Server, studies: Sequence[str]) -> None:
    db = await Database.open(server.database_url, max_size=2)
    fhir = FhirStore()
    archive = Archive(fhir, Blobs(server.home))
    try:
        async with db.transaction() as tx:
            stored = await fhir.create(
                tx, body.of({"resourceType": "Patient"}), actor=CLERK, now=utc_now()
            )
            for study in studies:
                await archive.attach(tx, study, stored.id, actor=CLERK, now=utc_now())
    finally:
        await db.close()
