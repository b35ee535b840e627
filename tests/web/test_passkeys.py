"""Passkeys in a real browser, with an authenticator of Chromium's own making."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect
from starlette.applications import Starlette
from tests.chromium import PHONE, launched, served
from tests.web.conftest import NAVIGATION, PASSWORD, ROUTES

from serai.platform.auth.accounts import create_account
from serai.platform.db import Database
from serai.platform.settings import Settings
from serai.web import application

SCREEN = {"width": 1300, "height": 900}


async def _open_account(db: Database) -> None:
    async with db.transaction() as tx:
        await create_account(
            tx,
            login="county.doctor",
            password=PASSWORD,
            name="Li Wei 李伟",
            role="doctor",
            organisation="county",
        )


@pytest.fixture
def address(database_url: str, tmp_path: Path) -> Iterator[str]:
    """Under a name: browsers know no passkeys for numeric addresses."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.db = await Database.open(database_url, max_size=3)
        await _open_account(app.state.db)
        yield
        await app.state.db.close()

    app = Starlette(
        routes=[*application.routes(), *ROUTES],
        middleware=application.middleware(),
        exception_handlers=application.error_handlers(),
        lifespan=lifespan,
    )
    app.state.settings, app.state.navigation = Settings(home=tmp_path), NAVIGATION
    with served(app) as address:
        yield address.replace("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


def _person(browser: Browser, address: str, language: str = "en-GB") -> tuple[Page, CDPSession]:
    context = browser.new_context(base_url=address, viewport=SCREEN, locale=language)  # type: ignore[arg-type]
    page = context.new_page()
    tools = context.new_cdp_session(page)
    tools.send("WebAuthn.enable")
    return page, tools


def _device(tools: CDPSession, *, verifies: bool = True) -> str:
    options: dict[str, Any] = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": verifies,
        "automaticPresenceSimulation": True,
    }
    made = tools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return str(made["authenticatorId"])


def _arrived(page: Page, path: str) -> None:
    page.wait_for_url(lambda url: urlsplit(url).path == path)


def _sign_in(page: Page) -> None:
    page.goto("/signin?next=/account/factors")
    page.fill("[name=login]", "county.doctor")
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    _arrived(page, "/account/factors")


def _add_passkey(page: Page, name: str) -> None:
    page.get_by_label("Name of the device").fill(name)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text(name)).to_be_visible()


def test_a_passkey_signs_in_by_itself_and_each_answer_holds_once(
    browser: Browser, address: str, database_url: str
) -> None:
    page, tools = _person(browser, address)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    device = _device(tools)
    _sign_in(page)
    _add_passkey(page, "Ward telephone")
    page.context.clear_cookies()
    page.goto("/signin?next=/ward")
    with page.expect_request("**/signin/passkey") as sent:
        page.get_by_role("button", name="Sign in with a passkey").click()
        _arrived(page, "/ward")
    page.context.clear_cookies()
    again = page.request.post(
        "/signin/passkey",
        data=sent.value.post_data,
        headers={"content-type": "application/json", "sec-fetch-site": "same-origin"},
    )
    assert again.status == 401
    # Whoever copied the key signs with a counter that ours has passed.
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute("UPDATE account_passkey SET sign_count = 1000")
    page.goto("/signin?next=/ward")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("not accepted")
    assert problems == []
    assert tools.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]


def test_a_passkey_is_the_second_factor_and_the_fresh_proof(
    browser: Browser, address: str, database_url: str
) -> None:
    page, tools = _person(browser, address)
    _device(tools)
    _sign_in(page)
    _add_passkey(page, "Ward telephone")
    page.context.clear_cookies()
    page.goto("/signin?next=/ward")
    page.fill("[name=login]", "county.doctor")
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Use a passkey").click()
    _arrived(page, "/ward")
    with psycopg.connect(database_url, autocommit=True) as database:
        database.execute("UPDATE account_session SET proved_at = proved_at - interval '1 hour'")
    page.goto("/account/factors")
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Remove Ward telephone").click()
    _arrived(page, "/signin/again")
    page.get_by_role("button", name="Use a passkey").click()
    _arrived(page, "/account/factors")
    page.get_by_role("button", name="Remove Ward telephone").click()
    expect(page.get_by_text("Ward telephone")).to_have_count(0)


def test_a_device_that_does_not_check_its_owner_is_no_passkey(
    browser: Browser, address: str
) -> None:
    page, tools = _person(browser, address)
    _device(tools, verifies=False)
    _sign_in(page)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("alert")).to_be_visible()


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_the_account_pages_fit_a_telephone(browser: Browser, address: str, language: str) -> None:
    page, _ = _person(browser, address, language)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.goto("/signin?next=/account")
    page.fill("[name=login]", "county.doctor")
    page.fill("[name=password]", PASSWORD)
    page.locator("main button").first.click()
    _arrived(page, "/account")
    for path in ("/account", "/account/factors", "/account/password", "/signin/again"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
