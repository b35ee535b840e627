"""Pictures into a record over a line that breaks, in a real browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, expect
from tests.chromium import launched
from tests.imaging.light.stacks import House
from tests.imaging.objects import a_picture
from tests.imaging.uploads.conftest import database, served, token

__all__ = ["database", "served"]

PICTURE = "input[name=pictures]"
SENT = "wanted => Number(document.querySelector('[data-resumable] progress').value) > wanted"


@pytest.fixture
def browser() -> Iterator[Browser]:
    with launched() as started:
        yield started


@pytest.fixture
def patient(served: House, database: str) -> str:
    headers = {"Authorization": f"Bearer {token(database, 'county', 'system/*.cruds')}"}
    person = {"family": uuid4().hex[:8], "given": "Wei", "birth_date": "1970-05-23"}
    answer = httpx.post(f"{served.address}/api/patients", json=person, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


class Line:
    """A page's line to the server, thin or dead, and what the page sends over it."""

    def __init__(self, page: Page, *, bytes_a_second: int) -> None:
        self.offsets: list[int] = []
        self._limits = {"latency": 20, "downloadThroughput": -1, "uploadThroughput": bytes_a_second}
        self._session = page.context.new_cdp_session(page)
        self._session.send("Network.enable")
        page.on("request", self._noted)
        self.dead(offline=False)

    def dead(self, *, offline: bool) -> None:
        wanted = {"offline": offline, **self._limits}
        self._session.send("Network.emulateNetworkConditions", wanted)

    def _noted(self, request: Request) -> None:
        if request.method == "PATCH":
            self.offsets.append(int(request.headers["upload-offset"]))


def test_an_upload_goes_on_after_a_dead_line_and_a_reload(
    browser: Browser, served: House, patient: str, tmp_path: Path
) -> None:
    pixels = os.urandom(1024 * 1024)
    content = a_picture(Rows=1024, Columns=1024, PatientName="", PixelData=pixels)
    picture = tmp_path / "large.dcm"
    picture.write_bytes(content)
    context = browser.new_context()
    served.sign_in(context)
    page, address = context.new_page(), f"{served.address}/patients/{patient}"
    page.goto(address)
    line = Line(page, bytes_a_second=400_000)
    page.set_input_files(PICTURE, picture)
    page.get_by_role("button", name="Upload").first.click()
    page.wait_for_function(SENT, arg=0.2)
    line.dead(offline=True)
    expect(page.locator("[data-state]")).to_contain_text("No connection")
    page.close()

    page, broken = context.new_page(), []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(address)
    line = Line(page, bytes_a_second=4_000_000)
    expect(page.locator("[data-state]")).to_contain_text("choose the same files again")
    page.set_input_files(PICTURE, picture)
    page.get_by_role("button", name="Upload").first.click()
    expect(page.get_by_text("Open images").first).to_be_visible()
    assert min(line.offsets) >= 256 * 1024
    assert broken == []
    left = httpx.get(
        f"{served.address}/api/uploads?for=/patients/{patient}/pictures",
        headers={"Cookie": f"serai_session={served.cookies['county']}"},
    )
    assert left.json() == []
    assert list((served.home / "uploads").iterdir()) == []
    context.close()


def test_a_pause_holds_the_upload_and_the_refused_are_named(
    browser: Browser, served: House, patient: str, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.dcm", tmp_path / "bad.dcm"
    pixels = os.urandom(1024 * 1024)
    good.write_bytes(a_picture(Rows=1024, Columns=1024, PixelData=pixels))
    bad.write_bytes(b"no picture")
    context = browser.new_context(locale="zh-CN")
    served.sign_in(context)
    page = context.new_page()
    page.goto(f"{served.address}/patients/{patient}")
    Line(page, bytes_a_second=600_000)
    page.set_input_files(PICTURE, [good, bad])
    page.get_by_role("button", name="上传").first.click()
    page.wait_for_function(SENT, arg=0.2)
    page.get_by_role("button", name="暂停").click()
    expect(page.locator("[data-state]")).to_contain_text("已暂停")
    held = page.inner_text("[data-state]")
    page.wait_for_timeout(1200)
    assert page.inner_text("[data-state]") == held
    page.get_by_role("button", name="继续").click()
    expect(page.locator("main")).to_contain_text("bad.dcm")
    expect(page.locator("main")).to_contain_text("已保存 1 幅影像")
    context.close()
