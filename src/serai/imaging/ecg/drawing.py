"""A sheet as SVG. The same drawing is the screen's and the printer's; lines, never pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from serai.imaging.ecg.model import Samples
from serai.imaging.ecg.sheet import MM, PULSE_S, Cell, Sheet

PAPER, SMALL, BIG, INK, MARKED = "#fffaf8", "#f7cfc9", "#e79a90", "#111111", "#8a5a00"
# Nobody, and no printer, tells points apart that lie nearer than this.
POINTS_A_SECOND = 500
CAPTION_MM = 3


def drawn(sheet: Sheet, title: str, *, filters: str = "") -> Markup:
    """`title` is for readers who hear the page; `filters` is printed on the paper itself."""
    width, height = sheet.width_mm * MM, sheet.height_mm * MM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ecg-sheet" role="img" '
        f'width="{sheet.width_mm}mm" height="{sheet.height_mm}mm" '
        f'viewBox="0 0 {width} {height}"><title>{escape(title)}</title>'
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
        _grid(width, height, 1, SMALL, 8),
        _grid(width, height, 5, BIG, 18),
        *_cells(sheet),
        _scale(sheet, filters),
        "</svg>",
    ]
    return Markup("".join(parts))  # noqa: S704 - numbers of ours, and words escaped above


def _grid(width: int, height: int, step_mm: int, colour: str, thick: int) -> str:
    step = step_mm * MM
    lines = [f"M{x} 0V{height}" for x in range(0, width + 1, step)]
    lines += [f"M0 {y}H{width}" for y in range(0, height + 1, step)]
    return (
        f'<path class="ecg-grid-{step_mm}" d="{"".join(lines)}" fill="none" '
        f'stroke="{colour}" stroke-width="{thick}"/>'
    )


def _cells(sheet: Sheet) -> Iterator[str]:
    pulses = set()
    for cell in sheet.cells:
        base = _base(sheet, cell.row)
        x = _x(sheet, cell.begin)
        if cell.row not in pulses:
            pulses.add(cell.row)
            yield _line("ecg-pulse", _pulse(sheet, base))
        if cell.begin > sheet.begin:
            yield _line("ecg-border", f"M{round(x)} {base - 4 * MM}v{-3 * MM}")
        yield _line("ecg-trace", _trace(sheet, cell, base))
        top = max(base - (sheet.style.shown.row_mm * MM) // 2 + 3 * MM, 3 * MM)
        yield _words(cell.lead.name, x + 1.0 * MM, top)


def _line(kind: str, path: str) -> str:
    return (
        f'<path class="{kind}" d="{path}" fill="none" stroke="{INK}" stroke-width="24" '
        'stroke-linejoin="round"/>'
    )


def _words(text: str, x: float, y: float, *, colour: str = INK, anchor: str = "start") -> str:
    return (
        f'<text x="{round(x)}" y="{round(y)}" font-size="{CAPTION_MM * MM}" fill="{colour}" '
        f'font-family="Noto Sans, Noto Sans CJK SC, sans-serif" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _base(sheet: Sheet, row: int) -> int:
    """The base line of a row lies on a line of the big boxes, where the row allows it."""
    middle = row * sheet.style.shown.row_mm + sheet.style.shown.row_mm * 0.55
    step = 5 if sheet.style.shown.row_mm % 5 == 0 else 1
    return round(middle / step) * step * MM


def _x(sheet: Sheet, second: float) -> float:
    return (sheet.lead_in_mm + (second - sheet.begin) * sheet.style.speed) * MM


def _pulse(sheet: Sheet, base: int) -> str:
    """1 mV high and 200 ms long (IEC 60601-2-25)."""
    tall, long = sheet.style.gain * MM, round(PULSE_S * sheet.style.speed * MM)
    return f"M{MM} {base}h{MM}v{-tall}h{long}v{tall}h{MM}"


def _trace(sheet: Sheet, cell: Cell, base: int) -> str:
    first, last = round(cell.begin * sheet.rate), round(cell.end * sheet.rate)
    samples = cell.lead.samples[first:last]
    drawn = []
    for start, stop in _runs(np.isfinite(samples)):
        place, value = _thinned(samples[start:stop], sheet.rate)
        seconds = cell.begin + (place + start) / sheet.rate
        x = np.rint(_x(sheet, 0.0) + seconds * sheet.style.speed * MM).astype(int)
        y = np.rint(base - value * sheet.style.gain * MM / 1000).astype(int)
        steps = np.column_stack([np.diff(x), np.diff(y)])
        drawn.append(f"M{x[0]} {y[0]}l" + " ".join(f"{dx} {dy}" for dx, dy in steps.tolist()))
    return "".join(drawn)


def _runs(there: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where the lead was recorded: a gap is left white, not drawn as a line."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(int)))
    return [(start, stop) for start, stop in edges.reshape(-1, 2).tolist() if stop - start > 1]


def _thinned(samples: Samples, rate: float) -> tuple[Samples, Samples]:
    """Of each short group the lowest and the highest sample, in their order: peaks stay."""
    group = int(2 * rate / POINTS_A_SECOND)
    place = np.arange(len(samples), dtype=np.float64)
    if rate <= POINTS_A_SECOND or len(samples) < group:
        return place, samples
    whole = len(samples) // group * group
    shaped = samples[:whole].reshape(-1, group)
    ends = np.sort(np.column_stack([shaped.argmin(axis=1), shaped.argmax(axis=1)]), axis=1)
    kept = np.unique((ends + np.arange(len(shaped))[:, np.newaxis] * group).ravel())
    return place[kept], samples[kept]


def _scale(sheet: Sheet, filters: str) -> str:
    """Speed, gain and every filter that is on, on the paper itself."""
    y = sheet.height_mm * MM - 1.2 * MM
    text = f"{sheet.style.speed} mm/s  {sheet.style.gain} mm/mV"
    right = sheet.width_mm * MM - MM
    marked = _words(filters, right, y, colour=MARKED, anchor="end") if filters else ""
    return _words(text, MM, y) + marked
