"""What is left of an analysis: objects in the study, preliminary observations in the record."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from tests.imaging.analysis.conftest import COUNTY, NOON, QUIET, TOWNSHIP, House, planted
from tests.imaging.analysis.marks import segmentation
from tests.imaging.analysis.phantoms import data_sets, files, water
from tests.imaging.analysis.reports import dose_report
from tests.imaging.analysis.test_calcium import GATED, LAD, PIXEL, RCA, a_heart
from tests.imaging.analysis.test_measures import PIXEL as CHEST_PIXEL
from tests.imaging.analysis.test_measures import SOFT, STEP, a_chest
from tests.imaging.objects import PYDICOM_FILES

from serai.fhir import body
from serai.fhir.validation import validate
from serai.imaging.analysis import watching
from serai.imaging.analysis.following import register_guards
from serai.imaging.analysis.records import Analysis
from serai.imaging.archive.reconciling import Demographics

OBJECTS = """SELECT i.sop_class, i.blob, e.modality FROM imaging_instance i
    JOIN imaging_series e ON e.study_uid = i.study_uid AND e.uid = i.series_uid
    WHERE e.attributes #>> '{00080070,Value,0}' = 'Serai' ORDER BY e.modality"""


async def objects(house: House) -> dict[str, Dataset]:
    """What analysers have put into the archive, by modality."""
    rows = await house.rows(OBJECTS)
    return {
        modality: dcmread(BytesIO(await house.archive.blobs.get(blob)))
        for _, blob, modality in rows
    }


def by_name(analyses: list[Analysis]) -> dict[str, Analysis]:
    return {each.analyser: each for each in analyses}


