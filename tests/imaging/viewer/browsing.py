"""A doctor at the viewer, in Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from PIL import Image
from playwright.sync_api import Page
from tests.chromium import launched
from tests.imaging.serving import Server

from serai.kernel.clock import utc_now
from serai.platform.auth.accounts import create_account
from serai.platform.auth.sessions import open_session
from serai.platform.db import Database

# Software rendering: volumes need WebGL and a test machine has no graphics card. Single slices
# are drawn faster without.
VOLUMES = (
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)


def doctor_cookie(server: Server, organisation: str, *, role: str = "doctor") -> str:
    async def open_account() -> str:
        db = await Database.open(server.database_url, max_size=1)
        async with db.transaction() as tx:
            account = await create_account(
                tx,
                login=f"{organisation}.{role}",
                password="caravanserai-demo",
                name="Dr Chen",
                role=role,
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


@contextmanager
def page_of(server: Server, cookie: str, *flags: str) -> Iterator[Page]:
    """A window on the server, signed in."""
    with launched("--disable-dev-shm-usage", *flags) as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 750})
        sign_in(page, server, cookie)
        yield page


def until(page: Page, expression: str) -> bool:
    """Wait for a JavaScript expression; Playwright's own way needs what our pages forbid."""
    for _ in range(100):
        if page.evaluate(expression):
            return True
        page.wait_for_timeout(100)
    return False
