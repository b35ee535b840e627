"""The whole application with one study of the county hospital, and people at their browsers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import psycopg
from tests.chromium import served
from tests.imaging.objects import PYDICOM_FILES, a_picture

from serai.app import create_app
from serai.kernel.clock import utc_now
from serai.platform.auth.accounts import create_account
from serai.platform.auth.scopes import parse_scopes
from serai.platform.auth.sessions import open_session
from serai.platform.auth.tokens import issue_token
from serai.platform.db import Database
from serai.platform.settings import Settings

STUDY = "1.2.826.0.1.3680043.8.498.88"
OTHER = "1.2.826.0.1.3680043.8.498.99"
NODE_MODULES = Path(__file__).parents[3] / "node_modules"


def pictures() -> list[bytes]:
    """Two pictures of a study that name the patient in many places, and one of another study."""
    named: dict[str, Any] = {
        "PatientName": "Zhang^Wei=张^伟",
        "PatientID": "HOSP-4711",
        "PatientBirthDate": "19580402",
        "PatientAddress": "1 Qingshan Road",
        "ReferringPhysicianName": "Zhao^Min",
        "AccessionNumber": "ACC-4711",
        "StudyDescription": "Head CT of Zhang",
        "SeriesDescription": "Axial",
    }
    same = {**named, "StudyInstanceUID": STUDY, "SeriesInstanceUID": f"{STUDY}.1"}
    return [
        a_picture(**same, InstanceNumber=1, SOPInstanceUID=f"{STUDY}.1.1"),
        a_picture(**same, InstanceNumber=2, SOPInstanceUID=f"{STUDY}.1.2"),
        a_picture(
            **named,
            StudyInstanceUID=OTHER,
            SeriesInstanceUID=f"{OTHER}.1",
            SOPInstanceUID=f"{OTHER}.1.1",
        ),
    ]


def a_real_ct() -> bytes:
    return (PYDICOM_FILES / "CT_small.dcm").read_bytes()


@dataclass
class House:
    """Where it answers, and who may do what there."""

    url: str
    database_url: str
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""

    def store(self, *contents: bytes) -> None:
        head = b"--cut\r\nContent-Type: application/dicom\r\n\r\n"
        body = b"".join(head + content + b"\r\n" for content in contents) + b"--cut--"
        kind = 'multipart/related; type="application/dicom"; boundary=cut'
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        answer = httpx.post(f"{self.url}/dicomweb/studies", content=body, headers=headers)
        assert answer.status_code == 200, answer.text

    def staff(self, organisation: str) -> httpx.Client:
        cookie = f"serai_session={self.cookies[organisation]}"
        return httpx.Client(base_url=self.url, headers={"Cookie": cookie})

    def somebody(self) -> httpx.Client:
        """A browser that nobody has signed in with."""
        return httpx.Client(base_url=self.url)

    def make(self, study: str = STUDY, *options: str, **fields: str) -> tuple[str, str]:
        """The path of a new link, and its passcode."""
        with self.staff("county") as client:
            page = client.get(f"/studies/{study}/sharing")
            assert page.status_code == 200, page.text
            secret = re.search(r'name="csrf" content="([^"]+)"', page.text)
            assert secret
            sent = {"purpose": "patient", "days": "7", "options": list(options), **fields}
            answer = client.post(f"/studies/{study}/links", data={"_csrf": secret[1], **sent})
        assert answer.status_code == 200, answer.text
        address = re.search(r'value="(http[^"]+/link/[^"]+)"', answer.text)
        passcode = re.search(r'id="passcode">(\d{6})<', answer.text)
        assert address
        return unescape(address[1]).removeprefix(self.url), passcode[1] if passcode else ""

    def revoke(self, study: str = STUDY) -> int:
        """Every link of the study, by its makers."""
        with self.staff("county") as client:
            page = client.get(f"/studies/{study}/sharing").text
            secret = re.search(r'name="csrf" content="([^"]+)"', page)
            assert secret
            paths = re.findall(r'action="(/studies/[^"]+/revoke)"', page)
            for path in paths:
                assert client.post(path, data={"_csrf": secret[1]}).status_code == 303
        return len(paths)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@contextmanager
def house(database_url: str, home: Path) -> Iterator[House]:
    settings = Settings(home=home, node_modules=NODE_MODULES)
    with served(create_app(settings, database_url)) as url:
        opened = House(url, database_url)
        asyncio.run(_people(opened))
        yield opened


async def _people(made: House) -> None:
    db = await Database.open(made.database_url, max_size=1)
    async with db.transaction() as tx:
        for organisation in ("county", "township"):
            account = await create_account(
                tx,
                login=f"{organisation}.doctor",
                password="caravanserai-demo",
                name="Dr Chen",
                role="doctor",
                organisation=organisation,
            )
            made.cookies[organisation], _ = await open_session(tx, account.id, utc_now())
        scopes = parse_scopes("system/*.cruds")
        made.token = await issue_token(tx, scopes, timedelta(hours=1), organisation="county")
    await db.close()
