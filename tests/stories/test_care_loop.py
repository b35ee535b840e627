"""A county doctor asks, an expert looks at the pictures and answers, the county doctor reads.

The whole way through a real browser and a real server. With SERAI_SCREENSHOTS set, the pages
are kept in docs/images for the README.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Dialog, Page, expect

ROOT = Path(__file__).parents[2]
CT = sorted((ROOT / "demo" / "pictures" / "ct-chest").glob("*.dcm"))
PASSWORD = "caravanserai-demo"
PATIENCE_MS = 60_000
# How many grey values a canvas shows: one when it is empty, hundreds when it is a CT.
GREYS = """canvas => {
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const seen = new Set();
  for (let at = 0; at < data.length; at += 4) seen.add(data[at]);
  return seen.size;
}"""


class Person:
    """Somebody at their own browser window."""

    def __init__(self, browser: Browser, address: str, login: str, language: str = "en-GB") -> None:
        self.address = address
        self.context = browser.new_context(
            locale=language, timezone_id="Asia/Shanghai", viewport={"width": 1400, "height": 900}
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.broken: list[str] = []
        self.page.on("pageerror", lambda error: self.broken.append(str(error)))
        self.page.on("dialog", self._agree)
        self.page.goto(f"{address}/signin")
        self.page.fill("[name=login]", login)
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("main button")
        self.page.wait_for_url(lambda url: "/signin" not in url)

    @staticmethod
    def _agree(dialog: Dialog) -> None:
        dialog.accept()

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    def press(self, text: str, within: str = "main") -> None:
        self.page.locator(within).get_by_role("button", name=text, exact=True).click()

    def keeps(self, name: str) -> None:
        """A picture for the README, when pictures are wanted."""
        if os.environ.get("SERAI_SCREENSHOTS"):
            folder = ROOT / "docs" / "images"
            folder.mkdir(parents=True, exist_ok=True)
            self.page.screenshot(path=folder / f"{name}.png")


@contextmanager
def at_work(
    browser: Browser, address: str, login: str, language: str = "en-GB"
) -> Iterator[Person]:
    person = Person(browser, address, login, language)
    yield person
    assert person.broken == []
    person.context.close()


def test_a_county_doctor_gets_an_experts_opinion_on_a_ct(chromium: Browser, address: str) -> None:
    with (
        at_work(chromium, address, "county.doctor") as county,
        at_work(chromium, address, "lead.desk") as desk,
        at_work(chromium, address, "lead.expert") as expert,
    ):
        registers_a_patient(county)
        path = sends_the_ct(county)
        assigns(desk, path)
        looks_at_the_images(expert, path)
        asks_back(expert)
        answers(county, path)
        signs(expert, path)
        reads_and_closes(county, path)
        no_longer_sees_it(expert, path)
    with at_work(chromium, address, "county.doctor", "zh-CN") as reader:
        reads_it_in_chinese(reader, path)
    with at_work(chromium, address, "township.doctor") as stranger:
        assert stranger.page.request.get(f"{address}{path}").status == 404


def registers_a_patient(county: Person) -> None:
    page = county.open("/patients/new")
    page.fill("[name=family]", "Franecki")
    page.fill("[name=given]", "Rafael")
    page.fill("[name=other_name]", "罗立飞")
    page.fill("[name=birth_date]", "1968-10-16")
    page.check("[name=sex][value=male]")
    page.fill("[name=number]", "532901196810160011")
    county.press("Register")
    expect(page.locator(".patient-name")).to_contain_text("Rafael Franecki")
    county.keeps("patient")


def sends_the_ct(county: Person) -> str:
    page = county.page
    county.press("Ask for a consultation")
    page.wait_for_url("**/edit")
    page.fill("[name=reason]", "Mass on chest CT, cough for six weeks")
    page.set_input_files("#f-pictures", CT)
    county.press("Upload")
    page.locator("label.choice", has_text="24 images").wait_for()
    assert page.input_value("[name=reason]") == "Mass on chest CT, cough for six weeks"
    page.fill("[name=question]", "What is the mass in the left upper lobe?")
    page.fill("[name=summary]", "58-year-old man, 4 kg lost, no fever. No earlier CT.")
    page.check("[name=urgency][value=urgent]")
    page.select_option("[name=specialty]", "radiology")
    page.select_option("[name=hospital]", "lead")
    county.keeps("request")
    county.press("Review")
    page.wait_for_url("**/review")
    county.press("Send")
    expect(page.locator(".status")).to_contain_text("Sent")
    return re.sub(r"^https?://[^/]+", "", page.url)


def assigns(desk: Person, path: str) -> None:
    page = desk.open("/consultations")
    expect(page.locator("table")).to_contain_text("Rafael Franecki")
    desk.keeps("worklist")
    page.click("a.row-link")
    page.wait_for_url(f"**{path}")
    choice = page.locator("[name=expert] option", has_text="Zhao Rui").get_attribute("value")
    page.select_option("[name=expert]", choice)
    desk.press("Assign")
    expect(page.locator(".status")).to_contain_text("Assigned")


def looks_at_the_images(expert: Person, path: str) -> None:
    page = expert.open("/consultations")
    expect(page.locator("table")).to_contain_text("Rafael Franecki")
    page.click("a.row-link")
    page.wait_for_url(f"**{path}")
    expert.press("Accept")
    expert.press("Start the opinion")
    page.locator("[name=findings]").wait_for()
    page.get_by_role("link", name="Open images").first.click()
    canvas = page.frame_locator("iframe[name=images]").locator("canvas.cornerstone-canvas").first
    canvas.wait_for()
    for _ in range(120):
        if canvas.evaluate(GREYS) > 30:
            break
        page.wait_for_timeout(500)
    assert canvas.evaluate(GREYS) > 30
    page.fill("[name=findings]", "Solid mass of 3 cm in the left upper lobe, spiculated.")
    expect(page.locator("[data-autosave-state]")).to_have_text("Draft saved")
    expert.keeps("consultation")
    expert.press("Close images")


def asks_back(expert: Person) -> None:
    page = expert.page
    page.click("summary:has-text('Ask back')")
    page.fill("details[open] [name=text]", "How many pack-years?")
    expert.press("Send the question")
    expect(page.locator(".status")).to_contain_text("Question back")


def answers(county: Person, path: str) -> None:
    page = county.open(path)
    expect(page.locator(".talk")).to_contain_text("How many pack-years?")
    page.fill("#talk [name=text]", "Forty.")
    county.press("Send the answer")
    expect(page.locator(".status")).to_contain_text("Being read")


def signs(expert: Person, path: str) -> None:
    page = expert.open(path)
    expect(page.locator(".talk")).to_contain_text("Forty.")
    assert "spiculated" in page.input_value("[name=findings]")
    page.fill("[name=conclusion]", "Suspicious for bronchial carcinoma.")
    page.fill("[name=advice]", "CT with contrast, then biopsy here.")
    expert.press("Sign")
    expect(page.locator(".status")).to_contain_text("Reported")


def reads_and_closes(county: Person, path: str) -> None:
    page = county.open("/consultations?view=ours&state=reported")
    expect(page.locator("table")).to_contain_text("Reported")
    page = county.open(path)
    expect(page.locator("#opinion")).to_contain_text("Suspicious for bronchial carcinoma.")
    county.keeps("opinion")
    printed = page.request.get(f"{county.address}{path}/opinion.pdf")
    assert printed.headers["content-type"] == "application/pdf"
    assert printed.body().startswith(b"%PDF-")
    county.press("I have read it: close")
    expect(page.locator(".status")).to_contain_text("Closed")


def no_longer_sees_it(expert: Person, path: str) -> None:
    assert expert.page.request.get(f"{expert.address}{path}").status == 404


def reads_it_in_chinese(reader: Person, path: str) -> None:
    page = reader.open(path)
    assert page.locator("html").get_attribute("lang") == "zh-Hans"
    expect(page.locator("#opinion")).to_contain_text("Suspicious for bronchial carcinoma.")
    reader.keeps("consultation-zh")
    page.set_viewport_size({"width": 360, "height": 780})
    reader.open("/consultations?view=ours&state=closed")
    wider = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    assert not wider
    reader.keeps("worklist-phone")