def about(observations: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [each for each in observations if each["code"]["coding"][0]["code"] == name]
    return found


async def test_lungs_end_as_report_segmentation_and_observation(
    house: House, tmp_path: Path
) -> None:
    images = data_sets(a_chest(3), step=STEP, pixel=CHEST_PIXEL, **SOFT)
    analyses = by_name(await house.analyse(*files(images)))
    assert {name: each.state for name, each in analyses.items()} == {
        "series-quality": "done",
        "laa-950": "done",
    }
    kept = await objects(house)
    assert set(kept) == {"SEG", "SR"}
    assert {each.StudyInstanceUID for each in kept.values()} == {images[0].StudyInstanceUID}
    assert (kept["SEG"].NumberOfFrames, len(kept["SEG"].SegmentSequence)) == (120, 2)
    (study,) = await house.found("ImagingStudy")
    # The series, report and segmentation of the lungs; without fault, its quality adds nothing.
    assert study["numberOfSeries"] == 3
    observation = about(await house.found("Observation"), "laa-950")
    assert validate(observation) == []
    assert observation["status"] == "preliminary"
    uid = f"urn:oid:{images[0].StudyInstanceUID}"
    assert observation["derivedFrom"] == [
        {"type": "ImagingStudy", "identifier": {"system": "urn:dicom:uid", "value": uid}}
    ]
    assert observation["effectiveDateTime"] == "2026-03-01"
    share, volume = (each["valueQuantity"] for each in observation["component"])
    assert (float(share["value"]), share["code"]) == (10.0, "%")
    assert (float(volume["value"]), volume["code"]) == (1080, "mL")
    (device,) = observation["contained"]
    analysis = analyses["laa-950"]
    assert device["version"] == [{"value": "1"}]
    assert device["identifier"][0]["value"] == f"sha-256;{analysis.fingerprint}"
    assert len(analysis.fingerprint) == 64
    provenances = await house.found("Provenance")
    assert [validate(each) for each in provenances] == [[]]
    assert {each["target"][0]["reference"] for each in provenances} == {
        f"Observation/{each['id']}/_history/1" for each in await house.found("Observation")
    }
    assert [each.get("status") for each in await house.found("Observation", TOWNSHIP)] == []
    check_conformity(kept, tmp_path)


def check_conformity(kept: dict[str, Dataset], folder: Path) -> None:
    """dciodvfy (Debian's dicom3tools) finds no error in them."""
    program = shutil.which("dciodvfy")
    if program is None:
        pytest.skip("dciodvfy is not installed (dicom3tools)")
    for modality, data_set in kept.items():
        path = folder / f"{modality}.dcm"
        data_set.save_as(path)
        said = subprocess.run([program, str(path)], capture_output=True, text=True, check=False)
        lines = (said.stdout + said.stderr).splitlines()
        assert [line for line in lines if line.startswith("Error")] == []


async def test_marked_arteries_are_scored_with_the_series_they_lie_in(
    house: House, tmp_path: Path
) -> None:
    heart, marks = a_heart()
    images = data_sets(heart, step=2.5, pixel=PIXEL, **GATED)
    analyses = by_name(await house.analyse(*files(images), segmentation(images, marks)))
    assert (analyses["agatston"].state, analyses["agatston"].why) == ("done", None)
    observation = about(await house.found("Observation"), "agatston")
    assert validate(observation) == []
    assert float(observation["valueQuantity"]["value"]) == round(LAD + RCA, 1)
    places = {
        each["code"]["coding"][1]["code"]: float(each["valueQuantity"]["value"])
        for each in observation["component"]
    }
    assert places == {"59438005": LAD, "13647002": RCA}
    reports = [each for each in analyses["agatston"].objects if each]
    assert len(reports) == 1


async def test_dose_and_what_is_wrong_with_a_series_are_observed_too(
    house: House, tmp_path: Path
) -> None:
    broken = data_sets(water(5), positions=[[0, 0, z] for z in (0, 3, 6, 15, 18)])
    await house.analyse(dose_report("532.1", ["120.4", "411.7"]), *files(broken))
    observations = await house.found("Observation")
    assert [validate(each) for each in observations] == [[], []]
    dose = about(observations, "dose")
    total = dose["component"][0]
    assert total["code"]["coding"][0]["code"] == "113813"
    assert (float(total["valueQuantity"]["value"]), total["valueQuantity"]["code"]) == (
        532.1,
        "mGy.cm",
    )
    said = [each.get("valueString") for each in about(observations, "series-quality")["component"]]
    assert "2 slices are missing." in said
    check_conformity(await objects(house), tmp_path)


async def test_an_abstention_is_kept_with_its_reason_and_observes_nothing(house: House) -> None:
    (analysis,) = await house.analyse(dose_report("532.1", ["120.4", "10.50/ 15.00"]))
    assert (analysis.state, analysis.why) == ("abstained", "analysis.dose-unreadable")
    assert await house.found("Observation") == []
    assert await objects(house) == {}


async def test_more_instances_are_analysed_anew_as_the_next_version(house: House) -> None:
    house.analysers = [planted("counting")]
    images = data_sets(water(4))
    await house.analyse(*files(images[:2]))
    later = NOON + 2 * QUIET
    await house.arrive(*files(images[2:]), at=later)
    await house.judge(later + QUIET)
    await house.work()
    (observation,) = await house.found("Observation")
    assert float(observation["valueQuantity"]["value"]) == 4
    assert observation["meta"]["versionId"] == "2"
    assert len(await house.rows("SELECT FROM imaging_analysis")) == 2
    (current,) = await house.analyses()
    assert current.result["figures"][0]["value"] == 4


async def test_the_same_again_changes_nothing(house: House) -> None:
    house.analysers = [planted("counting")]
    contents = files(data_sets(water(4)))
    await house.analyse(*contents)
    await house.arrive(*contents, at=NOON + QUIET)
    assert await house.judge(NOON + 3 * QUIET) == 1
    assert await house.judge(NOON + 3 * QUIET) == 0
    assert len(await house.rows("SELECT FROM imaging_analysis")) == 1
    assert len(await house.rows("SELECT FROM fhir_job")) == 1


async def test_what_a_doctor_has_signed_stays_as_it_is(house: House) -> None:
    house.analysers = [planted("counting")]
    await house.analyse(*files(data_sets(water(4))))
    (observation,) = await house.found("Observation")
    async with house.db.transaction() as tx:
        signed = body.of({**observation, "status": "final"})
        await house.archive.fhir.update(tx, signed, actor=COUNTY, now=NOON)
    await again(house, replace(planted("counting"), version="2"))
    observations = {each["status"]: each for each in await house.found("Observation")}
    assert set(observations) == {"final", "preliminary"}
    assert observations["final"]["meta"]["versionId"] == "2"
    assert observations["preliminary"]["contained"][0]["version"] == [{"value": "2"}]


async def test_a_newer_look_that_abstains_withdraws_what_was_said(house: House) -> None:
    house.analysers = [planted("counting")]
    await house.analyse(*files(data_sets(water(4))))
    abstaining = replace(planted("abstaining"), name="counting", version="2")
    await again(house, abstaining)
    (observation,) = await house.found("Observation")
    assert (observation["status"], observation["meta"]["versionId"]) == ("cancelled", "2")
    assert validate(observation) == []


async def again(house: House, analyser: Any) -> None:
    """A new version of an analyser looks again at what the old one has looked at, once."""
    house.analysers = [analyser]
    assert await watching.renew(house.db, house.analysers, now=NOON + QUIET) == 1
    assert await watching.renew(house.db, house.analysers, now=NOON + QUIET) == 0
    await house.work()


async def test_what_was_stored_before_a_crash_is_not_stored_twice(house: House) -> None:
    """As after a kill between the archive and the record."""
    house.analysers = [planted("counting")]
    await house.analyse(*files(data_sets(water(4))))
    async with house.db.transaction() as tx:
        await tx.execute("UPDATE imaging_analysis SET state = 'running'")
        await tx.execute("UPDATE fhir_job SET status = 'waiting'")
    await house.work()
    (analysis,) = await house.analyses()
    assert (analysis.state, analysis.tries) == ("done", 2)
    assert len(await house.rows(OBJECTS)) == 1


async def test_a_study_that_has_been_analysed_is_deleted_and_brought_back(house: House) -> None:
    house.analysers = [planted("counting")]
    images = data_sets(water(4))
    await house.analyse(*files(images))
    study = str(images[0].StudyInstanceUID)
    trash = await house.archive.trash.discard(house.db, study, None, None, actor=COUNTY, now=NOON)
    assert await house.found("ImagingStudy") == []
    assert await house.analyses() == []
    await house.archive.trash.restore(house.db, trash, actor=COUNTY, now=NOON)
    (analysis,) = await house.analyses()
    (observation,) = await house.found("Observation")
    assert (analysis.state, observation["status"]) == ("done", "preliminary")


async def test_what_was_observed_follows_a_study_to_its_right_patient(house: House) -> None:
    register_guards(house.archive.fhir)
    house.analysers = [planted("counting")]
    images = data_sets(water(4))
    async with house.db.transaction() as tx:
        for number in ("P1", "P2"):
            patient = {"resourceType": "Patient", "identifier": [{"value": number}]}
            await house.archive.fhir.create(
                tx, body.of(patient), actor=COUNTY, now=NOON, id=f"patient-{number}"
            )
    await house.analyse(*files(images))
    (observation,) = await house.found("Observation")
    assert observation["subject"]["reference"] == "Patient/patient-P1"
    async with house.db.transaction() as tx:
        study, right = str(images[0].StudyInstanceUID), Demographics("P2")
        await house.archive.correct(tx, study, right, actor=COUNTY, now=NOON)
    (observation,) = await house.found("Observation")
    assert observation["subject"]["reference"] == "Patient/patient-P2"
    assert observation["status"] == "preliminary"


async def test_an_electrocardiogram_ends_as_report_and_preliminary_observation(
    house: House,
) -> None:
    content = (PYDICOM_FILES / "waveform_ecg.dcm").read_bytes()
    analyses = by_name(await house.analyse(content))
    assert {name: each.state for name, each in analyses.items()} == {"ecg-intervals": "done"}
    assert set(await objects(house)) == {"SR"}
    observation = about(await house.found("Observation"), "ecg-intervals")
    assert validate(observation) == []
    assert observation["status"] == "preliminary"
