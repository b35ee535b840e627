"""A real browser: open the link, type the passcode, see the picture; then it is revoked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page
from tests.care.sharing.serving import House, a_real_ct, house
from tests.chromium import PHONE, launched
from tests.imaging.objects import uid
from tests.imaging.viewer.browsing import wait_for_image

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def keep(page: Page, name: str) -> None:
    """For looking at, when SERAI_SCREENSHOTS names a folder."""
    folder = os.environ.get("SERAI_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def signed_in(page: Page, opened: House) -> None:
    cookie = {"name": "serai_session", "value": opened.cookies["county"], "url": opened.url}
    page.context.add_cookies([cookie])  # type: ignore[list-item]


def test_somebody_with_the_passcode_sees_the_picture_until_the_link_is_revoked(
    database_url: str, tmp_path: Path
) -> None:
    content = a_real_ct()
    study = uid(content, "StudyInstanceUID")
    with house(database_url, tmp_path) as opened, launched() as browser:
        opened.store(content)
        doctor = browser.new_page(viewport={"width": 1300, "height": 900}, locale="en-GB")
        signed_in(doctor, opened)
        doctor.goto(f"{opened.url}/studies/{study}/sharing")
        doctor.get_by_text("Hide who the patient is").click()
        doctor.get_by_role("button", name="Make the link").click()
        address = doctor.locator("#address").input_value()
        passcode = doctor.locator("#passcode").inner_text()
        assert doctor.locator(".scan img").evaluate("image => image.naturalWidth") > 100
        keep(doctor, "sharing-made")

        phone = browser.new_page(viewport=PHONE, locale="zh-CN")  # type: ignore[arg-type]
        phone.set_default_timeout(60_000)
        foreign: list[str] = []
        phone.on("request", lambda sent: foreign.append(sent.url))
        phone.goto(address)
        keep(phone, "sharing-door")
        assert phone.evaluate("document.documentElement.scrollWidth") <= 360
        phone.fill("[name=passcode]", "x")
        phone.locator("main button").click()
        phone.wait_for_selector(".alert.danger")
        phone.wait_for_timeout(1100)
        phone.fill("[name=passcode]", passcode)
        phone.locator("main button").click()
        phone.wait_for_url("**/link/opened/*")
        keep(phone, "sharing-study")
        assert phone.evaluate("document.documentElement.scrollWidth") <= 360
        phone.set_viewport_size({"width": 800, "height": 600})
        phone.locator("main a.button").first.click()
        phone.wait_for_selector("canvas", timeout=60_000)
        assert wait_for_image(phone) > 60
        assert "CompressedSamples" not in phone.locator("body").inner_text()

        doctor.on("dialog", lambda dialog: dialog.accept())
        doctor.goto(f"{opened.url}/studies/{study}/sharing")
        keep(doctor, "sharing-links")
        doctor.get_by_role("button", name="Revoke").click()
        doctor.get_by_text("The link is revoked.").wait_for()
        answer = phone.goto(address)
        assert answer is not None
        assert answer.status == 404
        keep(phone, "sharing-ended")
        doctor.set_viewport_size(PHONE)  # type: ignore[arg-type]
        keep(doctor, "sharing-links-phone")
        assert doctor.evaluate("document.documentElement.scrollWidth") <= 360
        asked = [url for url in foreign if not url.startswith(("blob:", "data:"))]
        assert [url for url in asked if not url.startswith(opened.url)] == []
        # A link has its own service; the one of the house was never asked.
        assert [url for url in asked if url.startswith(f"{opened.url}/dicomweb")] == []
