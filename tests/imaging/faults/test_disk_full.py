"""A disk that fills up in the middle of a series: refused, nothing torn, and going on with room."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pydicom.uid import generate_uid
from tests.imaging.dimse.calling import run, soon
from tests.imaging.objects import a_picture, uid
from tests.imaging.serving import serving
from tests.imaging.uploading import Client

from serai.imaging.archive import receive
from serai.imaging.dimse import Listener
from serai.platform.blob_files import place
from serai.platform.settings import Settings

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="2026-11-25: only root may mount a small file system"
)

MEGABYTE = 1024 * 1024
DISK_MB = 40
# Out of resources (PS3.4 Table B.2-1).
REFUSED = range(0xA700, 0xA800)
ANSWER = re.compile(r"Received Store Response \((.*?)\)")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, with a filler that leaves little of it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "serai-test", folder], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(disk: Path, left_mb: int) -> Path:
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filler.write_bytes(bytes(max(0, free - left_mb * MEGABYTE)))
    return filler


def series(count: int) -> list[bytes]:
    study = str(generate_uid())
    pixels = {"Rows": 1024, "Columns": 1024}
    return [
        a_picture(StudyInstanceUID=study, PixelData=os.urandom(MEGABYTE), **pixels)
        for _ in range(count)
    ]


def kept(database_url: str) -> dict[str, str]:
    with psycopg.connect(database_url) as connection:
        return dict(connection.execute("SELECT uid, blob FROM imaging_instance").fetchall())


def all_is_whole(database_url: str, home: Path) -> None:
    rows = kept(database_url)
    assert soon(lambda: all((home / "blobs" / place(blob)).exists() for blob in rows.values()))
    for name, blob in rows.items():
        assert receive(home / "blobs" / place(blob)).instance.uid == name


def stored(listener: Listener, folder: Path, *contents: bytes) -> list[str]:
    """dcmtk's word for the answer to each picture, all sent whatever is answered."""
    paths = [folder / f"{number:03}.dcm" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    address = ("-aet", "MODALITY", "-aec", "SERAI", "127.0.0.1", str(listener.port))
    said = run("storescu", "-v", "--no-halt", *address, *paths)
    answers = ANSWER.findall(said.stdout + said.stderr)
    assert len(answers) == len(contents), said.stderr
    return answers


def test_a_modality_is_told_and_goes_on_when_there_is_room(
    disk: Path, database_url: str, tmp_path: Path
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO dimse_peer (ae_title, organisation, services) "
            "VALUES ('MODALITY', 'county', '{store}')"
        )
    home = disk / "home"
    with Listener(Settings(home=home, dimse_port=0), database_url) as listener:
        sent = series(30)
        assert stored(listener, tmp_path, sent[0]) == ["Success"]
        filler = fill(disk, left_mb=6)
        answers = stored(listener, tmp_path, *sent[1:])
        assert answers[0] == "Success"
        assert answers[-1] == "Refused: OutOfResources"
        assert set(answers) == {"Success", "Refused: OutOfResources"}
        answered = dict(zip(map(uid, sent), ["Success", *answers], strict=True))
        assert kept(database_url).keys() == {
            name for name, answer in answered.items() if answer == "Success"
        }
        filler.unlink()
        missing = [content for content in sent if answered[uid(content)] != "Success"][:3]
        assert soon(lambda: stored(listener, tmp_path, missing[0]) == ["Success"], within_s=15)
        assert stored(listener, tmp_path, *missing[1:]) == ["Success"] * 2
        all_is_whole(database_url, home)


def test_an_upload_is_told_which_of_its_pictures_are_not_kept(
    disk: Path, database_url: str
) -> None:
    home = disk / "home"
    with serving(database_url, home) as server:
        client = Client.of(server)
        sent = series(30)
        assert client.store(sent[0]).status_code == 200
        filler = fill(disk, left_mb=6)
        answer = client.store(*sent[1:])
        assert answer.status_code in (202, 409)
        refused = answer.json()["00081198"]["Value"]
        assert {one["00081197"]["Value"][0] in REFUSED for one in refused} == {True}
        named = {one["00081155"]["Value"][0] for one in refused}
        assert kept(database_url).keys() == {uid(one) for one in sent} - named
        filler.unlink()
        again = next(content for content in sent if uid(content) in named)
        assert soon(lambda: client.store(again).status_code == 200, within_s=15)
        all_is_whole(database_url, home)
