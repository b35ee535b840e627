"""What was exported goes back in by `serai import`, bit for bit."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from pycdlib import PyCdlib
from starlette.responses import Response, StreamingResponse
from tests.exchange.importing.a_node import Node
from tests.imaging.objects import PYDICOM_FILES, a_picture, uid

from serai.imaging import media
from serai.imaging.dataset.hiding import Hiding
from serai.kernel.actor import serai_itself
from serai.kernel.clock import utc_now
from serai.platform.db import Database

ORIGIN = "https://images.example"


@pytest.fixture
def node(db: Database, tmp_path: Path) -> Node:
    home = tmp_path / "home"
    home.mkdir()
    return Node(db, home)


@pytest.fixture
def sent(tmp_path: Path) -> list[bytes]:
    """Two patients' studies, compressed and not."""
    contents = [
        a_picture(PatientID="P1", SOPInstanceUID="1.2.3.1", StudyInstanceUID="1.2.3"),
        (PYDICOM_FILES / "JPEG2000.dcm").read_bytes(),
    ]
    folder = tmp_path / "sent"
    folder.mkdir()
    for number, content in enumerate(contents):
        (folder / f"{number}").write_bytes(content)
    return contents


async def exported(node: Node, studies: list[str], form: str, to: Path) -> Path:
    blobs, now = node.archive.blobs, utc_now()
    contents = await media.gathered(node.db, studies, actor=serai_itself, now=now)
    answer: Response = (
        await media.disc_answer(contents, blobs, ORIGIN, now)
        if form == "iso"
        else media.zip_answer(contents, blobs, ORIGIN, now)
    )
    assert isinstance(answer, StreamingResponse)
    target = to / f"taken.{form}"
    with target.open("wb") as file:
        async for part in answer.body_iterator:
            assert isinstance(part, bytes)
            file.write(part)
    return target


async def forget(node: Node, study: str) -> None:
    now = utc_now()
    place = (node.db, study, None, None)
    trash = await node.archive.trash.discard(*place, actor=serai_itself, now=now)
    await node.archive.trash.empty(node.db, trash, actor=serai_itself, now=now)


@pytest.mark.parametrize("form", ["zip", "iso"])
async def test_an_exported_study_comes_back_bit_for_bit(
    node: Node, sent: list[bytes], tmp_path: Path, form: str
) -> None:
    await node.take(tmp_path / "sent")
    studies = [uid(content, "StudyInstanceUID") for content in sent]
    taken = await exported(node, studies, form, tmp_path)
    for study in studies:
        await forget(node, study)
    # Another house has never heard of them.
    async with node.db.transaction() as tx:
        await tx.execute("TRUNCATE import_file CASCADE")
    assert await node.pictures() == 0
    assert await node.run(taken) == 0
    async with node.db.connection() as c:
        rows = await (await c.execute("SELECT blob FROM imaging_instance")).fetchall()
    assert sorted([await node.archive.blobs.get(blob) for (blob,) in rows]) == sorted(sent)
    assert not list((tmp_path / "home" / "blobs.unfinished").iterdir())


async def test_a_disc_has_the_names_that_every_reader_knows(
    node: Node, sent: list[bytes], tmp_path: Path
) -> None:
    await node.take(tmp_path / "sent")
    taken = await exported(node, ["1.2.3"], "iso", tmp_path)
    disc = PyCdlib()
    disc.open(str(taken))
    try:
        assert disc.pvd.volume_identifier.strip() == b"SERAI"
        plain = {f"{folder}/{name}".replace("//", "/")
                 for folder, _, names in disc.walk(iso_path="/") for name in names}  # fmt: skip
        joliet = {f"{folder}/{name}".replace("//", "/")
                  for folder, _, names in disc.walk(joliet_path="/") for name in names}  # fmt: skip
        disc.get_file_from_iso(str(tmp_path / "DICOMDIR"), iso_path="/DICOMDIR.;1")
    finally:
        disc.close()
    image = "/DICOM/PT000001/ST000001/SE000001/IM000001"
    assert plain == {"/DICOMDIR.;1", "/README.TXT;1", f"{image}.;1"}
    assert {name.partition(";")[0] for name in joliet} == {"/DICOMDIR", "/README.TXT", image}
    command = ["dcmdump", "-q", str(tmp_path / "DICOMDIR")]
    shown = await asyncio.to_thread(subprocess.check_output, command)
    assert b"PT000001\\ST000001\\SE000001\\IM000001" in shown


async def test_a_patient_hidden_on_a_disc_is_hidden_in_every_file(
    node: Node, sent: list[bytes], tmp_path: Path
) -> None:
    await node.take(tmp_path / "sent")
    study = uid(sent[1], "StudyInstanceUID")
    hiding = Hiding("LINK-1", {})
    contents = await media.gathered(
        node.db, [study], actor=serai_itself, now=utc_now(), hiding=hiding
    )
    answer = await media.disc_answer(contents, node.archive.blobs, ORIGIN, utc_now())
    assert isinstance(answer, StreamingResponse)
    image = b"".join([bytes(part) async for part in answer.body_iterator])  # type: ignore[arg-type]
    assert int(answer.headers["Content-Length"]) == len(image)
    assert b"CompressedSamples" in sent[1]
    assert b"CompressedSamples" not in image
    # The code stream is untouched.
    assert sent[1][sent[1].index(b"\xff\x4f\xff\x51") :] in image
