from __future__ import annotations

import orjson
import pytest
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid
from tests.imaging.documents.reports import (
    a_ct_dose_report,
    a_report,
    an_xray_dose_report,
    dcm,
    image,
    item,
    number,
    text,
)
from tests.imaging.objects import PYDICOM_FILES, a_picture

from serai.imaging.archive.header import read_instance
from serai.imaging.dataset.model_json import Attributes
from serai.imaging.documents.content import Report, number_of, read
from serai.imaging.documents.dose import dose_of, of_image

STUDY = generate_uid()


def stored(content: bytes) -> Attributes:
    attributes: Attributes = orjson.loads(read_instance(content).metadata)
    return attributes


def report_of(content: bytes) -> Report:
    return read(stored(content))


def test_a_report_keeps_its_order_codes_units_and_references() -> None:
    finding = item(
        "CONTAINER",
        dcm("121070", "Findings"),
        text(dcm("121071", "Finding"), "右上叶结节"),
        number(Code("410668003", "SCT", "Length"), "18.9", Code("mm", "UCUM", "millimetre")),
        image("1.2.840.10008.5.1.4.1.1.2", "1.2.3"),
    )
    report = read(stored(a_report(STUDY, dcm("126000", "Imaging Measurement Report"), [finding])))
    (findings,) = report.root.children
    kinds = [each.kind for each in findings.children]
    assert (report.title, kinds) == ("Imaging Measurement Report", ["TEXT", "NUM", "IMAGE"])
    words, length, picture = findings.children
    assert words.text == "右上叶结节"
    assert length.number
    assert (length.number.value, length.number.unit_text) == (18.9, "mm")
    assert picture.references[0].instance == "1.2.3"
    assert report.complete
    assert not report.verified


def test_a_report_that_a_real_system_wrote_is_read() -> None:
    report = read(stored((PYDICOM_FILES / "reportsi.dcm").read_bytes()))
    assert report.title
    assert any(each.text for each in report.root.walk())


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("12.5", 12.5),
        (" 3 ", 3.0),
        ("10.50/ 15.00", None),
        ("", None),
        ("nan", None),
        ("1e999", None),
    ],
)
def test_only_a_number_is_taken_for_one(written: str, value: float | None) -> None:
    assert number_of(written) == value


def test_the_events_of_a_ct_come_to_the_stated_total() -> None:
    dose = dose_of(report_of(a_ct_dose_report(STUDY, ["210.25", "105.50"], "315.75")))
    assert [each.protocol for each in dose.events] == ["Chest 0", "Chest 1"]
    assert [each.ctdivol.value for each in dose.events if each.ctdivol] == [7.25, 7.25]
    (dlp,) = dose.sums
    assert (dlp.name, dlp.added, dlp.stated, dlp.unit, dlp.agrees) == (
        ("DLP", 315.75, 315.75, "mGy.cm", True)
    )


def test_a_total_that_differs_is_said_to_differ() -> None:
    (dlp,) = dose_of(report_of(a_ct_dose_report(STUDY, ["210.25", "105.50"], "400"))).sums
    assert dlp.agrees is False


def test_what_was_rounded_before_it_was_written_still_agrees() -> None:
    events = ["0.0000041", "0.0000044"]
    (dap,) = dose_of(report_of(an_xray_dose_report(STUDY, events, "0.000009"))).sums
    assert dap.agrees
    (dap,) = dose_of(report_of(an_xray_dose_report(STUDY, events, "0.000012"))).sums
    assert dap.agrees is False


def test_two_numbers_in_one_are_shown_and_not_added() -> None:
    dose = dose_of(report_of(a_ct_dose_report(STUDY, ["100", "10.50/ 15.00"], "125.5")))
    (dlp,) = dose.sums
    assert dose.events[1].dlp
    assert dose.events[1].dlp.text == "10.50/ 15.00"
    assert (dlp.added, dlp.unreadable, dlp.agrees) == (100, 1, None)


def test_dose_area_products_of_an_xray_room_are_added() -> None:
    (dap,) = dose_of(report_of(an_xray_dose_report(STUDY, ["0.00001", "0.00002"], "0.00003"))).sums
    assert (dap.name, dap.unit, dap.agrees) == ("DAP", "Gy.m2", True)


def test_an_image_without_a_report_says_its_own_dose() -> None:
    (dose,) = of_image(stored(a_picture(Modality="DX", ImageAndFluoroscopyAreaDoseProduct="1.7")))
    assert (dose.name, dose.number.value, dose.number.unit_text) == ("DAP", 1.7, "dGy.cm2")
