"""Synthetic CT series, and the whole application with one in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import BrowserContext
from pydicom.dataset import Dataset
from pydicom.uid import BasicTextSRStorage, generate_uid
from tests.chromium import served
from tests.imaging.objects import a_picture, as_part10

from serai.app import create_app
from serai.fhir.store import FhirStore
from serai.imaging.archive import Archive, Outcome, receive
from serai.kernel.actor import Actor, Kind
from serai.kernel.clock import utc_now
from serai.platform.auth.accounts import create_account
from serai.platform.auth.sessions import open_session
from serai.platform.blobs import Blobs
from serai.platform.db import Database
from serai.platform.settings import Settings

STUDY, SERIES = generate_uid(), generate_uid()


def modality(organisation: str | None) -> Actor:
    scopes = frozenset({"system/*.cruds"})
    return Actor("ct", Kind.MACHINE, "CT", "machine", organisation, scopes=scopes)


def hounsfield(size: int, part: float) -> NDArray[np.int16]:
    """A round patient with noise, a spine, and a lung that shrinks towards the end."""
    rows, columns = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    distance = np.hypot(rows, columns)
    values = np.where(distance < 0.8, 40.0, -1000.0)
    values[np.hypot(rows, columns - 0.35) < 0.3 * (1 - part)] = -850
    values[np.hypot(rows - 0.5, columns) < 0.12] = 700
    noise = np.random.default_rng(int(part * 1000)).normal(0, 12, values.shape)
    return (values + noise).astype(np.int16)


def a_slice(number: int, of: int, size: int, **attributes: object) -> bytes:
    values = hounsfield(size, number / of)
    return a_picture(
        **{
            "StudyInstanceUID": STUDY,
            "SeriesInstanceUID": SERIES,
            "SOPInstanceUID": generate_uid(entropy_srcs=[SERIES, str(number)]),
            "PatientName": "Li^<i>Wei=李^伟",
            "SeriesDescription": "Chest",
            "SeriesNumber": 2,
            "InstanceNumber": number + 1,
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "ImagePositionPatient": [0, 0, float(number)],
            "PixelSpacing": [0.7, 0.7],
            "WindowCenter": [40, -600],
            "WindowWidth": [400, 1500],
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
            "Rows": size,
            "Columns": size,
            "BitsAllocated": 16,
            "BitsStored": 12,
            "HighBit": 11,
            "PixelData": (values.clip(-1024, 3071) + 1024).astype("<u2").tobytes(),
        }
        | attributes
    )


def a_ct(slices: int, size: int) -> list[bytes]:
    return [a_slice(number, slices, size) for number in range(slices)]


@dataclass(frozen=True, slots=True)
class House:
    """The application at `address`; `cookie` is a county doctor's session."""

    address: str
    home: Path
    database_url: str
    cookies: dict[str, str]

    def sign_in(self, context: BrowserContext, who: str = "county") -> None:
        context.clear_cookies()
        session = {"name": "serai_session", "value": self.cookies[who], "url": self.address}
        context.add_cookies([session])  # type: ignore[list-item]


@contextmanager
def house(database_url: str, home: Path, contents: Sequence[bytes]) -> Iterator[House]:
    settings = Settings(home=home)
    # A thread of its own: a browser at work keeps a loop in this one.
    with ThreadPoolExecutor(1) as pool:
        filled = _filled(settings, database_url, contents)
        cookies = pool.submit(asyncio.run, filled).result()
    with served(create_app(settings, database_url)) as address:
        yield House(address, home, database_url, cookies)


async def _filled(
    settings: Settings, database_url: str, contents: Sequence[bytes]
) -> dict[str, str]:
    db = await Database.open(database_url, max_size=2)
    try:
        intake = Archive(FhirStore(), Blobs.at(settings)).intake(db, modality("county"))
        outcomes: list[Outcome] = []
        for at in range(0, len(contents), 50):
            batch = [receive(each) for each in contents[at : at + 50]]
            outcomes += await intake.keep(batch, now=utc_now())
        await intake.finish(now=utc_now())
        assert [each.error for each in outcomes if each.error] == []
        return {each: await _session(db, each) for each in ("county", "township")}
    finally:
        await db.close()


async def _session(db: Database, organisation: str) -> str:
    async with db.transaction() as tx:
        account = await create_account(
            tx,
            login=f"{organisation}.doctor",
            password="caravanserai-demo",
            name="Dr Chen",
            role="doctor",
            organisation=organisation,
        )
        secret, _ = await open_session(tx, account.id, utc_now())
    return secret


FILM = generate_uid()


def a_film(frames: int = 12) -> bytes:
    """A clip in colour, each frame brighter than the one before, at 20 frames a second."""
    pixels = b"".join(bytes([20 * number]) * (16 * 16 * 3) for number in range(frames))
    return a_picture(
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=FILM,
        PatientName="Li^Wei=李^伟",
        Modality="US",
        SeriesNumber=3,
        SeriesDescription="Heart",
        Rows=16,
        Columns=16,
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PhotometricInterpretation="RGB",
        NumberOfFrames=frames,
        FrameTime=50,
        PixelData=pixels,
    )


def a_radiograph() -> bytes:
    """Larger than is fetched unasked; a bright square on black."""
    values = np.zeros((1500, 1300), "<u2")
    values[500:1000, 400:900] = 3000
    return a_picture(
        StudyInstanceUID=STUDY,
        SeriesInstanceUID=generate_uid(),
        PatientName="Li^Wei=李^伟",
        Modality="DX",
        SeriesNumber=4,
        SeriesDescription="Thorax",
        Rows=1500,
        Columns=1300,
        BitsAllocated=16,
        BitsStored=12,
        HighBit=11,
        PixelData=values.tobytes(),
    )


def a_report() -> bytes:
    data_set = Dataset()
    data_set.SOPClassUID = BasicTextSRStorage
    data_set.SOPInstanceUID = generate_uid()
    data_set.StudyInstanceUID = STUDY
    data_set.SeriesInstanceUID = generate_uid()
    data_set.PatientID = "P1"
    data_set.PatientName = "Li^Wei=李^伟"
    data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.Modality = "SR"
    return as_part10(data_set)
