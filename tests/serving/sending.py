"""Devices that send to a real server, and remember what they sent and what was acknowledged."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import httpx
import psycopg
import pydicom
from pynetdicom import AE, build_context
from tests.imaging.objects import a_picture, uid
from tests.serving.conftest import Place

from serai.imaging.dataset.part10 import data_set_start
from serai.platform.postgres import Cluster

TITLE = "FAULTY"
LARGE = {"Rows": 3000, "Columns": 3000, "PixelData": bytes(range(250)) * 36_000}
Address = tuple[str, str, str]


@dataclass
class Sent:
    """Sums of data sets by the place of the object: study, series, instance."""

    sent: dict[Address, str] = field(default_factory=dict)
    acknowledged: dict[Address, str] = field(default_factory=dict)
    refused: int = 0

    def sending(self, content: bytes) -> Address:
        place = address(content)
        self.sent[place] = summed(content)
        return place

    def answered(self, place: Address, *, kept: bool) -> None:
        if kept:
            self.acknowledged[place] = self.sent[place]
        else:
            self.refused += 1


def address(content: bytes) -> Address:
    study, series = (uid(content, f"{level}InstanceUID") for level in ("Study", "Series"))
    return study, series, uid(content)


def summed(content: bytes) -> str:
    return hashlib.sha256(content[data_set_start(content) :]).hexdigest()


def known_to(place: Place) -> None:
    """Have the device known; the server runs."""
    with Cluster(place.home) as cluster, psycopg.connect(cluster.url) as connection:
        connection.execute(
            "INSERT INTO dimse_peer (ae_title, organisation, services) "
            "VALUES (%s, 'county', '{store}') ON CONFLICT DO NOTHING",
            (TITLE,),
        )


class Device(threading.Thread):
    """Sends pictures of one study until it is told to stop, going on when the server is back."""

    def __init__(self, place: Place, study: str, **attributes: Any) -> None:
        super().__init__(daemon=True)
        self.log = Sent()
        self.stop = threading.Event()
        self._place = place
        self._attributes = {"StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.1"}
        self._attributes |= attributes

    def pictures(self) -> Iterator[bytes]:
        number = 0
        while not self.stop.is_set():
            number += 1
            yield a_picture(InstanceNumber=number, **self._attributes)


class Modality(Device):
    """By C-STORE, one after the other."""

    def run(self) -> None:
        while not self.stop.is_set():
            entity = AE(TITLE)
            entity.dimse_timeout = entity.network_timeout = 30
            contexts = [build_context("1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.1.2.1")]
            association = entity.associate(
                "127.0.0.1", self._place.dimse_port, contexts=contexts, ae_title="SERAI"
            )
            if not association.is_established:
                self.stop.wait(0.2)
                continue
            for content in self.pictures():
                place = self.log.sending(content)
                try:
                    status = association.send_c_store(pydicom.dcmread(BytesIO(content)))
                except RuntimeError:
                    break
                if "Status" not in status:
                    break
                self.log.answered(place, kept=status.Status == 0)
            if association.is_established:
                association.release()


class Uploader(Device):
    """By STOW-RS, three in a request."""

    def __init__(self, place: Place, study: str, token: str, **attributes: Any) -> None:
        super().__init__(place, study, **attributes)
        self._token = token

    def run(self) -> None:
        with browsing(self._place, self._token) as client:
            pictures = self.pictures()
            while some := [one for one, _ in zip(pictures, range(3), strict=False)]:
                places = [self.log.sending(content) for content in some]
                try:
                    answer = client.post("studies", content=_body(some), headers=STOW)
                except httpx.HTTPError:
                    self.stop.wait(0.2)
                    continue
                kept = {
                    one["00081155"]["Value"][0]
                    for one in answer.json().get("00081199", {}).get("Value", [])
                } if answer.status_code in (200, 202) else set()  # fmt: skip
                for place in places:
                    self.log.answered(place, kept=place[2] in kept)


STOW = {"content-type": 'multipart/related; type="application/dicom"; boundary=part'}


def _body(contents: list[bytes]) -> bytes:
    head = b"\r\n--part\r\nContent-Type: application/dicom\r\n\r\n"
    return b"".join(head + content for content in contents) + b"\r\n--part--\r\n"


def browsing(place: Place, token: str) -> httpx.Client:
    return httpx.Client(
        base_url=f"http://127.0.0.1:{place.port}/dicomweb",
        headers={"authorization": f"Bearer {token}", "accept": "application/dicom+json"},
        timeout=60,
    )


def here(client: httpx.Client, place: Address) -> str:
    """The sum of the data set that the server has there."""
    study, series, instance = place
    wanted = {"accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}
    path = f"studies/{study}/series/{series}/instances/{instance}"
    answer = client.get(path, headers=wanted)
    assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])
    return summed(answer.content.split(b"\r\n\r\n", 1)[1].rpartition(b"\r\n--")[0])


def listed(client: httpx.Client, study: str) -> set[Address]:
    found: set[Address] = set()
    while True:
        answer = client.get(f"studies/{study}/instances?limit=100&offset={len(found)}")
        some = answer.json() if answer.status_code == 200 else []
        if not some:
            return found
        found |= {(study, _value(one, "0020000E"), _value(one, "00080018")) for one in some}


def counted(client: httpx.Client, study: str) -> int:
    answer = client.get(f"studies?StudyInstanceUID={study}&includefield=00201208")
    return int(_value(answer.json()[0], "00201208")) if answer.status_code == 200 else 0


def _value(one: dict[str, Any], tag: str) -> Any:
    return one[tag]["Value"][0]
