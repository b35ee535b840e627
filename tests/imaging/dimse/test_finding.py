from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from tests.imaging.dimse.calling import as_data_set, associated, find, matches, run, send
from tests.imaging.objects import a_picture

from serai.imaging import reasons
from serai.imaging.dimse import Listener
from serai.imaging.dimse.finding import PATIENT_ROOT_FIND as PATIENT_ROOT
from serai.imaging.dimse.finding import STUDY_ROOT_FIND as STUDY_ROOT

LI, WANG, MUELLER = "1.2.1", "1.2.2", "1.2.3"
STUDIES = (
    {
        "StudyInstanceUID": LI, "PatientID": "P1", "PatientName": "Li^Wei=李^伟",
        "StudyDate": "20260301", "StudyTime": "081500", "AccessionNumber": "A1",
        "SeriesInstanceUID": "1.2.1.1", "SOPInstanceUID": "1.2.1.1.1", "Modality": "CT",
        "StudyDescription": "胸部CT", "charset": "GB18030",
    },
    {
        "StudyInstanceUID": WANG, "PatientID": "P2", "PatientName": "Wang^Fang",
        "StudyDate": "20260305", "StudyTime": "120000", "AccessionNumber": "A2",
        "SeriesInstanceUID": "1.2.2.1", "SOPInstanceUID": "1.2.2.1.1", "Modality": "MR",
    },
    {
        "StudyInstanceUID": MUELLER, "PatientID": "P3", "PatientName": "Müller^Jörg",
        "StudyDate": "20260310", "StudyTime": "170000", "AccessionNumber": "A3",
        "SeriesInstanceUID": "1.2.3.1", "SOPInstanceUID": "1.2.3.1.1", "Modality": "CT",
        "charset": "ISO_IR 100",
    },
)  # fmt: skip


@pytest.fixture
def archive(listener: Listener) -> Listener:
    statuses = send(listener, *(a_picture(**study) for study in STUDIES))
    assert statuses == [0, 0, 0]
    return listener


def study_uids(found: list[Dataset]) -> set[str]:
    return {str(each.StudyInstanceUID) for each in found}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"PatientID": "P2"}, {WANG}),
        ({"PatientName": "li*"}, {LI}),
        ({"PatientName": "李*", "SpecificCharacterSet": "GB18030"}, {LI}),
        ({"PatientName": "李*", "SpecificCharacterSet": "ISO_IR 192"}, {LI}),
        ({"PatientName": "*=李^伟", "SpecificCharacterSet": "ISO_IR 192"}, {LI}),
        ({"PatientName": "MÜLLER*", "SpecificCharacterSet": "ISO_IR 100"}, {MUELLER}),
        ({"PatientName": "?ang^*"}, {WANG}),
        ({"StudyDate": "20260305-"}, {WANG, MUELLER}),
        ({"StudyDate": "20260301-20260305"}, {LI, WANG}),
        ({"StudyDate": "20260301-20260310", "StudyTime": "100000-160000"}, {WANG}),
        ({"StudyInstanceUID": [LI, MUELLER]}, {LI, MUELLER}),
        ({"ModalitiesInStudy": "CT"}, {LI, MUELLER}),
        ({"AccessionNumber": "A?"}, {LI, WANG, MUELLER}),
        ({"PatientID": "NOBODY"}, set()),
        ({}, {LI, WANG, MUELLER}),
    ],
    ids=str,
)
def test_studies_are_found_by(archive: Listener, keys: dict[str, Any], expected: set[str]) -> None:
    asked = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": "", "PatientName": ""}
    assert study_uids(matches(archive, STUDY_ROOT, asked | keys)) == expected


