"""The administrator's pages in a real browser: on a phone, by keyboard, in both languages."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.chromium import PHONE, launched, served, signed_in
from tests.fhir.upkeep.conftest import PASSWORD, House, application

from serai.platform.auth.accounts import create_account
from serai.platform.db import Database

SCREEN = {"width": 1400, "height": 900}


async def _filled(url: str, home: Path) -> str:
    """A busy house; the id of a subscription with dead letters."""
    db = await Database.open(url, max_size=2)
    app, store = application(db, home)
    house = House(db, store, app)
    program = await house.program("county")
    for status, error in (("running", None), ("failed", "job.gave-up"), ("done", None)):
        await house.job(program, status, error=error)
    for number in range(30):
        await house.subscribed(program, f"Reporting {number} of the county")
    id = await house.subscribed(program, "Laboratory mirror", dead=3)
    async with db.transaction() as tx:
        await tx.execute(
            "UPDATE subscription SET status = 'error', last_error = 'subscription.no-address'"
            " WHERE id = %s",
            (id,),
        )
        await create_account(
            tx, login="admin", password=PASSWORD, name="Wu", role="admin", organisation="county"
        )
    await db.close()
    return id


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[tuple[str, str]]:
    # The browser's own loop may be running in this thread.
    with ThreadPoolExecutor() as other:
        id = other.submit(lambda: asyncio.run(_filled(database_url, tmp_path))).result()

    @asynccontextmanager
    async def lifespan(app: object) -> AsyncIterator[None]:
        made.state.db = await Database.open(database_url, max_size=3)
        yield
        await made.state.db.close()

    made, _ = application(None, tmp_path)  # type: ignore[arg-type]
    made.router.lifespan_context = lifespan
    with served(made) as address:
        yield address, id


@pytest.fixture
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


def _signed_in(browser: Browser, address: str, size: dict[str, int], language: str) -> Page:
    return signed_in(browser, address, size, language, login="admin", at="/upkeep")


def test_an_administrator_mends_what_failed_with_the_keyboard(
    browser: Browser, site: tuple[str, str]
) -> None:
    address, id = site
    page = _signed_in(browser, address, SCREEN, "en-GB")
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.get_by_role("link", name="Subscriptions").click()
    page.wait_for_url("**/subscriptions")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{id}")
    expect(page.locator("tbody tr")).to_have_count(3)
    page.get_by_role("button", name="Send again").first.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Switch off").press("Enter")
    expect(page.get_by_role("button", name="Switch on")).to_be_visible()
    assert problems == []


def test_the_pages_fit_a_phone_in_both_languages(browser: Browser, site: tuple[str, str]) -> None:
    address, id = site
    for language in ("en-GB", "zh-CN"):
        for size in (PHONE, SCREEN):
            page = _signed_in(browser, address, size, language)
            for path in ("", "/subscriptions", "/subscriptions?from=25", f"/subscriptions/{id}"):
                page.goto("/upkeep" + path)
                width = page.evaluate("document.documentElement.scrollWidth")
                if folder := os.environ.get("SHOTS"):
                    name = (path.replace("/", "-") or "jobs")[:24].replace("?", "-")
                    page.screenshot(
                        path=f"{folder}/{language}-{size['width']}{name}.png", full_page=True
                    )
                assert width <= size["width"], (language, path)
