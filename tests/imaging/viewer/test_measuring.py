from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

import httpx
import pytest
from playwright.sync_api import Page
from pydicom import Dataset, dcmread
from tests.imaging.objects import PYDICOM_FILES, uid
from tests.imaging.serving import Server
from tests.imaging.uploading import Client
from tests.imaging.viewer.browsing import doctor_cookie, page_of, sign_in

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CT = (PYDICOM_FILES / "CT_small.dcm").read_bytes()
STUDY = uid(CT, "StudyInstanceUID")


@contextmanager
def reading(server: Server, cookie: str) -> Iterator[Page]:
    with page_of(server, cookie) as page:
        # Leaving with unsaved measurements asks first; here the answer is to leave.
        page.on("dialog", lambda dialog: dialog.accept())
        open_study(page, server)
        yield page


def open_study(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/viewer/viewer?StudyInstanceUIDs={STUDY}")
    page.wait_for_selector("canvas", timeout=60_000)
    page.wait_for_function("window.services?.displaySetService.getActiveDisplaySets().length > 0")
    page.wait_for_selector('[data-cy="viewport-overlay-bottom-left"]')


def measure(page: Page) -> None:
    page.click('[data-cy="trackedMeasurements-btn"]')
    page.click('[data-cy="MeasurementTools-split-button-primary"]')
    box = page.locator("canvas").first.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x - 80, y)
    page.mouse.down()
    page.mouse.move(x - 20, y + 20, steps=4)
    page.mouse.move(x + 80, y + 30, steps=4)
    page.mouse.up()
    page.click('[data-cy="prompt-begin-tracking-yes-btn"]')


def save(page: Page) -> None:
    page.get_by_text("Create SR").click()
    page.get_by_role("button", name="Save", exact=True).click()


def lengths(page: Page) -> list[float]:
    """What the viewer's own measurement panel has, in mm."""
    found: list[float] = page.evaluate(
        """window.services.measurementService.getMeasurements()
           .map((each) => Object.values(each.data)[0].length)"""
    )
    return [round(each, 1) for each in found]


def reports(client: Client) -> list[Dataset]:
    found = client.found(f"/studies/{STUDY}/instances", Modality="SR")
    paths = (
        f"/studies/{STUDY}/series/{each['0020000E']['Value'][0]}"
        f"/instances/{each['00080018']['Value'][0]}"
        for each in found
    )
    files = (client.get(path, accept="application/dicom").content for path in paths)
    return [dcmread(BytesIO(content)) for content in files]


def within(page: Page, happened: Callable[[], bool]) -> bool:
    for _ in range(50):
        if happened():
            return True
        page.wait_for_timeout(200)
    return False


def measured(report: Dataset) -> list[tuple[float, str]]:
    """Every number of the report with its unit."""
    items = list(report.get("ContentSequence", []))
    found = []
    for item in items:
        items.extend(item.get("ContentSequence", []))
        if item.ValueType == "NUM":
            value = item.MeasuredValueSequence[0]
            unit = value.MeasurementUnitsCodeSequence[0].CodeValue
            found.append((round(float(value.NumericValue), 1), unit))
    return found


def test_a_length_is_saved_as_a_report_and_shown_again_after_reload(server: Server) -> None:
    county = Client.of(server, "county")
    assert county.store(CT).status_code == 200
    with reading(server, doctor_cookie(server, "county")) as page:
        measure(page)
        drawn = lengths(page)
        save(page)
        assert within(page, lambda: len(reports(county)) == 1)
        page.get_by_text("saved successfully").first.wait_for()
        (report,) = reports(county)
        assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
        assert measured(report) == [(drawn[0], "mm")]
        page.reload()
        page.wait_for_selector("canvas", timeout=60_000)
        assert lengths(page) == []
        page.locator('[data-cy="study-browser-thumbnail-no-image"]').first.dblclick()
        page.click('[data-cy="yes-hydrate-btn"]')
        assert within(page, lambda: lengths(page) == drawn)
        page.click('[data-cy="trackedMeasurements-btn"]')
        page.get_by_text(f"{drawn[0]:.1f} mm").first.wait_for()


def test_what_cannot_be_saved_is_told_and_reaches_the_server_later(server: Server) -> None:
    county = Client.of(server, "county")
    assert county.store(CT).status_code == 200
    reader, neighbour = doctor_cookie(server, "county"), doctor_cookie(server, "township")
    with reading(server, reader) as page:
        measure(page)
        page.route("**/dicomweb/studies", lambda route: route.abort())
        save(page)
        told = page.locator("#serai-kept")
        told.wait_for()
        assert "kept in this browser" in told.inner_text()
        assert len(lengths(page)) == 1
        page.unroute("**/dicomweb/studies")
        # Somebody else at the same browser sends nothing in the reader's name, and sees nothing.
        sign_in(page, server, neighbour)
        page.goto(f"{server.url}/viewer/notfoundstudy")
        page.wait_for_timeout(1000)
        assert told.count() == 0
        assert reports(county) == []
        sign_in(page, server, reader)
        page.goto(f"{server.url}/viewer/notfoundstudy")
        assert within(page, lambda: len(reports(county)) == 1)
        assert "has reached the server" in told.inner_text()


def test_who_may_not_keep_measurements_is_not_offered_to(server: Server) -> None:
    headers = {"Cookie": f"serai_session={doctor_cookie(server, 'county', role='desk')}"}
    configuration = httpx.get(f"{server.url}/viewer/app-config.js", headers=headers)
    assert '"supportsStow": false' in configuration.text
