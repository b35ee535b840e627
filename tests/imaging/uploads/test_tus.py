from __future__ import annotations

import base64
import hashlib
import io
import os
import zipfile
from collections.abc import Callable

import httpx
import pytest
from tests.imaging.light.stacks import House
from tests.imaging.objects import a_picture, uid
from tests.imaging.uploads.tus import BYTES, VERSION, Sender

from serai.imaging.uploads import unpacking

Senders = Callable[..., Sender]


def objects(answer: httpx.Response) -> list[tuple[str, str, str]]:
    assert answer.status_code == 200, answer.text
    return [
        (each["file"], each["outcome"], each.get("error", ""))
        for upload in answer.json()["uploads"]
        for each in upload["objects"]
    ]


def test_what_is_spoken_is_said_without_asking_for_a_version(sender: Senders) -> None:
    answer = sender().send("OPTIONS", "/api/uploads", headers={})
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert {"creation", "checksum", "expiration", "termination"} <= set(
        answer.headers["Tus-Extension"].split(",")
    )
    assert int(answer.headers["Tus-Max-Size"]) > 1 << 30


def test_another_version_of_the_protocol_is_refused(sender: Senders) -> None:
    headers = {"Tus-Resumable": "0.2.2", "Upload-Length": "3"}
    answer = sender().send("POST", "/api/uploads", headers=headers)
    assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")


def test_a_cut_line_loses_nothing_that_arrived(sender: Senders) -> None:
    county = sender()
    content = a_picture(Rows=1024, Columns=1024, PixelData=os.urandom(1024 * 1024))
    place = county.begin(len(content), filename="1.dcm").headers["Location"]
    county.append_until_cut(place, 0, content, cut=700_000)
    arrived = county.at(place)
    assert 2 * 256 * 1024 <= arrived <= 700_000
    answer = county.append(place, arrived, content[arrived:])
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(len(content)))
    assert "Upload-Expires" in answer.headers
    handed = county.ask("store", {"uploads": [place.rpartition("/")[2]]})
    assert objects(handed) == [("1.dcm", "kept", "")]


def test_bytes_only_go_on_where_they_end(sender: Senders) -> None:
    county = sender()
    place = county.begin(10, b"0123").headers["Location"]
    for wrong in (0, 3, 5):
        assert county.append(place, wrong, b"x").status_code == 409
    assert county.append(place, 4, b"4567890").status_code == 413
    assert county.at(place) == 4


def test_who_comes_last_writes_and_the_dead_line_does_not_mix_in(sender: Senders) -> None:
    county = sender()
    place = county.begin(600_000).headers["Location"]
    slow = county.send  # the same upload over two lines

    def trickle() -> object:
        yield b"a" * 300_000
        rest = county.append(place, county.at(place), b"b" * 1000)
        assert rest.status_code == 204
        yield b"c" * 300_000

    sent = county.headers | VERSION | BYTES | {"Upload-Offset": "0"}
    answer = httpx.patch(county.address + place, content=trickle(), headers=sent)  # type: ignore[arg-type]
    assert answer.status_code == 409
    assert "taken-over" in answer.text
    assert county.at(place) <= 301_000
    assert slow("DELETE", place, headers=VERSION).status_code == 204


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_damaged_part_is_thrown_away_whole(sender: Senders, algorithm: str) -> None:
    county = sender()
    place = county.begin(8).headers["Location"]
    good = base64.b64encode(hashlib.new(algorithm, b"abcd").digest()).decode()
    broken = county.append(place, 0, b"abXd", **{"Upload-Checksum": f"{algorithm} {good}"})
    assert broken.status_code == 460
    assert county.at(place) == 0
    sent = county.append(place, 0, b"abcd", **{"Upload-Checksum": f"{algorithm} {good}"})
    assert (sent.status_code, county.at(place)) == (204, 4)


def test_the_same_file_begun_again_goes_on(sender: Senders) -> None:
    county = sender()
    first = county.begin(10, b"0123", fingerprint="1.dcm 10 77")
    again = county.begin(10, fingerprint="1.dcm 10 77")
    other = county.begin(11, fingerprint="1.dcm 10 77")
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Upload-Offset"] == "4"
    assert other.headers["Location"] != first.headers["Location"]


def test_an_upload_belongs_to_whoever_began_it(sender: Senders) -> None:
    place = sender().begin(4, b"01").headers["Location"]
    for stranger in (sender(), sender("township")):
        assert stranger.send("HEAD", place, headers=VERSION).status_code == 404
        assert stranger.append(place, 2, b"23").status_code == 404
        assert stranger.send("DELETE", place, headers=VERSION).status_code == 404
        handed = stranger.ask("store", {"uploads": [place.rpartition("/")[2]]})
        assert handed.status_code == 404


