"""Instances that are no still image, rendered as what they are (PS3.18 §8.7.4): reports as HTML,
enclosed papers as PDF, video as MP4, presentation states as the picture they make."""

from __future__ import annotations

import base64
from pathlib import Path

import orjson
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from serai.imaging.dataset.model_json import Attribute, Attributes, first_text
from serai.imaging.dicomweb import found, presented, rendered
from serai.imaging.dicomweb.accept import acceptable, first_covering
from serai.imaging.dicomweb.answers import CACHE, not_modified
from serai.imaging.dicomweb.films import FILM, film_of
from serai.imaging.dicomweb.found import Address, Object
from serai.imaging.dicomweb.retrieve import value_of
from serai.imaging.documents import classes, content
from serai.imaging.video import is_video
from serai.kernel.errors import Malformed, NotFound, SeraiError, Unsupported
from serai.web.rendering import render_text

HTML, PDF = "text/html", "application/pdf"
OF_NO_IMAGE = frozenset({"wado.no-pixel-data", "wado.not-acceptable", rendered.IS_FILM})
WITHOUT_PIXELS = frozenset({"accept", "charset"})
DOCUMENT, DOCUMENT_LENGTH = "00420011", "00420015"
STYLE = Path(classes.__file__).with_name("static") / "report.css"
PDF_STARTS = b"%PDF-"
# A report shows words and nothing else, whatever is written in it.
ONLY_WORDS = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
# The browser's own reader shows a paper, and does not work in a sandbox.
ONLY_SHOWN = (
    "default-src 'none'; style-src 'unsafe-inline'; object-src 'self'; frame-ancestors 'self'"
)


async def instance(request: Request) -> Response:
    """GET …/instances/{instance}/rendered; a picture first, for most instances are."""
    try:
        return await rendered.rendered(request)
    except (NotFound, Unsupported) as error:
        if error.key not in OF_NO_IMAGE:
            raise
        return await _as_it_is(request, error)


async def _as_it_is(request: Request, refused: SeraiError) -> Response:
    address = Address.of(request)
    there = await found.whole_object(request, address)
    if there.sop_class in classes.PRESENTATION_STATES:
        return await presented.picture(request, address, there)
    if there.sop_class in classes.REPORTS or there.sop_class == classes.KEY_OBJECTS:
        _require(request, HTML)
        return _report(request, there)
    if there.sop_class == classes.ENCLOSED_PDF:
        _require(request, PDF)
        return await _paper(request, there)
    if is_video(there.stored.transfer_syntax) and there.start is not None and there.length:
        _require(request, FILM)
        described = orjson.loads(there.metadata)
        return await film_of(request, there.stored.blob, there.start, there.length, described)
    raise refused


def _require(request: Request, media_type: str) -> None:
    if first_covering(acceptable(request), media_type) is None:
        raise Unsupported("wado.not-acceptable", offered=[media_type])
    for name in request.query_params:
        if name not in WITHOUT_PIXELS:
            raise Malformed("rendering.parameter", parameter=name[:40])


def _report(request: Request, there: Object) -> Response:
    report = content.read(orjson.loads(there.metadata))
    style = Markup("<style>{}</style>").format(Markup(STYLE.read_text()))  # noqa: S704 - ours
    page = render_text(request, "imaging/documents/report.html", report=report, style=style)
    headers = {**CACHE, "Content-Security-Policy": ONLY_WORDS}
    return HTMLResponse(page, headers=headers)


async def _paper(request: Request, there: Object) -> Response:
    etag = f'"{there.stored.blob[:32]}-paper"'
    headers = {
        **CACHE,
        "ETag": etag,
        "Content-Disposition": 'inline; filename="document.pdf"',
        "Content-Security-Policy": ONLY_SHOWN,
        "X-Content-Type-Options": "nosniff",
    }
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    paper = await enclosed(request, there)
    return Response(paper, headers=headers, media_type=PDF)


async def enclosed(request: Request, there: Object) -> bytes:
    """The PDF itself, without what pads it; never anything that only claims to be one."""
    attributes: Attributes = orjson.loads(there.metadata)
    paper = await _value(request, there, attributes.get(DOCUMENT, {}))
    length = first_text(attributes, DOCUMENT_LENGTH)
    paper = paper[: int(length)] if length.isdigit() and int(length) else paper
    if PDF_STARTS not in paper[:1024]:
        raise Unsupported("rendering.no-paper")
    return paper


async def _value(request: Request, there: Object, attribute: Attribute) -> bytes:
    if "InlineBinary" in attribute:
        return base64.b64decode(attribute["InlineBinary"])
    _, _, place = str(attribute.get("BulkDataURI", "")).partition("/bulkdata/")
    start, _, length = place.partition("/")[0].partition("-")
    if not (start.isdigit() and length.isdigit()):
        raise Unsupported("rendering.no-paper")
    store = request.app.state.blobs
    return await value_of(store, there.stored, int(start), int(length), DOCUMENT)
