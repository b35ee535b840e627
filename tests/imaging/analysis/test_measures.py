"""What the analysers that come along say of phantoms whose answer is known beforehand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from tests.imaging.analysis.phantoms import data_sets, files, water
from tests.imaging.analysis.reports import dose_report
from tests.imaging.objects import PYDICOM_FILES

from serai.imaging.analysis.measures import dose, electrocardiogram, lungs, quality
from serai.imaging.analysis.outcome import Abstained, Given, Measured


def given(folder: Path, contents: Sequence[bytes]) -> Given:
    paths = []
    for number, content in enumerate(contents):
        path = folder / f"{number:03}.dcm"
        path.write_bytes(content)
        paths.append(path)
    return Given(paths)


def figures(measured: Measured) -> dict[str, float]:
    return {each.code.value: each.value for each in measured.figures}


def findings(measured: Measured) -> dict[str, Any]:
    return {each.code.value: each.details for each in measured.findings}


def places(*along: float, slope: float = 0.0) -> list[list[float]]:
    return [[0, each * slope, each] for each in along]


def test_an_even_series_has_nothing_against_it(tmp_path: Path) -> None:
    measured = quality.measure(given(tmp_path, files(data_sets(water(6), step=2.5))))
    assert figures(measured) == {"slices": 6, "slice-spacing": 2.5, "slices-missing": 0, "tilt": 0}
    assert findings(measured) == {}


# Eighteen and a half degrees: each step of 1 mm along the table shifts the slices by this much.
SHIFT = math.tan(math.radians(18.5))


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (
            data_sets(water(5), positions=places(0, 3, 6, 15, 18)),
            {"slices-missing": {"count": 2}},
        ),
        (
            data_sets(water(5), positions=places(0, 3, 6, 10, 13)),
            {"uneven-spacing": {"shortest": "3.00", "longest": "4.00"}},
        ),
        (
            data_sets(water(4), positions=places(0, 3, 6, 9, slope=SHIFT)),
            {"gantry-tilt": {"degrees": "18.5"}},
        ),
        (data_sets(water(4), GantryDetectorTilt=-12), {"gantry-tilt": {"degrees": "12.0"}}),
        (
            data_sets(water(5), positions=places(0, 3, 3, 6, 9)),
            {"doubled-position": {"count": 1}},
        ),
        (
            [*data_sets(water(3)), *data_sets(water(2), ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
                                              FrameOfReferenceUID="1.2")],
            {"mixed-frame": {"count": 2}, "mixed-direction": {"count": 2}},
        ),
        (
            [*data_sets(water(3)), *data_sets(water(3), PatientID="P2", FrameOfReferenceUID="1.2",
                                              positions=places(9, 12, 15))],
            {"mixed-patient": {"count": 2}, "mixed-frame": {"count": 2}},
        ),
    ],
    ids=["missing", "uneven", "tilt", "written tilt", "doubled", "directions", "patients"],
)  # fmt: skip
def test_what_is_wrong_with_a_series_is_named(
    tmp_path: Path, images: list[Dataset], expected: dict[str, Any]
) -> None:
    found = findings(quality.measure(given(tmp_path, files(images))))
    if len({image.FrameOfReferenceUID for image in images}) > 1:
        expected = {**expected, "mixed-frame": {"count": 2}}
    assert found == expected


def test_scouts_and_images_without_a_place_are_no_volume(tmp_path: Path) -> None:
    images = data_sets(water(5))
    for image in images[:2]:
        image.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    del images[2].ImagePositionPatient
    with pytest.raises(Abstained, match=r"analysis\.too-few-slices"):
        quality.measure(given(tmp_path, files(images)))


@pytest.mark.parametrize(
    ("total", "parts", "expected"),
    [
        ("532.1", ["120.4", "411.7"], {"113813": 532.1, "113812": 2}),
        ("532.1", ["120.42", "411.73"], {"113813": 532.1, "113812": 2}),
        ("10.50", ["10.50"], {"113813": 10.5, "113812": 1}),
        ("532.1", ["120.4", "300"], "analysis.dose-differs"),
        ("532.1", ["120.4", "10.50/ 15.00"], "analysis.dose-unreadable"),
        ("10.50/ 15.00", ["10.50", "15.00"], "analysis.dose-unreadable"),
        ("nan", ["nan"], "analysis.dose-unreadable"),
        ("532.1", [], "analysis.dose-differs"),
    ],
)
def test_a_dose_counts_when_its_parts_add_up(
    tmp_path: Path, total: str, parts: list[str], expected: dict[str, float] | str
) -> None:
    contents = [dose_report(total, parts)]
    if isinstance(expected, str):
        with pytest.raises(Abstained) as abstained:
            dose.measure(given(tmp_path, contents))
        assert abstained.value.key == expected
    else:
        assert figures(dose.measure(given(tmp_path, contents))) == expected


def test_a_dose_in_another_unit_is_not_taken_for_ours(tmp_path: Path) -> None:
    with pytest.raises(Abstained, match=r"analysis\.dose-unit"):
        dose.measure(given(tmp_path, [dose_report("5", ["5"], unit="Gy.cm")]))


# A chest of 64 × 64 pixels of 5 mm: two lungs of 12 × 30 pixels, a windpipe of 3 × 3 (2.25 cm²).
SLICES, PIXEL, STEP = 60, 5.0, 1.0
LUNG_PIXELS = 2 * 12 * 30
SOFT: dict[str, Any] = {"ConvolutionKernel": "B30f", "SliceThickness": 1.0}


def a_chest(low_rows: int) -> Any:
    """`low_rows` of each lung's 30 rows are at −980 HU, the rest at −860."""
    plane = np.full((64, 64), -1000, np.int16)
    plane[8:56, 8:56] = 40
    for left in (12, 40):
        plane[16:46, left : left + 12] = -860
        plane[16 : 16 + low_rows, left : left + 12] = -980
    plane[10:13, 30:33] = -1000
    return np.repeat(plane[np.newaxis], SLICES, axis=0)


