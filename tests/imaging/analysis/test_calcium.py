"""The Agatston score of a phantom, worked out by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.imaging.analysis.marks import segmentation
from tests.imaging.analysis.phantoms import data_sets, files, water
from tests.imaging.analysis.test_measures import given

from serai.imaging.analysis.measures import calcium
from serai.imaging.analysis.outcome import Abstained, Given, Measured

GATED: dict[str, Any] = {"ScanOptions": "CARDIAC"}
PIXEL = 0.5


def a_heart() -> tuple[Any, dict[str, Any]]:
    """Slices of 16 × 16 pixels of 0.25 mm². By hand, in each slice and artery:

    LAD, slice 1: 4 × 4 pixels of 150 HU, 4 mm² × 1 = 4; beside it 2 × 3 of 129 HU, below the line.
    LAD, slice 2: 3 × 4 of 250 HU, 3 mm² × 2 = 6; and 2 × 2 that reach 450 HU, 1 mm² × 4 = 4.
    RCA, slice 2: 3 pixels of 500 HU, 0.75 mm², too small. Slice 3: 2 × 4 up to 399, 2 × 3 = 6.
    Outside every mark, slice 3: 4 × 4 of 900 HU, bone.
    """
    heart = water(4, 16)
    heart[1, 2:6, 2:6] = 150
    heart[1, 2:4, 6:9] = 129
    heart[2, 2:5, 2:6] = 250
    heart[2, 7:9, 2:4] = 130
    heart[2, 8, 3] = 450
    heart[2, 12, 12:15] = 500
    heart[3, 12:14, 8:12] = 350
    heart[3, 12, 8] = 399
    heart[3, 2:6, 2:6] = 900
    marks = {name: np.zeros(heart.shape, bool) for name in ("LAD", "RCA")}
    marks["LAD"][1:3, :10, :10] = True
    marks["RCA"][1:4, 10:, 6:] = True
    return heart, marks


# (4 + 6 + 4) and 6 in slices of 2.5 mm: times 2.5 / 3.
LAD, RCA = round(14 * 2.5 / 3, 1), round(6 * 2.5 / 3, 1)


def measured(folder: Path, algorithm: str = "MANUAL", **attributes: Any) -> Measured:
    heart, marks = a_heart()
    images = data_sets(heart, step=2.5, pixel=PIXEL, **{**GATED, **attributes})
    (folder / "related").mkdir()
    related = given(folder / "related", files(images)).files
    marked = segmentation(images, marks, algorithm=algorithm)
    return calcium.measure(Given(given(folder, [marked]).files, related))


def test_the_score_is_the_one_worked_out_by_hand(tmp_path: Path) -> None:
    found = {each.site.meaning if each.site else "": each.value for each in
             measured(tmp_path).figures}  # fmt: skip
    assert found == {
        "": round(LAD + RCA, 1),
        "Left anterior descending coronary artery": LAD,
        "Right coronary artery": RCA,
    }


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"KVP": 100}, "analysis.kilovolts"),
        ({"KVP": None}, "analysis.attribute-missing"),
        ({"ScanOptions": "HELIX"}, "analysis.not-gated"),
        ({"ContrastBolusAgent": "Iohexol"}, "analysis.contrast"),
        ({"SliceThickness": 5}, "analysis.slices-not-side-by-side"),
        ({"algorithm": "AUTOMATIC"}, "analysis.not-marked-by-a-reader"),
    ],
    ids=str,
)
def test_no_score_where_it_is_not_defined(
    tmp_path: Path, attributes: dict[str, Any], why: str
) -> None:
    with pytest.raises(Abstained) as abstained:
        measured(tmp_path, **attributes)
    assert abstained.value.key == why


def test_marks_of_something_else_are_no_arteries(tmp_path: Path) -> None:
    heart, marks = a_heart()
    images = data_sets(heart, step=2.5, pixel=PIXEL, **GATED)
    (tmp_path / "related").mkdir()
    related = given(tmp_path / "related", files(images)).files
    marked = segmentation(images, {"Liver": marks["LAD"]})
    with pytest.raises(Abstained, match=r"analysis\.no-marks"):
        calcium.measure(Given(given(tmp_path, [marked]).files, related))
