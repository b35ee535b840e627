"""The ECG page: the recording to scale, measurements, a prior beside it, and the same on paper."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from serai.imaging.ecg import finding, words
from serai.imaging.ecg.drawing import drawn
from serai.imaging.ecg.finding import Opened, Recording
from serai.imaging.ecg.measuring import Found, Measurements, measure
from serai.imaging.ecg.model import STANDARD, Ecg, Said
from serai.imaging.ecg.settings import Asked, asked, choices, later, switches
from serai.imaging.ecg.sheet import FILTERS, GAINS, LAYOUTS, SECONDS, SPEEDS, sheet
from serai.imaging.ecg.waveform import original, read
from serai.kernel.clock import utc_now
from serai.kernel.errors import NotFound
from serai.web.authentication import require_staff
from serai.web.pdf import render_pdf
from serai.web.rendering import render

CLINICAL = ("doctor", "expert", "desk")
PATH = "/ecg/{study}"
ONE = PATH + "/{instance}"
# What the widest sheet of A4, lying, takes beside its margins.
PAPER_MM = 277


@dataclass(frozen=True, slots=True)
class Read:
    """A recording with its signal and what two methods say of it."""

    recording: Recording
    ecg: Ecg
    ours: Measurements


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: the device's number and ours, or why there is none."""

    label: str
    unit: str
    device: float | None
    ours: Found | None


def routes() -> list[BaseRoute]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(ONE, show, methods=["GET"]),
        Route(ONE + "/print", paper, methods=["GET"]),
        Route(ONE + "/original", as_sent, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    now, opened = asked(request), await _opened(request, "ecg.view")
    shown = await _read(request, opened.chosen)
    prior = await _read(request, opened.other(now.beside)) if now.beside else None
    path = f"/ecg/{opened.chosen.study}/{opened.chosen.instance}"
    drawings = await asyncio.to_thread(_drawings, [each for each in (shown, prior) if each], now)
    return render(
        request,
        "imaging/ecg/show.html",
        shown=shown,
        prior=prior,
        opened=opened,
        sheets=drawings,
        rows=_rows(shown),
        prior_rows=_rows(prior) if prior else [],
        now=now,
        path=path,
        printed=now.address(f"{path}/print"),
        layouts=choices(now, path, "layout", list(LAYOUTS), ""),
        speeds=choices(now, path, "speed", SPEEDS, " mm/s"),
        gains=choices(now, path, "gain", GAINS, " mm/mV"),
        strips=choices(now, path, "strip", _strips(shown.ecg), ""),
        filters=switches(now, path),
        filter_words=words.FILTERS,
        why=words.WHY,
        before=later(now, path, shown.ecg.seconds)[0],
        behind=later(now, path, shown.ecg.seconds)[1],
    )


async def paper(request: Request) -> Response:
    now, opened = asked(request), await _opened(request, "ecg.print")
    shown = await _read(request, opened.chosen)
    pages = await asyncio.to_thread(_pages, shown, now)
    return await render_pdf(
        request,
        "imaging/ecg/paper.html",
        filename="ecg.pdf",
        shown=shown,
        pages=pages,
        rows=_rows(shown),
        why=words.WHY,
    )


async def as_sent(request: Request) -> Response:
    """The file that the recording was made from, byte for byte."""
    opened = await _opened(request, "ecg.original")
    content = await finding.content(request.app.state.blobs, opened.chosen)
    found = await asyncio.to_thread(original, content)
    if found is None:
        raise NotFound("ecg.no-original")
    headers = {"Content-Disposition": f'attachment; filename="ecg{found.suffix}"'}
    return Response(found.content, media_type="application/octet-stream", headers=headers)


async def _opened(request: Request, act: str) -> Opened:
    actor = require_staff(request, *CLINICAL)
    study, instance = request.path_params["study"], request.path_params.get("instance", "")
    now = utc_now()
    return await finding.find(request.app.state.db, study, instance, act=act, actor=actor, now=now)


async def _read(request: Request, recording: Recording) -> Read:
    content = await finding.content(request.app.state.blobs, recording)
    return await asyncio.to_thread(_understood, recording, content)


def _understood(recording: Recording, content: bytes) -> Read:
    ecg = read(content)
    return Read(recording, ecg, measure(replace(ecg, said=Said())))


def _drawings(shown: Sequence[Read], now: Asked) -> list[Markup]:
    return [
        drawn(sheet(each.ecg, now.style), _title(each), filters=_filtered(now)) for each in shown
    ]


def _pages(shown: Read, now: Asked) -> list[Markup]:
    """As many sheets as the paper needs for ten seconds, each exact."""
    seconds = SECONDS if now.style.speed * SECONDS + 15 <= PAPER_MM else SECONDS / 2
    skips = [number * seconds for number in range(round(SECONDS / seconds))]
    sheets = [sheet(shown.ecg, now.style, seconds=seconds, skip=skip) for skip in skips]
    return [drawn(each, _title(shown), filters=_filtered(now)) for each in sheets if each.cells]


def _title(shown: Read) -> str:
    recording = shown.recording
    return " ".join(filter(None, ("ECG", recording.name, recording.day, recording.clock)))


def _filtered(now: Asked) -> str:
    """On the paper only figures, which every language reads."""
    on = [FILTERS[name] for name in FILTERS if name in now.style.filters]
    return f"FILTER: {', '.join(on)}" if on else ""


def _strips(ecg: Ecg) -> list[str]:
    names = {lead.name for lead in ecg.leads}
    return [name for name in STANDARD if name in names]


def _rows(shown: Read) -> list[Row]:
    device, ours = shown.ecg.said.intervals, shown.ours.found
    return [
        Row(label, words.UNITS[name], device.get(name), ours.get(name))
        for name, label in words.INTERVALS.items()
        if name in device or name in ours
    ]
