"""Registering, finding and filling a chart, on a real database and archive."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import pytest_asyncio
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from tests.care.hospitals import (
    COUNTY_DOCTOR,
    LEAD_EXPERT,
    NOON,
    TOWNSHIP_DOCTOR,
    actor,
    an_observation,
    put,
)
from tests.imaging.ecg.samples import kept

from serai.care.chart import actions
from serai.care.chart.actions import Charts
from serai.care.chart.model import Identifier, Kind, Registration, Sex
from serai.care.consultation.records import Consultations
from serai.imaging.archive import Archive
from serai.kernel.errors import Conflict, Forbidden, Invalid, NotFound, SeraiError
from serai.platform.blobs import Blobs

WANG = Registration(
    "王",
    "小明",
    Sex.MALE,
    date(1960, 5, 1),
    other_name="Wang Xiaoming",
    identifier=Identifier("national-id", "532901196005012345"),
    phone="0871 555",
)


@pytest_asyncio.fixture
async def charts(kept: Consultations, tmp_path: Path) -> Charts:
    return Charts(kept.db, kept.fhir, Archive(kept.fhir, Blobs(tmp_path)))


async def register(
    charts: Charts, registration: Registration = WANG, despite: frozenset[str] = frozenset()
) -> str:
    made = await actions.register(
        charts, registration, despite=despite, actor=COUNTY_DOCTOR, now=NOON
    )
    return made.id


@pytest.mark.parametrize(
    "text",
    ["王", "王小明", "xiaoming", "Wang", "532901196005012345", "1960-05-01", "wang 1960-05-01"],
)
async def test_a_patient_is_found_by_name_in_any_script_number_and_birth_date(
    charts: Charts, text: str
) -> None:
    made = await register(charts)
    assert [one.id for one in await actions.find(charts, text, actor=COUNTY_DOCTOR)] == [made]
    assert await actions.find(charts, text, actor=TOWNSHIP_DOCTOR) == ()


async def test_what_was_entered_is_what_the_banner_shows(charts: Charts) -> None:
    made = await register(charts)
    chart = await actions.open_chart(charts, made, None, 1, actor=COUNTY_DOCTOR)
    person = chart.person
    assert (person.name, person.other_name, person.sex) == ("王小明", "Wang Xiaoming", "male")
    assert (person.birth_date, person.phone) == ("1960-05-01", "0871 555")
    assert person.identifiers == (Identifier("national-id", "532901196005012345"),)
    assert chart.ours


@pytest.mark.parametrize(
    "again",
    [
        replace(WANG, family="李", given="四", other_name="", birth_date=date(1990, 1, 1)),
        replace(WANG, identifier=None),
        replace(WANG, identifier=Identifier("passport", "E1234")),
    ],
)
async def test_the_same_number_or_the_same_name_and_birth_date_warn(
    charts: Charts, again: Registration
) -> None:
    first = await register(charts)
    with pytest.raises(Conflict) as refusal:
        await register(charts, again)
    assert refusal.value.key == "chart.look-alikes"
    assert await register(charts, again, despite=frozenset({first})) != first


async def test_a_namesake_born_another_day_is_somebody_else(charts: Charts) -> None:
    await register(charts)
    await register(charts, replace(WANG, identifier=None, birth_date=date(1961, 5, 1)))


async def test_an_administrator_registers_nobody(charts: Charts) -> None:
    with pytest.raises(Forbidden):
        await actions.register(
            charts, WANG, despite=frozenset(), actor=actor("admin-lead"), now=NOON
        )


@dataclass
class File:
    filename: str | None
    file: BinaryIO


def a_ct(study: str, *, name: str = "Wang^Xiaoming", born: str = "19600501") -> bytes:
    path = get_testdata_file("CT_small.dcm")
    data = dcmread(str(path))
    data.StudyInstanceUID = study
    data.PatientName = name
    data.PatientBirthDate = born
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    buffer = io.BytesIO()
    data.save_as(buffer)
    return buffer.getvalue()


def a_file(name: str, content: bytes) -> File:
    return File(name, io.BytesIO(content))


async def test_pictures_come_into_the_record_and_what_is_none_is_told(charts: Charts) -> None:
    made = await register(charts)
    study = generate_uid()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("CD/IM001", a_ct(study))
        archive.writestr("CD/DICOMDIR", b"directory")
        archive.writestr("CD/readme.txt", b"not a picture")
    attached = await actions.attach_pictures(
        charts,
        made,
        [
            a_file("one.dcm", a_ct(study)),
            a_file("cut.dcm", a_ct(study)[:2000]),
            a_file("disc.zip", packed.getvalue()),
        ],
        actor=COUNTY_DOCTOR,
        now=NOON,
    )
    assert (attached.kept, attached.studies, attached.doubts) == (2, (study,), ())
    assert {file.name: file.key for file in attached.refused} == {
        "cut.dcm": "dicom.truncated",
        "CD/readme.txt": "dicom.not-part10",
    }
    chart = await actions.open_chart(charts, made, None, 1, actor=COUNTY_DOCTOR)
    assert [(one.uid, one.instances) for one in chart.studies] == [(study, 2)]
    assert chart.timeline.counts[Kind.STUDY] == 1


async def test_pictures_that_name_somebody_else_raise_a_doubt(charts: Charts) -> None:
    made = await register(charts)
    content = a_ct(generate_uid(), name="Li^Si", born="19700101")
    attached = await actions.attach_pictures(
        charts, made, [a_file("x", content)], actor=COUNTY_DOCTOR, now=NOON
    )
    assert [doubt.differs for doubt in attached.doubts] == [("name", "birth-date")]
    assert attached.doubts[0].pictures.name == "Li Si"


async def test_a_study_never_moves_from_one_patient_to_another_by_upload(charts: Charts) -> None:
    study = generate_uid()
    first = await register(charts)
    second = await register(charts, Registration("李", "四", Sex.FEMALE, date(1980, 1, 1)))
    for patient in (first, second):
        attached = await actions.attach_pictures(
            charts, patient, [a_file("x", a_ct(study))], actor=COUNTY_DOCTOR, now=NOON
        )
    assert attached.studies == ()
    assert attached.refused[-1].key == "chart.study-of-another-patient"
    chart = await actions.open_chart(charts, first, None, 1, actor=COUNTY_DOCTOR)
    assert [one.uid for one in chart.studies] == [study]


async def test_a_broken_zip_is_refused_by_name(charts: Charts) -> None:
    made = await register(charts)
    attached = await actions.attach_pictures(
        charts,
        made,
        [a_file("disc.zip", b"PK\x03\x04 and then nothing")],
        actor=COUNTY_DOCTOR,
        now=NOON,
    )
    assert [(file.name, file.key) for file in attached.refused] == [
        ("disc.zip", "uploads.zip-broken")
    ]


@pytest.mark.parametrize("by", [TOWNSHIP_DOCTOR, LEAD_EXPERT])
async def test_nobody_adds_to_the_record_of_another_hospital(charts: Charts, by: Any) -> None:
    made = await register(charts)
    with pytest.raises((Forbidden, NotFound)):
        await actions.attach_pictures(charts, made, [a_file("x", b"")], actor=by, now=NOON)
    with pytest.raises((Forbidden, NotFound)):
        await actions.attach_document(charts, made, "x", b"%PDF-1.7", actor=by, now=NOON)


async def test_a_letter_is_kept_and_read_back(charts: Charts) -> None:
    made = await register(charts)
    reference = await actions.attach_document(
        charts, made, "Discharge letter", b"%PDF-1.7 ...", actor=COUNTY_DOCTOR, now=NOON
    )
    document = reference.removeprefix("DocumentReference/")
    found = await actions.open_document(charts, document, actor=COUNTY_DOCTOR)
    assert (found.title, found.content_type, found.content) == (
        "Discharge letter",
        "application/pdf",
        b"%PDF-1.7 ...",
    )
    with pytest.raises(NotFound):
        await actions.open_document(charts, document, actor=TOWNSHIP_DOCTOR)


@pytest.mark.parametrize("content", [b"<html><script>", b"MZ\x90", b""])
async def test_only_documents_that_a_browser_merely_shows_are_kept(
    charts: Charts, content: bytes
) -> None:
    made = await register(charts)
    with pytest.raises(Invalid):
        await actions.attach_document(charts, made, "x", content, actor=COUNTY_DOCTOR, now=NOON)


async def test_the_timeline_runs_from_new_to_old_and_filters(
    charts: Charts, kept: Consultations
) -> None:
    made = await register(charts)
    condition = {
        "resourceType": "Condition",
        "id": "htn",
        "clinicalStatus": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                    "code": "active",
                }
            ]
        },
        "code": {"text": "Hypertension"},
        "subject": {"reference": f"Patient/{made}"},
        "onsetDateTime": "2016-03",
    }
    allergy = {
        "resourceType": "AllergyIntolerance",
        "id": "penicillin",
        "clinicalStatus": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
                    "code": "active",
                }
            ]
        },
        "code": {"text": "Penicillin"},
        "patient": {"reference": f"Patient/{made}"},
    }
    readings = [
        an_observation(f"bp-{day}", made) | {"effectiveDateTime": f"2026-11-{day}"}
        for day in (18, 20, 19)
    ]
    await put(kept, condition, allergy, *readings, by=COUNTY_DOCTOR)
    chart = await actions.open_chart(charts, made, None, 1, actor=COUNTY_DOCTOR)
    days = [entry.at[:10] for entry in chart.timeline.entries]
    assert days == sorted(days, reverse=True)
    assert chart.timeline.counts[Kind.OBSERVATION] == 3
    assert [entry.title for entry in chart.summary.problems] == ["Hypertension"]
    assert [entry.title for entry in chart.summary.allergies] == ["Penicillin"]
    only = await actions.open_chart(charts, made, Kind.CONDITION, 1, actor=COUNTY_DOCTOR)
    assert {entry.title for entry in only.timeline.entries} == {"Hypertension", "Penicillin"}


async def test_a_chart_is_not_there_for_others(charts: Charts) -> None:
    made = await register(charts)
    with pytest.raises(SeraiError):
        await actions.open_chart(charts, made, None, 1, actor=TOWNSHIP_DOCTOR)


async def test_an_ecg_file_is_attached_like_a_picture(charts: Charts) -> None:
    made = await register(charts)
    content = kept("example.scp")
    attached = await actions.attach_pictures(
        charts,
        made,
        [a_file("ecg.scp", content), a_file("cut.scp", content[:900])],
        actor=COUNTY_DOCTOR,
        now=NOON,
    )
    assert (attached.kept, len(attached.studies)) == (1, 1)
    assert [file.key for file in attached.refused] == ["ecg.damaged"]
    chart = await actions.open_chart(charts, made, None, 1, actor=COUNTY_DOCTOR)
    assert [study.modalities for study in chart.studies] == [("ECG",)]
