from __future__ import annotations

import psycopg
from pydicom.sr.coding import Code
from tests.imaging.documents.reports import a_report, dcm, number
from tests.imaging.objects import a_picture, uid
from tests.imaging.serving import Server
from tests.imaging.study.test_study_page import Reader
from tests.imaging.uploading import Client
from tests.imaging.viewer.browsing import doctor_cookie

SHARE = """INSERT INTO fhir_share
           SELECT 'township', 'ImagingStudy', resource, 'Task/1', now()
           FROM imaging_study WHERE uid = %s"""


def test_a_reader_with_an_open_reason_sees_just_that_study_and_adds_nothing(
    server: Server,
) -> None:
    county, township = Client.of(server, "county"), Client.of(server, "township")
    asked, other = a_picture(StudyDate="20260301"), a_picture(StudyDate="20250301")
    county.store(asked, other)
    study = uid(asked, "StudyInstanceUID")
    with psycopg.connect(server.database_url, autocommit=True) as connection:
        connection.execute(SHARE, (study,))
    found = township.found("/studies", PatientID="P1")
    assert [each["0020000D"]["Value"] for each in found] == [[study]]
    reader = Reader(server, doctor_cookie(server, "township"))
    assert reader.get(f"/studies/{study}").status_code == 200
    assert reader.get(f"/studies/{uid(other, 'StudyInstanceUID')}").status_code == 404
    length = number(Code("410668003", "SCT", "Length"), "18.9", Code("mm", "UCUM", "mm"))
    report = a_report(study, dcm("126000", "Imaging Measurement Report"), [length])
    refused = township.store(report)
    assert refused.status_code == 409
    reason = refused.json()["00081198"]["Value"][0]["00000902"]["Value"]
    assert reason == ["Study UID of another organisation"]