def test_who_may_not_write_pictures_may_not_upload(sender: Senders) -> None:
    assert sender(scope="system/*.rs").begin(4).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Upload-Length": "-1"},
        {"Upload-Length": "x"},
        {"Upload-Defer-Length": "1"},
        {"Upload-Length": "1", "Upload-Metadata": "filename ???"},
        {"Upload-Length": "1", "Upload-Metadata": "sha256 YWJj"},
    ],
)
def test_what_cannot_be_understood_begins_nothing(sender: Senders, headers: dict[str, str]) -> None:
    answer = sender().send("POST", "/api/uploads", headers=VERSION | headers)
    assert (answer.status_code, answer.headers["Tus-Resumable"]) == (400, "1.0.0")


def test_more_than_the_server_takes_is_refused_before_it_is_sent(sender: Senders) -> None:
    assert sender().begin(1 << 45).status_code == 413


def test_a_given_up_upload_is_gone(sender: Senders, served: House) -> None:
    county = sender()
    place = county.begin(4, b"01").headers["Location"]
    assert (served.home / "uploads" / place.rpartition("/")[2]).exists()
    assert county.send("DELETE", place, headers=VERSION).status_code == 204
    assert county.send("HEAD", place, headers=VERSION).status_code == 404
    assert not (served.home / "uploads" / place.rpartition("/")[2]).exists()


def test_a_zip_is_taken_apart_and_each_object_answered_for(sender: Senders) -> None:
    county, packed = sender(), io.BytesIO()
    good, again = a_picture(), a_picture()
    assert objects(county.ask("store", {"uploads": [county.upload(again, filename="a")]}))
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("disc/1", good)
        archive.writestr("disc/2", again)
        archive.writestr("disc/readme.txt", b"no picture")
        archive.writestr("DICOMDIR", b"beside")
    handed = {"uploads": [county.upload(packed.getvalue(), filename="disc.zip")]}
    told = [
        ("disc/1", "kept", ""),
        ("disc/2", "already", ""),
        ("disc/readme.txt", "refused", "dicom.not-part10"),
    ]
    assert objects(county.ask("store", handed)) == told
    # The answer may have been lost with the line: asked again, it is the same.
    assert objects(county.ask("store", handed)) == told


def test_a_broken_zip_and_a_damaged_file_are_told_apart(sender: Senders) -> None:
    county = sender()
    ids = [
        county.upload(b"PK\x03\x04 no zip", filename="disc.zip"),
        county.upload(a_picture(), filename="1.dcm", sha256="0" * 64),
    ]
    assert objects(county.ask("store", {"uploads": ids})) == [
        ("disc.zip", "refused", "uploads.zip-broken"),
        ("1.dcm", "refused", "uploads.content-differs"),
    ]


def test_a_zip_that_unpacks_without_end_is_refused(
    sender: Senders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MOST_UNPACKED", 10_000_000)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(str(number), bytes(5_000_000))
    county = sender()
    handed = {"uploads": [county.upload(packed.getvalue(), filename="bomb.zip")]}
    assert objects(county.ask("store", handed)) == [
        ("bomb.zip", "refused", "uploads.zip-too-large")
    ]


def test_nothing_incomplete_is_handed_over(sender: Senders) -> None:
    county = sender()
    place = county.begin(10, b"0123").headers["Location"]
    assert county.ask("store", {"uploads": [place.rpartition("/")[2]]}).status_code == 409
    assert county.append(place, 4, b"456789").status_code == 204


def test_a_sender_learns_what_is_missing_and_nothing_of_others(sender: Senders) -> None:
    county, township = sender(), sender("township")
    here, there, gone = a_picture(), a_picture(), a_picture()
    assert county.ask("store", {"uploads": [county.upload(here)]}).status_code == 200
    assert township.ask("store", {"uploads": [township.upload(there)]}).status_code == 200
    sums = {uid(each): hashlib.sha256(each).hexdigest() for each in (here, there, gone)}

    def missing(asking: Sender, **wanted: str) -> list[str]:
        instances = [{"uid": each, "sha256": wanted.get(each, "")} for each in sums]
        found: list[str] = asking.ask("missing", {"instances": instances}).json()["missing"]
        return found

    assert missing(county) == [uid(there), uid(gone)]
    assert missing(county, **sums) == [uid(there), uid(gone)]
    assert missing(county, **{uid(here): "0" * 64}) == [uid(here), uid(there), uid(gone)]
    assert missing(township) == [uid(here), uid(gone)]