def test_an_answer_has_what_was_asked_for_and_where_to_get_it(archive: Listener) -> None:
    (found,) = matches(
        archive,
        STUDY_ROOT,
        {
            "QueryRetrieveLevel": "STUDY", "PatientID": "P1", "PatientName": "",
            "StudyDescription": "", "ModalitiesInStudy": "", "NumberOfStudyRelatedSeries": None,
            "NumberOfStudyRelatedInstances": None, "ReferringPhysicianName": "",
        },
    )  # fmt: skip
    assert str(found.PatientName) == "Li^Wei=李^伟"
    assert found.StudyDescription == "胸部CT"
    assert found.SpecificCharacterSet == "ISO_IR 192"
    assert found.ModalitiesInStudy == "CT"
    assert (found.NumberOfStudyRelatedSeries, found.NumberOfStudyRelatedInstances) == (1, 1)
    assert found.RetrieveAETitle == "SERAI"
    assert found.ReferringPhysicianName == ""
    assert found.QueryRetrieveLevel == "STUDY"
    assert "StudyTime" not in found


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("GB18030", "GB18030"), ("ISO_IR 100", "ISO_IR 192"), ("ISO_IR 192", "ISO_IR 192")],
)
def test_names_are_answered_in_the_asking_character_set_if_it_has_their_letters(
    archive: Listener, asked: str, answered: str
) -> None:
    keys = {"QueryRetrieveLevel": "STUDY", "SpecificCharacterSet": asked, "PatientID": "P1"}
    (found,) = matches(archive, STUDY_ROOT, keys | {"PatientName": ""})
    assert found.SpecificCharacterSet == answered
    assert str(found.PatientName) == "Li^Wei=李^伟"


