"""The design system keeps contrast (WCAG 2.2 AA) in light and in dark, and obeys its own policy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import serai

ROOMS = Path(serai.__file__).parent
CSS = (ROOMS / "web" / "static" / "serai.css").read_text()
TEXT_ON = [
    ("text", "page"), ("text", "surface"), ("text", "sunken"), ("muted", "page"),
    ("muted", "surface"), ("muted", "sunken"), ("link", "page"), ("link", "surface"),
    ("link", "sunken"), ("primary", "surface"), ("on-primary", "primary"),
    ("on-primary", "primary-strong"), ("on-danger", "danger"), ("danger-text", "surface"),
    ("neutral-text", "neutral-back"), ("info-text", "info-back"),
    ("success-text", "success-back"), ("warning-text", "warning-back"),
    ("danger-text", "danger-back"),
]  # fmt: skip
SHAPES_ON = [("field-line", "surface"), ("field-line", "page"), ("focus", "surface"),
             ("focus", "page"), ("primary", "page"), ("danger", "surface")]  # fmt: skip
NAME = re.compile(r"--([a-z-]+):\s*(#[0-9a-f]{6});")


def _schemes() -> dict[str, dict[str, str]]:
    before, after = CSS.split("@media (prefers-color-scheme: dark)", 1)
    light = dict(NAME.findall(before))
    return {"light": light, "dark": light | dict(NAME.findall(after))}


def _luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), TEXT_ON)
def test_text_is_readable(scheme: str, front: str, back: str) -> None:
    colours = _schemes()[scheme]
    assert _contrast(colours[front], colours[back]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("front", "back"), SHAPES_ON)
def test_fields_and_focus_rings_are_visible(scheme: str, front: str, back: str) -> None:
    colours = _schemes()[scheme]
    assert _contrast(colours[front], colours[back]) >= 3.0


def test_motion_focus_and_paper_are_thought_of() -> None:
    for needed in ("prefers-reduced-motion", ":focus-visible", "@media print", "forced-colors"):
        assert needed in CSS


@pytest.mark.parametrize("file", sorted(ROOMS.rglob("static/*.js")), ids=str)
def test_scripts_need_no_evaluation_of_text(file: Path) -> None:
    assert not re.search(r"\beval\(|new Function|innerHTML\s*=|document\.write", file.read_text())