@pytest.mark.parametrize(("low_rows", "share"), [(0, 0.0), (3, 10.0), (30, 100.0)])
def test_the_share_below_950_is_exact_on_a_phantom(
    tmp_path: Path, low_rows: int, share: float
) -> None:
    images = data_sets(a_chest(low_rows), step=STEP, pixel=PIXEL, **SOFT)
    measured = lungs.measure(given(tmp_path, files(images)))
    millilitres = LUNG_PIXELS * PIXEL * PIXEL * STEP * SLICES / 1000
    assert figures(measured) == {"laa-950": share, "lung-volume": millilitres}
    assert [int(each.mask.sum()) for each in measured.regions] == [
        LUNG_PIXELS * SLICES,
        24 * low_rows * SLICES,
    ]


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"ConvolutionKernel": "B70f"}, "analysis.kernel"),
        ({"ConvolutionKernel": ""}, "analysis.attribute-missing"),
        ({"SliceThickness": 5.0}, "analysis.too-thick"),
        ({"ContrastBolusAgent": "Iohexol"}, "analysis.contrast"),
        ({"RescaleType": "US"}, "analysis.not-hounsfield"),
        ({"GantryDetectorTilt": 0, "PixelSpacing": [1, 1]}, "analysis.lungs-not-found"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_the_lungs_are_not_measured_where_the_share_would_mislead(
    tmp_path: Path, attributes: dict[str, Any], why: str
) -> None:
    images = data_sets(a_chest(3)[:8], step=STEP, pixel=PIXEL, **{**SOFT, **attributes})
    with pytest.raises(Abstained) as abstained:
        lungs.measure(given(tmp_path, files(images)))
    assert abstained.value.key == why


def test_lungs_with_a_slice_missing_are_not_measured(tmp_path: Path) -> None:
    images = data_sets(a_chest(3)[:8], step=STEP, pixel=PIXEL, **SOFT)
    del images[4]
    with pytest.raises(Abstained, match=r"analysis\.not-a-volume"):
        lungs.measure(given(tmp_path, files(images)))


def test_an_electrocardiogram_has_a_rate_and_intervals(tmp_path: Path) -> None:
    content = (PYDICOM_FILES / "waveform_ecg.dcm").read_bytes()
    found = figures(electrocardiogram.measure(given(tmp_path, [content])))
    assert 40 < found["ecg-rate"] < 150
    assert found["ecg-qt"] < found["ecg-qtc-bazett"] or found["ecg-rate"] < 60


def test_two_recordings_in_one_series_are_not_mixed(tmp_path: Path) -> None:
    content = (PYDICOM_FILES / "waveform_ecg.dcm").read_bytes()
    with pytest.raises(Abstained, match="several-recordings"):
        electrocardiogram.measure(given(tmp_path, [content, content]))
