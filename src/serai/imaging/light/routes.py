"""The light viewer's page and what it asks for, all under /light/{study}."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from zlib import crc32

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from serai.fhir import visibility
from serai.fhir.store import FhirStore
from serai.imaging.dicomweb.answers import CACHE, dicom_json, may, not_modified
from serai.imaging.dicomweb.rendered import window_of, within
from serai.imaging.light import pictures, ready, words
from serai.imaging.light.lineup import Lineup, Lineups
from serai.imaging.light.series import SMALL, Series, small_wish
from serai.imaging.rendering.wish import Wish
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Malformed, NotFound
from serai.web.rendering import render

MOST_AT_ONCE = 64
LARGEST = 2048
JSON, PARTS, VALUES = "application/json", "application/octet-stream", "application/octet-stream"
LINEUPS = Lineups()
PATIENTS = """SELECT r.patients FROM fhir_resource r
              WHERE r.type = 'ImagingStudy' AND r.id = %(resource)s AND {visible}"""


async def page(request: Request) -> Response:
    """The page with the outline in it, so that the first picture can be asked for at once."""
    actor = may(request, "r")
    lineup = await _lineup(request, actor)
    await _looked(request, lineup, actor, utc_now())
    return render(
        request,
        "imaging/light/light.html",
        study=lineup.study,
        outline=lineup.outline().decode(),
        words=words.for_scripts(),
    )


async def outline(request: Request) -> Response:
    lineup = await _lineup(request, may(request, "r"))
    _only(request)
    return dicom_json(request, lineup.outline(), media_type=JSON)


async def previews(request: Request) -> Response:
    """Several pictures of a series in the order asked for, each sent as soon as it is drawn."""
    actor = may(request, "r")
    lineup = await _lineup(request, actor)
    _only(request, "v", "frames", "size", "quality", "window")
    series = lineup.of(request.path_params["series"], request.query_params.get("v", ""))
    numbers, wish = _numbers(request, series), _wish(request)
    etag = f'"{lineup.version}-{crc32(repr((numbers, wish)).encode()):x}"'
    headers = {**CACHE, "ETag": etag}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    if wish == small_wish(series):
        drawn = await ready.of(request.app.state.db, lineup, series, numbers, actor=actor)
        if drawn is not None:
            pairs = zip(numbers, drawn, strict=True)
            content = b"".join(pictures.part(number, picture) for number, picture in pairs)
            return Response(content, headers=headers, media_type=PARTS)
    slides = [series.slides[number] for number in numbers]
    places = await pictures.found(request.app.state.db, lineup.study, slides, actor=actor)
    known = zip(numbers, pictures.require_all(slides, places), strict=True)
    parts: AsyncIterator[bytes] = pictures.parts(request.app.state.blobs, known, wish)
    return StreamingResponse(parts, headers=headers, media_type=PARTS)


async def values(request: Request) -> Response:
    """One grey frame exactly as stored, for a window that is moved on the phone itself."""
    actor = may(request, "r")
    lineup = await _lineup(request, actor)
    _only(request, "v")
    series = lineup.of(request.path_params["series"], request.query_params.get("v", ""))
    number = _within(request.path_params["number"], series)
    slide = series.slides[number]
    etag = f'"{lineup.version}-{number}"'
    headers = {**CACHE, "ETag": etag, "Content-Encoding": "gzip"}
    if not_modified(request, etag):
        return Response(status_code=304, headers=headers)
    places = await pictures.found(request.app.state.db, lineup.study, [slide], actor=actor)
    (place,) = pictures.require_all([slide], places)
    content = await pictures.values(request.app.state.blobs, *place)
    return Response(content, headers=headers, media_type=VALUES)


async def _lineup(request: Request, actor: Actor) -> Lineup:
    return await LINEUPS.of(request.app.state.db, request.path_params["study"], actor=actor)


async def _looked(request: Request, lineup: Lineup, actor: Actor, now: datetime) -> None:
    """Opening the page is a look at the study, which the trail remembers."""
    fhir: FhirStore = request.app.state.fhir
    seen, values = visibility.clause(actor, "r")
    async with request.app.state.db.connection() as connection:
        wanted = {"resource": lineup.resource, **values}
        cursor = await connection.execute(PATIENTS.format(visible=seen).encode(), wanted)
        row = await cursor.fetchone()
    resource, patients = f"ImagingStudy/{lineup.resource}", row[0] if row else ()
    fhir.trail.note(actor, "imaging.view", resource, at=now, patients=patients)


def _only(request: Request, *names: str) -> None:
    for name in request.query_params:
        if name not in names:
            raise Malformed("light.parameter", parameter=name[:40])


def _numbers(request: Request, series: Series) -> tuple[int, ...]:
    asked = request.query_params.get("frames", "").split(",")
    if len(asked) > MOST_AT_ONCE:
        raise Malformed("light.too-many", most=MOST_AT_ONCE)
    return tuple(_within(each, series) for each in asked)


def _within(text: str, series: Series) -> int:
    number = within(text, 0, 1 << 26)
    if number >= len(series.slides):
        raise NotFound("light.no-such-picture")
    return number


def _wish(request: Request) -> Wish:
    query = request.query_params
    size = within(query.get("size", str(SMALL[0])), 16, LARGEST)
    return Wish(
        size=(size, size),
        quality=within(query.get("quality", str(SMALL[1])), 1, 100),
        window=window_of(query.get("window")),
    )


def routes() -> list[BaseRoute]:
    series = "/light/{study}/series/{series}"
    return [
        Route("/light/{study}", page),
        Route("/light/{study}/outline", outline),
        Route(f"{series}/previews", previews),
        Route(f"{series}/values/{{number}}", values),
    ]
