"""A millimetre is a millimetre: on the sheet, and in the PDF that is printed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.imaging.ecg.samples import RATE, WAVEFORM

from serai.imaging.ecg import waveform
from serai.imaging.ecg.drawing import drawn
from serai.imaging.ecg.model import Ecg, Lead
from serai.imaging.ecg.sheet import LAYOUTS, Style, sheet
from serai.web.pdf import printed

POINTS_PER_MM = 72 / 25.4


def a_square(microvolts: float, begin: float, end: float) -> Ecg:
    time = np.arange(5000) / RATE
    pulse = np.where((time >= begin) & (time < end), microvolts, 0.0)
    return Ecg((Lead("II", pulse),), RATE)


def trace(svg: str) -> tuple[np.ndarray, np.ndarray]:
    """Millimetres from the left and from the top of the last trace drawn."""
    path = re.findall(r'class="ecg-trace" d="M(\d+) (\d+)l([^"]+)"', svg)[-1]
    steps = np.array([int(n) for n in path[2].split()]).reshape(-1, 2)
    points = np.vstack([[int(path[0]), int(path[1])], steps]).cumsum(axis=0) / 100
    return points[:, 0], points[:, 1]


@pytest.mark.parametrize("speed", [25, 50])
@pytest.mark.parametrize("gain", [5, 10, 20])
def test_a_millivolt_and_a_second_are_as_long_as_asked(speed: int, gain: int) -> None:
    style = Style(speed=speed, gain=gain)
    x, y = trace(str(drawn(sheet(a_square(1000, 2.0, 3.0), style), "")))
    assert y.max() - y.min() == pytest.approx(gain, abs=0.01)
    high = x[y < y.max() - gain / 2]
    assert high.max() - high.min() == pytest.approx(speed, abs=2 * speed / RATE)
    assert x.max() - x.min() == pytest.approx(10 * speed, abs=2 * speed / RATE)


@pytest.mark.parametrize("speed", [25, 50])
def test_the_calibration_pulse_is_a_millivolt_and_200_ms(speed: int) -> None:
    svg = str(drawn(sheet(a_square(0, 0, 0), Style(speed=speed, gain=20)), ""))
    pulse = re.search(r'class="ecg-pulse" d="M\d+ \d+h\d+v(-?\d+)h(\d+)v', svg)
    assert pulse
    assert (-int(pulse[1]) / 100, int(pulse[2]) / 100) == (20, 0.2 * speed)


@pytest.mark.parametrize(("layout", "cells"), [("3x4", 13), ("6x2", 12), ("12x1", 12)])
def test_every_layout_shows_twelve_leads(layout: str, cells: int) -> None:
    made = sheet(waveform.read(WAVEFORM), Style(layout=layout))
    assert len(made.cells) == cells
    assert {cell.row for cell in made.cells} == set(range(LAYOUTS[layout].rows))
    assert {cell.lead.name for cell in made.cells} >= {"I", "aVF", "V1", "V6"}


def test_no_filter_is_on_unless_asked_for_and_then_it_says_so() -> None:
    ecg = waveform.read(WAVEFORM)
    plain = sheet(ecg, Style())
    first = next(cell for cell in plain.cells if cell.lead.name == "V2")
    original = ecg.lead("V2")
    assert original is not None
    assert np.array_equal(first.lead.samples, original)
    marked = str(drawn(plain, "", filters="FILTER: 40 Hz"))
    assert "FILTER: 40 Hz" in marked
    assert "FILTER" not in str(drawn(plain, ""))


@pytest.mark.parametrize(("name", "hertz"), [("mains50", 50), ("mains60", 60), ("muscle", 90)])
def test_a_filter_takes_what_it_names_and_leaves_the_rest(name: str, hertz: int) -> None:
    time = np.arange(5000) / RATE
    slow, hum = 500 * np.sin(2 * np.pi * 5 * time), 200 * np.sin(2 * np.pi * hertz * time)
    ecg = Ecg((Lead("II", slow + hum),), RATE)
    found = sheet(ecg, Style(filters=frozenset({name}))).cells[0].lead.samples
    middle = slice(1000, 4000)
    assert np.abs(found - slow)[middle].max() < 12


def test_a_drifting_base_line_is_straightened() -> None:
    time = np.arange(5000) / RATE
    drift = 800 * np.sin(2 * np.pi * 0.1 * time)
    ecg = Ecg((Lead("II", drift),), RATE)
    found = sheet(ecg, Style(filters=frozenset({"baseline"}))).cells[0].lead.samples
    assert np.abs(found)[1000:4000].max() < 40


def test_a_gap_in_a_lead_is_left_white() -> None:
    samples = np.ones(5000)
    samples[1000:4000] = np.nan
    svg = str(drawn(sheet(Ecg((Lead("II", samples),), RATE), Style()), ""))
    strip = re.findall(r'class="ecg-trace" d="([^"]+)"', svg)[-1]
    assert strip.count("M") == 2


def test_words_of_a_file_cannot_become_markup() -> None:
    svg = str(drawn(sheet(Ecg((Lead("<b>", np.ones(5000)),), RATE), Style()), "<script>"))
    assert "<script>" not in svg
    assert "<b>" not in svg


def test_the_printed_grid_measures_millimetres(tmp_path: Path) -> None:
    made = sheet(waveform.read(WAVEFORM), Style())
    page = f"<html><head><style>@page {{ size: A4 landscape; margin: 10mm }}</style></head><body>{drawn(made, '')}</body></html>"  # noqa: E501
    file, found = tmp_path / "ecg.pdf", tmp_path / "ecg.svg"
    file.write_bytes(printed(page))
    subprocess.run(["pdftocairo", "-svg", str(file), str(found)], check=True)
    small, big = grid_steps(found.read_text())
    assert np.allclose(small, 1, atol=0.01)
    assert np.allclose(big, 5, atol=0.01)
    assert (len(small), len(big)) == (made.width_mm, made.width_mm // 5)


def grid_steps(svg: str) -> list[np.ndarray]:
    """Millimetres between the upright lines of the two grids, as the PDF draws them."""
    steps = []
    for path in re.findall(r"<path[^>]+stroke:rgb\((?:9[0-9]|100)[^>]+>", svg):
        matrix = re.search(r"matrix\(([-\d.]+),", path)
        scale = float(matrix[1]) if matrix else 1.0
        lines = re.findall(r"M ([-\d.]+) ([-\d.]+) L ([-\d.]+) ([-\d.]+)", path)
        upright = sorted({float(x) for x, _, other, _ in lines if x == other})
        if len(upright) > 10:
            steps.append(np.diff(upright) * scale / POINTS_PER_MM)
    return steps
