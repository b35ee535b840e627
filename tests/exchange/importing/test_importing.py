"""Mixed folders go in once, whole, and say what they refused."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
from tests.exchange.importing.a_node import (
    Node,
    bundle,
    patient,
    picture,
    posted,
    practitioner_batch,
    pulse,
    seen_by_the_practitioner,
    write,
)

from serai.exchange.importing import limits
from serai.fhir import body
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.kernel.errors import NotFound, Unsupported


def a_mixed_folder(folder: Path) -> None:
    """8 patients, 6 observations, 1 practitioner, 3 pictures; 5 files that cannot be taken."""
    write(folder / "one.json", patient("p1"))
    write(folder / "many.ndjson", patient("p2"), patient("p3"), pulse("Patient/p2"), patient())
    (folder / "packed.ndjson.gz").write_bytes(
        gzip.compress(b"\n".join(json.dumps(pulse("Patient/p3", n)).encode() for n in range(2)))
    )
    write(folder / "a-seen.json", seen_by_the_practitioner())
    write(folder / "z-doctors.json", practitioner_batch())
    write(
        folder / "collected.json",
        bundle(
            "collection",
            {"fullUrl": "urn:uuid:c", "resource": patient()},
            {"resource": pulse("urn:uuid:c")},
        ),
    )
    write(folder / "search.json", bundle("searchset", {"resource": patient("p4")}))
    (folder / "IM0001").write_bytes(picture("CT_small.dcm"))
    (folder / "DICOMDIR").write_bytes(picture("DICOMDIR"))
    (folder / ".DS_Store").write_bytes(b"\0\1")
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("deep/patient.json", json.dumps(patient("p5")))
        archive.writestr("deep/ecg", picture("waveform_ecg.dcm"))
    with zipfile.ZipFile(folder / "disc.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("IM/1", picture("MR_small.dcm"))
        archive.writestr("inner.zip", inner.getvalue())
        archive.writestr("../../outside.json", json.dumps(pulse("Patient/p5")))
    (folder / "notes.txt").write_text("call the lab")
    (folder / "empty.json").write_bytes(b"")
    (folder / "cut.json").write_text('{"resourceType": "Patient", "name": [')
    (folder / "cut.dcm").write_bytes(picture("CT_small.dcm")[:3000])
    write(folder / "wrong.json", patient(gendre="female"))


async def test_a_mixed_folder_goes_in_and_what_cannot_is_named(node: Node, folder: Path) -> None:
    a_mixed_folder(folder)
    tally = await node.take(folder)
    assert await node.resources("Patient") == 8
    assert await node.resources("Observation") == 6
    assert await node.resources("Practitioner") == 1
    assert await node.pictures() == 3
    assert tally.pictures.created == 3
    assert {refused.file for refused in tally.refusals.values()} == {
        "notes.txt",
        "empty.json",
        "cut.json",
        "cut.dcm",
        "wrong.json",
    }
    assert not (folder.parent / "outside.json").exists()
    assert not (folder.parent.parent / "outside.json").exists()


async def test_running_again_changes_nothing(node: Node, folder: Path) -> None:
    a_mixed_folder(folder)
    first = await node.take(folder)
    there = await node.count("SELECT count(*) FROM fhir_resource")
    again = await node.take(folder)
    assert await node.count("SELECT count(*) FROM fhir_resource") == there
    assert await node.versions() == 0
    assert again.done == 0
    assert again.before == first.resources + first.pictures
    assert again.refusals.keys() == first.refusals.keys()


async def test_a_file_put_right_goes_in_the_next_time(node: Node, folder: Path) -> None:
    write(folder / "a.ndjson", patient("p1"), patient("p2", gendre="female"))
    tally = await node.take(folder)
    (refused,) = tally.refusals.values()
    assert (refused.file, refused.place) == ("a.ndjson", "line 2")
    assert "gendre" in refused.reason
    write(folder / "a.ndjson", patient("p1"), patient("p2", gender="female"))
    assert not (await node.take(folder)).refusals
    assert await node.resources("Patient") == 2


async def test_one_bad_line_does_not_hold_up_the_others(node: Node, folder: Path) -> None:
    lines = [patient(f"p{number}") for number in range(250)]
    lines[120]["gendre"] = "male"
    write(folder / "a.ndjson", *lines)
    tally = await node.take(folder)
    assert await node.resources("Patient") == 249
    assert tally.resources.created == 249
    assert [refused.place for refused in tally.refusals.values()] == ["line 121"]


async def test_a_transaction_goes_in_whole_or_not_at_all(node: Node, folder: Path) -> None:
    bad = bundle(
        "transaction",
        posted(patient(), "urn:uuid:p1"),
        posted(pulse("urn:uuid:nobody"), "urn:uuid:o1"),
    )
    write(folder / "a.json", bad)
    assert len((await node.take(folder)).refusals) == 1
    assert await node.resources("Patient") == 0


async def test_references_to_what_comes_later_are_found_in_the_end(
    node: Node, folder: Path
) -> None:
    write(folder / "a.json", seen_by_the_practitioner())
    write(folder / "b.json", practitioner_batch())
    assert not (await node.take(folder)).refusals
    async with node.db.connection() as connection:
        (seen,) = await node.fhir.find(connection, "Observation", actor=serai_itself)
    assert seen["performer"][0]["reference"].startswith("Practitioner/")


async def test_what_refers_to_nothing_waits_for_the_run_that_brings_it(
    node: Node, folder: Path
) -> None:
    write(folder / "a.json", seen_by_the_practitioner())
    assert len((await node.take(folder)).refusals) == 1
    write(folder / "b.json", practitioner_batch())
    assert not (await node.take(folder)).refusals
    assert await node.resources("Patient") == 1


async def test_what_comes_in_for_an_organisation_is_in_its_keeping(
    node: Node, folder: Path
) -> None:
    hospital = {"resourceType": "Organization", "id": "county", "name": "County"}
    async with node.db.transaction() as tx:
        await node.fhir.update(tx, body.of(hospital), actor=serai_itself, now=utc_now())
    write(folder / "a.ndjson", patient("p1"), pulse("Patient/p1"))
    (folder / "b").write_bytes(picture("CT_small.dcm"))
    assert not (await node.take(folder, organisation="county")).refusals
    async with node.db.connection() as connection:
        for kind in ("Patient", "Observation", "ImagingStudy"):
            (found,) = await node.fhir.find(connection, kind, actor=serai_itself)
            kept = await node.fhir.read(connection, kind, found["id"], actor=serai_itself)
            assert kept.owner == "county"
        chen = await node.fhir.read(connection, "Patient", "p1", actor=serai_itself)
    assert chen.data["managingOrganization"] == {"reference": "Organization/county"}


async def test_an_unknown_organisation_is_refused_before_anything_happens(
    node: Node, folder: Path
) -> None:
    with pytest.raises(NotFound, match="no-such-organisation"):
        await node.take(folder, organisation="nowhere")


async def test_the_same_bytes_for_another_organisation_are_another_import(
    node: Node, folder: Path
) -> None:
    for name in ("a", "b"):
        hospital = {"resourceType": "Organization", "id": name, "name": name}
        async with node.db.transaction() as tx:
            await node.fhir.update(tx, body.of(hospital), actor=serai_itself, now=utc_now())
    write(folder / "a.json", patient())
    await node.take(folder, organisation="a")
    await node.take(folder, organisation="b")
    assert await node.resources("Patient") == 2


async def test_refusals_are_reported_to_people_and_programs(
    node: Node, folder: Path, tmp_path: Path
) -> None:
    write(folder / "good.json", patient())
    assert await node.run(folder, report_to=tmp_path / "good.json") == 0
    write(folder / "bad.json", patient(gendre="female"))
    assert await node.run(folder, report_to=tmp_path / "report.json") == 1
    assert await node.run(folder, report_to=tmp_path / "report.csv") == 1
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["files"] == 2
    assert report["filesDoneBefore"] == 1
    assert [refused["file"] for refused in report["refused"]] == ["bad.json"]
    with (tmp_path / "report.csv").open() as file:
        assert [line["file"] for line in csv.DictReader(file)] == ["bad.json"]
    assert "bad.json" in node.said.getvalue()
    assert "gendre" in node.said.getvalue()


async def test_a_report_of_unknown_form_is_refused_before_anything_happens(
    node: Node, folder: Path, tmp_path: Path
) -> None:
    write(folder / "good.json", patient())
    with pytest.raises(Unsupported):
        await node.run(folder, report_to=tmp_path / "report.xlsx")
    assert await node.resources("Patient") == 0


async def test_a_single_file_can_be_imported(node: Node, folder: Path) -> None:
    write(folder / "one.json", patient())
    assert await node.run(folder / "one.json") == 0


async def test_a_path_that_is_not_there_is_said_so(node: Node, folder: Path) -> None:
    with pytest.raises(NotFound, match="no-such-path"):
        await node.run(folder / "nothing")


async def test_a_large_picture_goes_in_from_disk(
    node: Node, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PICTURE_IN_MEMORY", 1000)
    (folder / "a").write_bytes(picture("CT_small.dcm"))
    with zipfile.ZipFile(folder / "b.zip", "w") as archive:
        archive.writestr("b", picture("MR_small.dcm"))
    assert not (await node.take(folder)).refusals
    assert await node.pictures() == 2
