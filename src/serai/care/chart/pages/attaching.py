"""Uploads into the record, and reading a kept document."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from serai.care.chart import actions
from serai.care.chart.pages.people import CLINICAL
from serai.care.chart.pages.words import charts_of
from serai.imaging.uploads import handed_over, named
from serai.kernel.clock import utc_now
from serai.kernel.errors import Invalid, TooLarge
from serai.web.authentication import require_staff
from serai.web.forms import parse_form
from serai.web.rendering import render, see_other

# A document is shown by the browser itself and must not be able to do anything else.
ONLY_SHOWN = (
    "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'"
)


async def pictures(request: Request) -> Response:
    actor = require_staff(request, *CLINICAL)
    patient = request.path_params["patient"]
    form = await parse_form(request)
    uploads = [*form.files("pictures"), *form.files("folder")]
    ids, now, state = named(form.value("uploaded")), utc_now(), request.app.state
    if not uploads and not ids:
        raise Invalid("chart.pictures-missing")
    home = state.settings.home
    async with handed_over(state.db, home, ids, actor=actor, now=now) as brought:
        attached = await actions.attach_pictures(
            charts_of(request), patient, [*uploads, *brought], actor=actor, now=now
        )
    if not attached.refused and not attached.doubts:
        return see_other(f"/patients/{patient}", flash="chart.pictures-kept")
    status = 200 if attached.studies else 422
    return render(
        request,
        "care/chart/attached.html",
        status=status,
        attached=attached,
        back=f"/patients/{patient}",
    )


async def document(request: Request) -> Response:
    actor = require_staff(request, *CLINICAL)
    patient = request.path_params["patient"]
    form = await parse_form(request)
    upload = form.file("document")
    if upload is None:
        raise Invalid("chart.document-missing")
    if (upload.size or 0) > 20 * 1024 * 1024:
        raise TooLarge("chart.document-too-large", megabytes=20)
    await actions.attach_document(
        charts_of(request),
        patient,
        form.text("title", longest=200) or (upload.filename or ""),
        await upload.read(),
        actor=actor,
        now=utc_now(),
    )
    return see_other(f"/patients/{patient}", flash="chart.document-kept")


async def open_document(request: Request) -> Response:
    actor = require_staff(request, *CLINICAL)
    found = await actions.open_document(
        charts_of(request), request.path_params["document"], actor=actor
    )
    name = found.title or "document"
    suffix = actions.SUFFIXES[found.content_type]
    name = name if name.lower().endswith(suffix) else name + suffix
    return Response(
        found.content,
        media_type=found.content_type,
        headers={
            "Content-Disposition": f"inline; filename*=UTF-8''{quote(name)}",
            "Content-Security-Policy": ONLY_SHOWN,
        },
    )
