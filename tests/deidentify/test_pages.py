"""A doctor makes a project, chooses a study and takes the result away, in a real browser."""

from __future__ import annotations

import asyncio
import os
import zipfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.chromium import PHONE, launched, served, signed_in
from tests.deidentify.test_projects import House, pictures

from serai.app import create_app
from serai.platform import jobs
from serai.platform.auth.accounts import create_account
from serai.platform.db import Database
from serai.platform.settings import Settings

SCREEN = {"width": 1300, "height": 900}
PASSWORD = "caravanserai-demo"


async def _filled(url: str, home: Path) -> None:
    """Two studies of the doctor's own hospital, one of them with burned-in writing."""
    db = await Database.open(url, max_size=3)
    house = House(db, url, home)
    async with db.transaction() as tx:
        account = await create_account(
            tx, login="doctor", password=PASSWORD, name="Li Na", role="doctor",
            organisation="county",
        )  # fmt: skip
    sent = [*pictures("P100", 2, StudyDescription="Chest"), *pictures("P200")]
    sent += pictures("P300", BurnedInAnnotation="YES")
    await house.sent(*sent, by=account.actor)
    await db.close()


async def _worked_off(url: str, home: Path) -> None:
    """What the process of jobs does."""
    db = await Database.open(url, max_size=3)
    house = House(db, url, home)
    async with house.working():
        for _ in range(300):
            async with db.connection() as connection:
                (job,) = await jobs.of_organisation(connection, "county", start=0, most=1)
            if not job.open:
                break
            await asyncio.sleep(0.1)
    assert job.status == "done"
    await db.close()


def _elsewhere(work: Coroutine[Any, Any, None]) -> None:
    # The browser's own loop may be running in this thread.
    with ThreadPoolExecutor() as other:
        other.submit(lambda: asyncio.run(work)).result()


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[str]:
    _elsewhere(_filled(database_url, tmp_path))
    settings = Settings(home=tmp_path, database_url=database_url)
    with served(create_app(settings, database_url)) as address:
        yield address


@pytest.fixture
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


def _signed_in(browser: Browser, address: str, size: dict[str, int], language: str) -> Page:
    return signed_in(browser, address, size, language, login="doctor", at="/deidentification")


def test_a_doctor_takes_studies_without_their_patients(
    browser: Browser, site: str, database_url: str, tmp_path: Path
) -> None:
    page = _signed_in(browser, site, SCREEN, "en-GB")
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.get_by_role("link", name="New project").first.click()
    page.fill("[name=name]", "Lung nodules")
    page.get_by_role("button", name="Make the project").click()
    expect(page.locator(".field.wrong")).to_have_count(1)
    page.fill("[name=purpose]", "Teaching; ethics committee 2026-11")
    page.get_by_label("Paint over writing in the pictures").uncheck()
    page.get_by_label("Keep dates, moved").check()
    page.get_by_role("button", name="Make the project").click()
    expect(page.locator("#candidates tbody tr")).to_have_count(3)
    page.get_by_role("searchbox").fill("P300")
    expect(page.locator("#candidates tbody tr")).to_have_count(1)
    page.get_by_role("searchbox").fill("")
    expect(page.locator("#candidates tbody tr")).to_have_count(3)
    for box in page.locator("#candidates [type=checkbox]").all():
        box.check()
    page.get_by_role("button", name="Add the chosen").click()
    page.get_by_role("button", name="De-identify").click()
    expect(page.get_by_text("Queued")).to_be_visible()
    _elsewhere(_worked_off(database_url, tmp_path))
    # Without being asked to: the page looks again every few seconds.
    expect(page.get_by_text("1 × writing is burned in")).to_be_visible()
    page.reload()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download").click()
    with zipfile.ZipFile(waiting.value.path()) as archive:
        assert sum(name.endswith(".dcm") for name in archive.namelist()) == 3
        (subject, *_) = sorted({name.split("/")[0] for name in archive.namelist() if "/" in name})
    page.fill("#f-subject", subject)
    page.fill("#f-reason", "incidental nodule")
    page.get_by_role("button", name="Who is this?").press("Enter")
    expect(page.get_by_text("number:county||P")).to_be_visible()
    assert problems == []
    _fits_both(browser, site, page.url.removeprefix(site).removesuffix("/who-is"))


def _fits_both(browser: Browser, site: str, path: str) -> None:
    for language in ("en-GB", "zh-CN"):
        page = _signed_in(browser, site, SCREEN, language)
        for at in ("/deidentification", "/deidentification/new", path):
            page.goto(at)
            for width, height in ((PHONE["width"], PHONE["height"]), (1300, 900)):
                page.set_viewport_size({"width": width, "height": height})
                if folder := os.environ.get("SHOTS"):
                    name = f"{language}-{width}-{len(at)}.png"
                    page.screenshot(path=f"{folder}/{name}", full_page=True)
                assert page.evaluate("document.documentElement.scrollWidth") <= width, at
