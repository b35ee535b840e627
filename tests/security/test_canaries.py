"""Secrets and pictures are planted through the running server; then everything that a thief of the
disk, of a backup or of the logs would have is searched for them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyotp
import pytest
from tests.imaging.objects import a_picture, uid
from tests.serving.conftest import Place, Serve, serve

from serai.platform.encryption.master import new_master_key
from serai.platform.postgres import Cluster, binaries

__all__ = ["serve"]

PASSWORD = "seven CANARY geese over Qinghai"
HOOK = "Bearer CANARYofthewebhook"
PARTS = 'multipart/related; type="application/dicom"; boundary=cut'
PIXELS = b"CANARY in the film "
# Kept by way of the log, and as a file of its own.
SMALL, LARGE = 64, 3000


def picture(side: int) -> bytes:
    pixels = (PIXELS * (side * side // len(PIXELS) + 1))[: side * side]
    return a_picture(Rows=side, Columns=side, PixelData=pixels, StudyInstanceUID="1.2.840.7")


class Hospital:
    """A server with encryption on, its master key in the environment, and what was planted."""

    def __init__(self, folder: Path) -> None:
        self.master = new_master_key()
        self.folder = folder
        self.place = Place(
            folder / "var",
            more={
                "SERAI_BLOB_ENCRYPTION": "aes-256-gcm",
                "SERAI_MASTER_KEY": self.master.line,
                "SERAI_LOG_FORMAT": "json",
                "SERAI_WORKERS": "2",
            },
        )
        self.url = f"http://127.0.0.1:{self.place.port}"
        self.pictures: list[str] = []
        self.secrets: dict[str, bytes] = {
            "password": PASSWORD.encode(),
            "webhook header": HOOK.encode(),
            "picture": PIXELS,
            "master key": self.master.material,
            "master key in hex": self.master.material.hex().encode(),
        }

    def plant(self) -> None:
        token = self.place.serai("token", "--scope", "system/*.cruds").stdout.strip()
        self.secrets["token"] = token.encode()
        with httpx.Client(
            base_url=self.url, headers={"authorization": f"Bearer {token}"}, trust_env=False
        ) as client:
            self._plant_records(client)
        with httpx.Client(base_url=self.url, trust_env=False, follow_redirects=True) as client:
            self._plant_account(client)

    def _plant_records(self, client: httpx.Client) -> None:
        organisation = {"resourceType": "Organization", "id": "county", "name": "County"}
        assert client.put("/fhir/Organization/county", json=organisation).is_success
        hook = {
            "resourceType": "Subscription",
            "status": "requested",
            "reason": "ward",
            "criteria": "Observation?status=final",
            "channel": {
                "type": "rest-hook",
                "endpoint": "https://nobody.invalid/hook",
                "header": [f"Authorization: {HOOK}"],
            },
        }
        assert client.post("/fhir/Subscription", json=hook).status_code == 201
        for side in (SMALL, LARGE):
            content = picture(side)
            head = b"--cut\r\nContent-Type: application/dicom\r\n\r\n"
            answer = client.post(
                "/dicomweb/studies",
                content=head + content + b"\r\n--cut--\r\n",
                headers={
                    "content-type": 'multipart/related; type="application/dicom"; boundary=cut'
                },
                timeout=60,
            )
            assert answer.status_code == 200, answer.text
            path = f"/dicomweb/studies/1.2.840.7/series/{uid(content, 'SeriesInstanceUID')}"
            self.pictures.append(f"{path}/instances/{uid(content)}")
        self.read(client)

    def read(self, client: httpx.Client) -> None:
        """As a viewer does, from whichever worker answers."""
        for path in self.pictures:
            assert PIXELS in client.get(path, timeout=60).content
            assert PIXELS[:9] in client.get(f"{path}/frames/1", timeout=60).content

    def renew_keys(self) -> None:
        """New keys, while the server goes on; until nothing needs the old ones."""
        assert self.place.serai("keys", "rotate").returncode == 0
        headers = {"authorization": f"Bearer {self.secrets['token'].decode()}"}
        until = time.monotonic() + 60
        with httpx.Client(base_url=self.url, headers=headers, trust_env=False) as client:
            while "  replaced" in (said := self.place.serai("keys", "list").stdout):
                assert time.monotonic() < until, said
                self.read(client)
        # Of one-time codes, of webhooks, of objects and of their names.
        assert said.count("  retired") == 4

    def _plant_account(self, client: httpx.Client) -> None:
        added = self.place.serai(
            "user", "add", "county.doctor", "--name", "Li Na", "--role", "doctor",
            "--organisation", "county", typed=PASSWORD + "\n",
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
        data = {"login": "county.doctor", "password": PASSWORD}
        client.post("/signin", data=data, headers={"origin": self.url})
        self.secrets["session"] = client.cookies["serai_session"].encode()
        self._send(client, "/account/factors/totp", "/account/factors")
        page = client.get("/account/factors/totp").text
        seed = page.split('<p class="mono">')[1].split("</p>")[0].replace(" ", "")
        self.secrets["seed"] = seed.encode()
        code = pyotp.TOTP(seed).now()
        self._send(client, "/account/factors/totp/confirm", "/account/factors/totp", code=code)
        shown = client.get("/account/factors").text
        assert "/account/factors/totp/remove" in shown

    def _send(self, client: httpx.Client, path: str, page: str, **data: str) -> None:
        secret = client.get(page).text.split('name="_csrf" value="')[1].split('"')[0]
        answer = client.post(
            path, data={"_csrf": secret} | data, headers={"referer": self.url + page}
        )
        assert answer.status_code == 200, answer.text

    def dump(self) -> bytes:
        """What a backup of the database has."""
        with Cluster(self.place.home) as cluster:
            return subprocess.run(
                [binaries() / "pg_dump", "--inserts", cluster.url], check=True, capture_output=True
            ).stdout

    def files(self) -> Iterator[Path]:
        """The state folder, what lies beside it, logs included."""
        return (path for path in self.folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("serve")
def test_no_planted_secret_or_picture_is_on_the_disk_in_a_dump_or_in_a_log(
    tmp_path: Path, serve: Serve
) -> None:
    hospital = Hospital(tmp_path / "hospital")
    (tmp_path / "hospital").mkdir()
    server = serve(hospital.place)
    hospital.plant()
    hospital.renew_keys()
    dump = hospital.dump()
    assert server.stop() == 0
    found = {
        (name, "dump")
        for name, secret in hospital.secrets.items()
        if secret in dump or secret.hex().encode() in dump
    }
    for path in hospital.files():
        content = path.read_bytes()
        found |= {
            (name, str(path.relative_to(tmp_path)))
            for name, secret in hospital.secrets.items()
            if secret in content
        }
    assert found == set()
    # The search itself can find something: what may lie there does.
    assert b"county.doctor" in dump
    assert "Serai is ready" in server.said
