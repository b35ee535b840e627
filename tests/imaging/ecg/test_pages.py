"""The ECG page as a doctor uses it, and as somebody who may not see it."""

from __future__ import annotations

import re
import zlib
from contextlib import suppress
from io import BytesIO

import httpx
import psycopg
import pydicom
import pytest
from playwright.sync_api import Page
from tests.chromium import PHONE, launched
from tests.imaging.ecg.conftest import Site
from tests.imaging.ecg.samples import WAVEFORM, kept

from serai.imaging.archive.content import receive
from serai.imaging.ecg.receiving import converted

BUDGET = 60_000


def placed(content: bytes) -> tuple[str, str]:
    instance = receive(content).instance
    return instance.study_uid, instance.uid


def renumbered(content: bytes, number: str, day: str) -> bytes:
    """Another recording of another day, of the patient with this number."""
    data_set = pydicom.dcmread(BytesIO(content))
    data_set.PatientID, data_set.StudyDate = number, day
    data_set.PatientBirthDate = ""
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        setattr(data_set, keyword, f"1.2.826.{day}.{len(keyword)}")
    written = BytesIO()
    data_set.save_as(written)
    return written.getvalue()


def plain(pdf: bytes) -> bytes:
    """The document with its compressed parts opened."""
    found = [pdf]
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        with suppress(zlib.error):
            found.append(zlib.decompress(stream))
    return b"\n".join(found)


def test_the_page_tells_what_the_device_said_and_what_serai_measures(site: Site) -> None:
    outcomes = site.keep(WAVEFORM, kept("example.scp"))
    assert [one.error for one in outcomes] == [None, None]
    study, instance = placed(WAVEFORM)
    with site.client("county") as doctor:
        answer = doctor.get(f"/ecg/{study}")
        assert answer.status_code == 200
        assert int(answer.headers["Content-Length"]) < BUDGET
        for words in ("RITMO SINUSALE", "Device, not confirmed", "368 ms", "Serai, preliminary"):
            assert words in answer.text
        assert "FILTER" not in answer.text
        filtered = doctor.get(f"/ecg/{study}?filter=muscle").text
        assert "FILTER: 40 Hz" in filtered
        assert "Filters change the shape of the trace." in filtered
        assert doctor.get(f"/ecg/{study}/{instance}/original").status_code == 404
        scp_study, scp_instance = placed(converted(kept("example.scp")))
        original = doctor.get(f"/ecg/{scp_study}/{scp_instance}/original")
        assert original.content == kept("example.scp")
        paper = doctor.get(f"/ecg/{study}/{instance}/print?layout=6x2&speed=50")
        assert paper.content.startswith(b"%PDF")
        # Ten seconds at 50 mm/s are two sheets of A4 on its side, then the numbers.
        sizes = re.findall(rb"/MediaBox ?\[ ?0 0 (\d+)[\d.]* (\d+)", plain(paper.content))
        assert set(sizes) == {(b"841", b"595")}
        assert len(sizes) == 3
        for query in ("gain=7", "layout=4x3", "filtre=muscle", "start=-1", "filter=all"):
            assert doctor.get(f"/ecg/{study}?{query}").status_code == 400, query
    with site.client("township", "zh") as doctor:
        # Somebody of another organisation learns no more than that there is nothing.
        assert doctor.get(f"/ecg/{study}").status_code == 404
        assert doctor.get("/ecg/1.2.3").status_code == 404
    with psycopg.connect(site.database_url) as connection:
        rows = connection.execute("SELECT act FROM audit_event WHERE act LIKE 'ecg.%'").fetchall()
    acts = {act for (act,) in rows}
    assert acts == {"ecg.view", "ecg.print", "ecg.original"}


def test_an_earlier_ecg_of_the_same_patient_stands_beside_it(site: Site) -> None:
    patient = site.patient("P7")
    recent, earlier = renumbered(WAVEFORM, "P7", "20260301"), renumbered(WAVEFORM, "P7", "20240301")
    strangers = renumbered(WAVEFORM, "P8", "20250301")
    assert [one.error for one in site.keep(recent, earlier, strangers)] == [None] * 3
    with site.client("county") as doctor:
        page = doctor.get(f"/ecg/{placed(recent)[0]}").text
        assert f"/patients/{patient}" in page
        assert "2024-03-01" in page
        assert "2025-03-01" not in page
        address = f"/ecg/{placed(recent)[0]}?with="
        both = doctor.get(address + placed(earlier)[1]).text
        assert both.count('class="ecg-sheet"') == 2
        assert doctor.get(address + placed(strangers)[1]).status_code == 404


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_calipers_measure_in_millimetres_by_mouse_and_keyboard(site: Site) -> None:
    site.keep(WAVEFORM)
    address, secret = f"{site.url}/ecg/{placed(WAVEFORM)[0]}", site.cookie("county")
    with launched() as browser:
        page = browser.new_page(viewport={"width": 1300, "height": 900}, locale="en")
        cookie = {"name": "serai_session", "value": secret, "url": site.url}
        page.context.add_cookies([cookie])  # type: ignore[list-item]
        said: list[str] = []
        page.on("console", lambda told: said.append(told.text))
        page.goto(address)
        page.keyboard.press("c")
        assert reading(page) == (1000, 60, 1.0)
        for _ in range(5):
            page.keyboard.press("Shift+ArrowRight")
        # Five times five millimetres at 25 mm/s are a second more.
        assert reading(page) == (2000, 30, 1.0)
        page.keyboard.press("m")
        assert page.locator(".ecg-march").count() == 1
        page.keyboard.press("x")
        assert page.locator(".ecg-caliper").count() == 0
        drag_big_boxes(page, 3)
        milliseconds, _, millivolts = reading(page)
        assert abs(milliseconds - 600) <= 15
        assert abs(millivolts - 1.5) <= 0.05
        page.click("[data-open=ecg-calibrate]")
        page.locator("[data-size]").fill("120")
        millimetres = page.evaluate("document.querySelector('[data-card]').style.width")
        assert millimetres.startswith("102.7")
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert said == []


def reading(page: Page) -> tuple[int, int, float]:
    text = page.locator("[data-reading]").inner_text()
    found = re.match(r"(\d+) ms · (\d+) /min · ([\d.]+) mV", text)
    assert found, text
    return int(found[1]), int(found[2]), float(found[3])


def drag_big_boxes(page: Page, count: int) -> None:
    """Across and down as many big boxes of 5 mm, as the screen draws them."""
    page.keyboard.press("c")
    box = page.locator(".ecg-sheet").bounding_box()
    assert box
    millimetre = 96 / 25.4
    x, y = box["x"] + 40 * millimetre, box["y"] + 20 * millimetre
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + count * 5 * millimetre, y + count * 5 * millimetre, steps=3)
    page.mouse.up()


def test_only_staff_sees_the_page(site: Site) -> None:
    answer = httpx.get(f"{site.url}/ecg/1.2.3")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/signin")