def test_every_level_is_found(archive: Listener) -> None:
    (patient,) = matches(
        archive,
        PATIENT_ROOT,
        {"QueryRetrieveLevel": "PATIENT", "PatientID": "P1", "NumberOfPatientRelatedStudies": None},
    )
    assert (patient.PatientID, patient.NumberOfPatientRelatedStudies) == ("P1", 1)
    (series,) = matches(
        archive,
        STUDY_ROOT,
        {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": LI, "Modality": ""},
    )
    assert (series.SeriesInstanceUID, series.Modality) == ("1.2.1.1", "CT")
    (instance,) = matches(
        archive,
        PATIENT_ROOT,
        {
            "QueryRetrieveLevel": "IMAGE", "PatientID": "P1", "StudyInstanceUID": LI,
            "SeriesInstanceUID": "1.2.1.1", "Rows": None, "SOPClassUID": "",
        },
    )  # fmt: skip
    assert (instance.SOPInstanceUID, instance.Rows) == ("1.2.1.1.1", 8)


def test_one_number_at_two_hospitals_is_two_patients(archive: Listener) -> None:
    other = a_picture(StudyInstanceUID="1.2.9", PatientID="P1", PatientName="Zhao^Min")
    assert send(archive, other, caller="TOWNSHIP") == [0]
    keys = {"QueryRetrieveLevel": "PATIENT", "PatientID": "P1", "PatientName": ""}
    (ours,) = matches(archive, PATIENT_ROOT, keys)
    (theirs,) = matches(archive, PATIENT_ROOT, keys, caller="TOWNSHIP")
    assert str(ours.PatientName) == "Li^Wei=李^伟"
    assert str(theirs.PatientName) == "Zhao^Min"


def test_nobody_finds_what_another_organisation_keeps(archive: Listener) -> None:
    keys = {"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""}
    assert matches(archive, STUDY_ROOT, keys, caller="TOWNSHIP") == []


def test_keys_that_are_not_kept_are_answered_with_a_warning(archive: Listener) -> None:
    keys = {"QueryRetrieveLevel": "STUDY", "PatientID": "P1", "StationName": "CT1"}
    answers = find(archive, STUDY_ROOT, keys)
    assert [status for status, _ in answers] == [0xFF01, 0x0000]


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize(
    ("model", "keys", "status"),
    [
        (STUDY_ROOT, {"PatientID": "P1"}, reasons.DOES_NOT_MATCH),
        (STUDY_ROOT, {"QueryRetrieveLevel": "PATIENT"}, reasons.DOES_NOT_MATCH),
        (STUDY_ROOT, {"QueryRetrieveLevel": "FRAME"}, reasons.DOES_NOT_MATCH),
        (
            STUDY_ROOT,
            {"QueryRetrieveLevel": "STUDY", "StudyDate": "20261301-20261399"},
            reasons.DOES_NOT_MATCH,
        ),
    ],
    ids=str,
)
def test_identifiers_that_make_no_sense_are_refused(
    archive: Listener, model: str, keys: dict[str, Any], status: int
) -> None:
    assert find(archive, model, keys)[-1][0] == status


def test_a_peer_that_may_not_query_gets_no_context_for_it(archive: Listener) -> None:
    with associated(archive, "MODALITY", "1.2.840.10008.1.1", STUDY_ROOT) as association:
        accepted = [str(each.abstract_syntax) for each in association.accepted_contexts]
    assert accepted == ["1.2.840.10008.1.1"]


def test_a_query_can_be_cancelled(listener: Listener) -> None:
    send(listener, *(a_picture(PatientID="MANY") for _ in range(60)))
    keys = {"QueryRetrieveLevel": "STUDY", "PatientID": "MANY"}
    with associated(listener, "STATION", STUDY_ROOT) as association:
        statuses: list[int] = []
        responses = association.send_c_find(as_data_set(keys), STUDY_ROOT, msg_id=7)
        for status, _ in responses:
            if not statuses:
                association.send_c_cancel(7, query_model=STUDY_ROOT)
            statuses.append(status.Status)
    assert statuses[-1] in (0xFE00, 0x0000)
    assert statuses[-1] == 0xFE00 or len(statuses) == 61


def test_dcmtk_finds_a_study(archive: Listener, tmp_path: Path) -> None:
    answer = run(
        "findscu", "-S", "-aet", "STATION", "-aec", "SERAI", "-X", "-k", "QueryRetrieveLevel=STUDY",
        "-k", "PatientName=Wang*", "-k", "StudyInstanceUID", "127.0.0.1", str(archive.port),
        cwd=tmp_path,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert WANG.encode() in (tmp_path / "rsp0001.dcm").read_bytes()
    assert not (tmp_path / "rsp0002.dcm").exists()


@pytest.mark.parametrize(
    ("charset", "name", "key"),
    [
        ("ISO_IR 101", "Wałęsa^Łucja", "wałęsa*"),
        ("ISO_IR 110", "Bērziņš^Jānis", "BĒRZIŅŠ*"),
        ("ISO_IR 144", "Иванов^Пётр", "иван*"),
        ("ISO_IR 127", "قباني^لنزار", "قبا*"),
        ("ISO_IR 126", "Διονυσιος", "διον*"),
        ("ISO_IR 138", "שרון^דבורה", "שרון*"),
        ("ISO_IR 148", "Çavuşoğlu^Gül", "cavus*"),
        ("ISO_IR 166", "สมชาย^ใจดี", "สมชาย*"),
        ("ISO_IR 192", "Nguyễn^Văn Đặng", "nguyen*"),
        ("GB18030", "Wang^XiaoDong=王^小东", "王*"),
        ("GBK", "Wang^XiaoDong=王^小东", "王^小*"),
        (["", "ISO 2022 IR 58"], "Zhang^XiaoDong=张^小东", "张*"),
        (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동", "홍*"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "山田*"),
    ],
    ids=str,
)
def test_names_are_found_in_their_own_character_set(
    listener: Listener, charset: str | list[str], name: str, key: str
) -> None:
    assert send(listener, a_picture(PatientName=name, charset=charset)) == [0]
    keys = {"QueryRetrieveLevel": "STUDY", "SpecificCharacterSet": charset, "PatientName": key}
    (found,) = matches(listener, STUDY_ROOT, keys)
    assert str(found.PatientName) == name
