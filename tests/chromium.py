"""A real browser, and an application served to it on loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.applications import Starlette

# From Debian's package, which `make test` installs.
CHROMIUM = "/usr/bin/chromium"
PHONE = {"width": 360, "height": 740}


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """Its address, while a thread of its own serves it."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, ws="none", log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def launched(*flags: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", *flags]
        )
        yield browser
        browser.close()


def signed_in(
    browser: Browser, address: str, size: dict[str, int], language: str, *, login: str, at: str
) -> Page:
    """A person who speaks the language, on the page `at`; the password is the demonstration's."""
    page = browser.new_context(
        base_url=address,
        viewport={"width": size["width"], "height": size["height"]},
        locale=language,
        timezone_id="Asia/Shanghai",
    ).new_page()
    page.goto(f"/signin?next={at}")
    page.fill("[name=login]", login)
    page.fill("[name=password]", "caravanserai-demo")
    page.click("main button")
    page.wait_for_url(f"**{at}")
    return page
