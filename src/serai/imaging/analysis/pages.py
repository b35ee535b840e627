"""The screens: how analyses stand, those of one study, and what analysers there are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serai.imaging.analysis import actions
from serai.imaging.analysis.actions import Desk
from serai.imaging.analysis.cards import models
from serai.imaging.analysis.records import PER_PAGE, Analysis
from serai.imaging.analysis.registry import of_models, registered
from serai.imaging.analysis.wording import (
    REASONS,
    STATES,
    TONES,
    figure_name,
    finding_text,
    why_text,
)
from serai.kernel.clock import utc_now
from serai.web.authentication import require_staff
from serai.web.forms import parse_form
from serai.web.languages import N_
from serai.web.navigation import NavItem
from serai.web.rendering import render, see_other
from serai.web.wording import error_text

PATH = "/analyses"
# They may change a study, and so have one analysed again.
MAY_RETRY = frozenset({"admin", "doctor", "expert"})
NAVIGATION = (NavItem(N_("Analyses"), PATH, "activity", roles=MAY_RETRY),)


def routes() -> list[Route]:
    return [
        Route(PATH, listed, methods=["GET"]),
        Route(PATH + "/analysers", analysers, methods=["GET"]),
        Route(PATH + "/studies/{study}", of_study, methods=["GET"]),
        Route(PATH + "/{id}/retry", retry, methods=["POST"]),
    ]


async def listed(request: Request) -> Response:
    actor = require_staff(request)
    state, start = request.query_params.get("status", ""), _start(request)
    state = state if state in STATES else ""
    found = await actions.see(_desk(request), state, start, actor=actor)
    return render(
        request,
        "imaging/analysis/list.html",
        analyses=found[:PER_PAGE],
        state=state,
        previous=_page(state, max(start - PER_PAGE, 0)) if start else "",
        following=_page(state, start + PER_PAGE) if len(found) > PER_PAGE else "",
        **_words(request),
    )


async def of_study(request: Request) -> Response:
    actor = require_staff(request)
    study = request.path_params["study"]
    found = await actions.see_study(_desk(request), study, actor=actor)
    return render(
        request, "imaging/analysis/study.html", study=study, series=_by_series(found),
        **_words(request),
    )  # fmt: skip


async def analysers(request: Request) -> Response:
    require_staff(request)
    home = _desk(request).home
    known = await asyncio.to_thread(models, home)
    cards = {f"model-{each.name}" for each in known}
    own = [each for each in await asyncio.to_thread(registered, home) if each.name not in cards]
    return render(
        request,
        "imaging/analysis/analysers.html",
        analysers=own,
        models=of_models(known),
        refused=[(each.name, each.refused) for each in known if each.refused],
        said=error_text,
    )


async def retry(request: Request) -> Response:
    await parse_form(request)
    actor = require_staff(request, *MAY_RETRY)
    id = request.path_params["id"]
    found = await actions.retry(_desk(request), id, actor=actor, now=utc_now())
    return see_other(f"{PATH}/studies/{found.study}", flash="analysis.queued")


def _words(request: Request) -> Mapping[str, Any]:
    actor = require_staff(request)
    return {
        "states": STATES,
        "tones": TONES,
        "reasons": REASONS,
        "why": why_text,
        "found": finding_text,
        "named": figure_name,
        "may_retry": actor.role in MAY_RETRY,
    }


def _by_series(found: Sequence[Analysis]) -> list[tuple[str, list[Analysis]]]:
    ordered = sorted(found, key=lambda each: (each.series, each.title))
    return [(uid, list(some)) for uid, some in groupby(ordered, key=lambda each: each.series)]


def _desk(request: Request) -> Desk:
    state = request.app.state
    return Desk(state.db, state.settings.home)


def _start(request: Request) -> int:
    text = request.query_params.get("from", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0


def _page(state: str, start: int) -> str:
    return f"{PATH}?" + urlencode({"status": state, "from": start})
