"""A link shows one study to whoever holds it, and nothing more, until it ends."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pydicom
from tests.care.sharing.serving import OTHER, STUDY, House, pictures
from tests.imaging.documents.reports import a_ct_dose_report
from tests.imaging.objects import as_part10

JSON = {"Accept": "application/dicom+json"}
WEB = "/link/dicomweb"
INSTANCE = f"{WEB}/studies/{STUDY}/series/{STUDY}.1/instances/{STUDY}.1.1"
SECRETS = ("zhang", "张", "4711", "19580402", "qingshan", "zhao")


@contextmanager
def opened(county: House, path: str, passcode: str = "") -> Iterator[httpx.Client]:
    """The browser of somebody who has opened the link."""
    with county.somebody() as client:
        answer = client.post(path, data={"passcode": passcode})
        assert answer.status_code == 303, answer.text
        yield client


def test_a_link_shows_that_study_and_nothing_else(county: House) -> None:
    path, _ = county.make()
    with opened(county, path) as client:
        (study,) = client.get(f"{WEB}/studies", headers=JSON).json()
        assert study["0020000D"]["Value"] == [STUDY]
        assert study["00081190"]["Value"] == [f"{county.url}{WEB}/studies/{STUDY}"]
        assert client.get(f"{WEB}/studies?StudyInstanceUID={OTHER}", headers=JSON).json() == []
        assert client.get(f"{WEB}/studies?PatientID=HOSP-4711", headers=JSON).json() == [study]
        assert len(client.get(f"{WEB}/instances", headers=JSON).json()) == 2
        for shown in ("metadata", "rendered", "frames/1", "thumbnail"):
            assert client.get(f"{INSTANCE}/{shown}").status_code == 200
        kept = client.get(INSTANCE, headers={"Accept": "application/dicom"})
        assert kept.content == pictures()[:2][0]
        for closed in (f"{WEB}/studies/{OTHER}/metadata", f"{WEB}/trash", f"{WEB}/wado"):
            assert client.get(closed).status_code == 404
        assert client.post(f"{WEB}/studies", content=b"").status_code == 404
        assert client.delete(f"{WEB}/studies/{STUDY}").status_code == 404
        assert client.get(f"{WEB}/studies/{STUDY}?accept=application/zip").status_code == 403
        for elsewhere in ("/fhir/Patient", f"/dicomweb/studies/{STUDY}/metadata"):
            assert client.get(elsewhere).status_code == 401
        assert client.get(f"/api/studies/{STUDY}/links").status_code == 401


def test_links_that_never_were_or_have_ended_answer_alike(county: House) -> None:
    used_up, _ = county.make(STUDY, most_views="1")
    expired, _ = county.make()
    county.rows(
        "UPDATE study_link SET expires_at = now() - interval '1 minute' WHERE most_views IS NULL"
    )
    revoked, _ = county.make()
    with opened(county, used_up) as watching, opened(county, revoked) as interrupted:
        assert interrupted.get(f"{WEB}/studies", headers=JSON).status_code == 200
        assert county.revoke() == 2
        for client in (watching, interrupted):
            assert client.get(f"{WEB}/studies", headers=JSON).status_code == 404
            assert client.get("/link/viewer/viewer").status_code == 404
    answers = set()
    with county.somebody() as client:
        for path in (used_up, expired, revoked, "/link/s" + "A" * 43, "/link/x"):
            for answer in (client.get(path), client.post(path, data={"passcode": "123456"})):
                answers.add((answer.status_code, answer.text.replace(path, "")))
    assert {status for status, _ in answers} == {404}
    assert len(answers) == 1


def test_a_used_up_link_goes_on_for_whoever_is_looking(county: House) -> None:
    path, _ = county.make(STUDY, most_views="1")
    with opened(county, path) as client, county.somebody() as late:
        assert client.get(path).headers["Location"].startswith("/link/opened/")
        assert client.get(f"{WEB}/studies", headers=JSON).status_code == 200
        assert late.get(path).status_code == 404


def test_a_passcode_is_asked_for_and_guessing_locks_the_link(county: House) -> None:
    path, passcode = county.make(STUDY, "passcode")
    wrong = "000000" if passcode != "000000" else "111111"
    with county.somebody() as client:
        door = client.get(path).text
        assert not any(secret in door.lower() for secret in SECRETS)
        assert client.get(f"{WEB}/studies", headers=JSON).status_code == 404
        assert client.post(path, data={"passcode": wrong}).status_code == 403
        early = client.post(path, data={"passcode": passcode})
        assert (early.status_code, early.headers["Retry-After"]) == (429, "1")
        for _ in range(9):
            county.rows("UPDATE study_link SET next_try_at = NULL")
            refused = client.post(path, data={"passcode": wrong})
        assert "locked" in refused.text
        county.rows("UPDATE study_link SET next_try_at = NULL")
        assert client.post(path, data={"passcode": passcode}).status_code == 403
    fresh, passcode = county.make(STUDY, "passcode")
    with opened(county, fresh, f"{passcode[:3]} {passcode[3:]}") as client:
        assert client.get(f"{WEB}/studies", headers=JSON).status_code == 200


def test_every_opening_refusal_and_download_is_audited(county: House) -> None:
    path, passcode = county.make(STUDY, "passcode", "download")
    with county.somebody() as client:
        client.post(path, data={"passcode": "x"})
        county.rows("UPDATE study_link SET next_try_at = NULL")
        where = client.post(path, data={"passcode": passcode}).headers["Location"]
        archive = client.get(f"{where}/study.zip")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as found:
        kept = [found.read(name) for name in found.namelist() if name.startswith("DICOM/")]
    assert kept == pictures()[:2]
    county.revoke()
    ((id, resource),) = county.rows("SELECT id, resource FROM study_link")
    audited = county.rows(
        "SELECT act, actor, actor_name, resource, outcome FROM audit_event"
        " WHERE act LIKE 'link.%' ORDER BY sequence"
    )
    about, visitor = f"ImagingStudy/{resource}", (f"link-{id}", "127.0.0.1")
    assert [line[0] for line in audited] == [
        "link.make", "link.refuse", "link.open", "link.download", "link.revoke",
    ]  # fmt: skip
    assert audited[1:4] == [
        ("link.refuse", *visitor, about, "refused"),
        ("link.open", *visitor, about, "success"),
        ("link.download", *visitor, about, "success"),
    ]
    with county.staff("county") as client:
        page = client.get(f"/studies/{STUDY}/sharing").text
    for told in ("127.0.0.1", "opened", "wrong passcode", "downloaded", "Revoked", "Dr Chen"):
        assert told in page
    assert path.rpartition("/")[2] not in page
    assert path.rpartition("/")[2] not in str(
        county.rows("SELECT study_link::text FROM study_link")
    )


def test_a_link_that_hides_the_patient_tells_nobody_who_it_is(county: House) -> None:
    path, _ = county.make(STUDY, "hides_name", "download")
    with opened(county, path) as client:
        where = client.get(path).headers["Location"]
        told = [client.get(where).text]
        for address in ("studies?includefield=all", f"studies/{STUDY}/series?includefield=all",
                        "instances?includefield=all", f"studies/{STUDY}/metadata"):  # fmt: skip
            answer = client.get(f"{WEB}/{address}", headers=JSON)
            assert answer.status_code == 200
            assert answer.json()
            told.append(answer.text)
        (study,) = client.get(f"{WEB}/studies", headers=JSON).json()
        pseudonym = study["00100020"]["Value"][0]
        assert study["00100010"]["Value"] == [{"Alphabetic": "Anonymous"}]
        objects = [client.get(INSTANCE, headers={"Accept": "application/dicom"}).content]
        archive = client.get(f"{where}/study.zip").content
        with zipfile.ZipFile(io.BytesIO(archive)) as found:
            objects += [found.read(name) for name in found.namelist()]
        told += [content.decode("utf-8", "replace") for content in objects]
        assert [word for word in SECRETS for text in told if word in text.lower()] == []
        data_set = pydicom.dcmread(io.BytesIO(objects[0]))
        assert (data_set.PatientID, data_set.SeriesDescription) == (pseudonym, "Axial")
        assert data_set.PixelData == bytes(range(64))
        # Nor can it be found out by asking.
        for guess in ("PatientID=HOSP-4711", "PatientName=Zhang*", "00100030=19580402"):
            assert client.get(f"{WEB}/studies?{guess}", headers=JSON).json() == []
        found_again = client.get(f"{WEB}/studies?PatientID={pseudonym}", headers=JSON).json()
        assert found_again == [study]
        for place in ("0-1000/00100010", "132-400/7FE00010"):
            assert client.get(f"{INSTANCE}/bulkdata/{place}").status_code == 404
        assert client.get(f"{INSTANCE}/rendered").status_code == 200


def test_a_link_that_hides_the_patient_renders_no_report(county: House) -> None:
    data_set = pydicom.dcmread(io.BytesIO(a_ct_dose_report(STUDY, ["700"], "700")))
    data_set.PatientID, data_set.PatientName = "HOSP-4711", "Zhang^Wei"
    county.store(as_part10(data_set))
    address = (
        f"{WEB}/studies/{STUDY}/series/{data_set.SeriesInstanceUID}"
        f"/instances/{data_set.SOPInstanceUID}/rendered"
    )
    for hides, status in ((["hides_name"], 406), ([], 200)):
        path, _ = county.make(STUDY, *hides)
        with opened(county, path) as client:
            assert client.get(address, headers={"Accept": "text/html"}).status_code == status


def test_two_links_are_open_in_one_browser(county: House) -> None:
    first, _ = county.make()
    second, _ = county.make(OTHER)
    with opened(county, first) as client:
        assert client.post(second, data={}).status_code == 303
        for study in (STUDY, OTHER):
            answer = client.get(f"{WEB}/studies/{study}/metadata", headers=JSON)
            assert answer.status_code == 200


def test_only_staff_who_may_see_the_study_share_it(county: House) -> None:
    body = {"purpose": "patient", "days": 7}
    with county.staff("township") as client:
        assert client.get(f"/studies/{STUDY}/sharing").status_code == 404
        assert client.get(f"/api/studies/{STUDY}/links").status_code == 404
        assert client.get(f"/api/studies/{STUDY}/media.zip").status_code == 404
    bearer = {"Authorization": f"Bearer {county.token}"}
    refused = httpx.post(f"{county.url}/api/studies/{STUDY}/links", json=body, headers=bearer)
    assert refused.status_code == 403
    with county.staff("county") as client:
        several = client.get(f"/api/studies/media.zip?study={STUDY}&study={OTHER}")
        with zipfile.ZipFile(io.BytesIO(several.content)) as found:
            assert sum(name.startswith("DICOM/") for name in found.namelist()) == 3
