from __future__ import annotations

import asyncio
from io import BytesIO

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from tests.imaging.objects import PYDICOM_FILES, uid
from tests.imaging.serving import Server
from tests.imaging.uploading import Client

from serai.kernel.clock import utc_now
from serai.platform.auth.accounts import create_account
from serai.platform.auth.sessions import open_session
from serai.platform.db import Database

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def doctor_cookie(server: Server, organisation: str) -> str:
    async def open_account() -> str:
        db = await Database.open(server.database_url, max_size=1)
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
        await db.close()
        return secret

    return asyncio.run(open_account())


def sign_in(page: Page, server: Server, cookie: str) -> None:
    page.context.clear_cookies()
    page.context.add_cookies([{"name": "serai_session", "value": cookie, "url": server.url}])


def greys(picture: bytes) -> int:
    """How many shades the middle of the screen shows: none, a message, or an image."""
    image = Image.open(BytesIO(picture)).convert("L")
    width, height = image.size
    middle = image.crop((width // 2 - 150, height // 2 - 150, width // 2 + 150, height // 2 + 150))
    return len(middle.getcolors(256) or [])


def wait_for_image(page: Page) -> int:
    for _ in range(40):
        shades = greys(page.screenshot())
        if shades > 60:
            return shades
        page.wait_for_timeout(500)
    return greys(page.screenshot())


def test_a_doctor_sees_the_image_and_the_hospital_next_door_does_not(server: Server) -> None:
    content = (PYDICOM_FILES / "CT_small.dcm").read_bytes()
    assert Client.of(server, "county").store(content).status_code == 200
    address = f"{server.url}/viewer/viewer?StudyInstanceUIDs={uid(content, 'StudyInstanceUID')}"
    county, township = doctor_cookie(server, "county"), doctor_cookie(server, "township")
    foreign: list[str] = []
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1000, "height": 700})
        page.on("request", lambda sent: foreign.append(sent.url))
        sign_in(page, server, county)
        page.goto(address)
        page.wait_for_selector("canvas", timeout=60_000)
        assert wait_for_image(page) > 60
        sign_in(page, server, township)
        page.goto(address)
        page.wait_for_url("**/viewer/notfoundstudy*", timeout=30_000)
        browser.close()
    assert [url for url in foreign if not url.startswith((server.url, "blob:", "data:"))] == []


def test_the_viewer_needs_somebody_signed_in(server: Server) -> None:
    assert httpx.get(f"{server.url}/viewer/").status_code == 401


def test_files_are_compressed_cached_and_nothing_else_is_served(server: Server) -> None:
    headers = {"Cookie": f"serai_session={doctor_cookie(server, 'county')}"}
    with httpx.Client(base_url=server.url, headers=headers) as client:
        page = client.get("/viewer/viewer?StudyInstanceUIDs=1.2").text
        script = next(part for part in page.split('"') if "/app.bundle." in part and ".js" in part)
        answer = client.get(script)
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "immutable" in answer.headers["Cache-Control"]
        assert int(answer.headers["Content-Length"]) < 5_000_000
        plain = client.get(script, headers={"Accept-Encoding": "identity"})
        assert plain.content == answer.content
        assert client.get("/viewer/no-such.bundle.js").status_code == 404
        outside = client.get("/viewer/..%2f..%2f..%2fhtmx.org%2fpackage.json")
        assert "htmx" not in outside.text
        assert "googleapis" not in page
        configuration = client.get("/viewer/app-config.js").text
        assert "/dicomweb" in configuration
