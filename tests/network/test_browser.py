"""The design system in a real browser: nothing our policy blocks, nothing wider than a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from playwright.sync_api import Browser, Page, expect
from starlette.applications import Starlette
from tests.chromium import PHONE, launched, served, signed_in

from serai.fhir.store import FhirStore
from serai.network import pages
from serai.platform.db import Database
from serai.platform.settings import Settings
from serai.web import application

SCREEN = {"width": 1400, "height": 900}


def _site(url: str) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.db = await Database.open(url, max_size=3)
        yield
        await app.state.db.close()

    app = Starlette(
        routes=[*application.routes(), *pages.routes()],
        middleware=application.middleware(),
        exception_handlers=application.error_handlers(),
        lifespan=lifespan,
    )
    app.state.fhir, app.state.settings = FhirStore(), Settings()
    app.state.navigation = pages.NAVIGATION
    return app


@pytest.fixture(scope="module")
def address(network_url: str) -> Iterator[str]:
    with served(_site(network_url)) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


def _signed_in(browser: Browser, address: str, size: dict[str, int], language: str) -> Page:
    return signed_in(browser, address, size, language, login="county.doctor", at="/organisations")


def test_typing_in_the_search_field_narrows_the_list_without_a_new_page(
    browser: Browser, address: str
) -> None:
    page = _signed_in(browser, address, SCREEN, "en-GB")
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.keyboard.press("/")
    expect(page.locator("input[type=search]")).to_be_focused()
    page.keyboard.type("青山县")
    expect(page.locator(".row-link")).to_have_count(1)
    assert "q=" in page.url
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/organisations/county")
    assert problems == []


def test_the_keyboard_shortcuts_list_themselves(browser: Browser, address: str) -> None:
    page = _signed_in(browser, address, SCREEN, "en-GB")
    page.keyboard.press("?")
    assert page.locator("dialog#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog#keys").is_visible()


def test_the_first_tab_leads_past_the_menu(browser: Browser, address: str) -> None:
    page = _signed_in(browser, address, SCREEN, "en-GB")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("path", ["/organisations", "/organisations/county", "/nowhere"])
def test_no_page_is_wider_than_a_phone(
    browser: Browser, address: str, path: str, language: str
) -> None:
    page = _signed_in(browser, address, PHONE, language)
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_times_follow_the_zone_of_the_browser(browser: Browser, address: str) -> None:
    page = _signed_in(browser, address, SCREEN, "en-GB")
    zones = {one["value"] for one in page.context.cookies() if one["name"] == "serai_zone"}
    assert zones == {"Asia/Shanghai"}


def test_the_language_is_switched_on_every_page(browser: Browser, address: str) -> None:
    page = _signed_in(browser, address, SCREEN, "en-GB")
    page.goto("/organisations?tier=township")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    assert "tier=township" in page.url
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
