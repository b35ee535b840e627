"""The patient's page: banner, summary, images, timeline."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from serai.care.chart import actions
from serai.care.chart.model import Kind, grouped
from serai.care.chart.pages.people import CLINICAL
from serai.care.chart.pages.words import KIND_ICONS, KIND_LABELS, banner, charts_of
from serai.fhir.smart.launching import apps_for
from serai.web.authentication import require_staff
from serai.web.forms import Form
from serai.web.rendering import render


async def show(request: Request) -> Response:
    actor = require_staff(request, *CLINICAL)
    kind = request.query_params.get("kind", "")
    wanted = Kind(kind) if kind in set(Kind) else None
    page = page_number(request)
    chart = await actions.open_chart(
        charts_of(request), request.path_params["patient"], wanted, page, actor=actor
    )
    async with request.app.state.db.connection() as c:
        apps = await apps_for(c, actor)
    return render(
        request,
        "care/chart/show.html",
        fragment="timeline",
        chart=chart,
        banner=banner(chart.person),
        groups=grouped(chart.timeline.entries),
        kind=wanted.value if wanted else "",
        page=page,
        labels=KIND_LABELS,
        icons=KIND_ICONS,
        form=Form.blank(),
        may_add=chart.ours and actor.may("c", "DocumentReference"),
        apps=apps,
        may_ask=chart.ours and actor.role in ("doctor", "expert"),
    )


def page_number(request: Request) -> int:
    text = request.query_params.get("page", "1")
    return min(int(text), 10_000) if text.isascii() and text.isdigit() and int(text) else 1
