"""The screens: a study, and a film of it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serai.imaging.study import actions
from serai.imaging.study.actions import Kept
from serai.imaging.study.model import COMPARED, SLICED, Place
from serai.kernel.clock import utc_now
from serai.web import wording
from serai.web.authentication import require_staff
from serai.web.headers import CONTENT_SECURITY_POLICY
from serai.web.languages import N_
from serai.web.rendering import render

PATH = "/studies"
CLINICAL = ("doctor", "expert", "desk")
# The film comes from here; pages elsewhere play nothing.
PLAYING = f"{CONTENT_SECURITY_POLICY}; media-src 'self'"
SUMS: Mapping[str, str] = {
    "DLP": N_("Dose length product (DLP)"),
    "DAP": N_("Dose area product (DAP)"),
    "RP": N_("Dose at the reference point"),
    "AGD": N_("Average glandular dose"),
    "CTDIvol": N_("CTDIvol"),
}

wording.add(
    {
        "imaging.no-such-study": N_("This study is not here, or is not shared with you."),
        "report.too-long": N_("The report has more items than can be shown."),
    }
)


def routes() -> list[Route]:
    return [
        Route(PATH + "/{study}", show, methods=["GET"]),
        Route(PATH + "/{study}/films/{series}/{instance}", play, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    actor = require_staff(request, *CLINICAL)
    uid = request.path_params["study"]
    study = await actions.open_study(_kept(request), uid, actor=actor, now=utc_now())
    return render(
        request,
        "imaging/study/study.html",
        study=study,
        sums=SUMS,
        compared=COMPARED,
        sliced=SLICED,
    )


async def play(request: Request) -> Response:
    actor = require_staff(request, *CLINICAL)
    study, series, instance = (request.path_params[n] for n in ("study", "series", "instance"))
    place = Place(series, instance)
    film, description = await actions.open_film(
        _kept(request), study, place, actor=actor, now=utc_now()
    )
    answer = render(
        request, "imaging/study/film.html", film=film, study=study, description=description
    )
    answer.headers["Content-Security-Policy"] = PLAYING
    return answer


def _kept(request: Request) -> Kept:
    state = request.app.state
    return Kept(state.db, state.archive)
