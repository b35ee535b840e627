"""Retrieval by query parameters, WADO-URI (PS3.18 §9), for clients older than WADO-RS."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from serai.imaging.dicomweb import found, presented
from serai.imaging.dicomweb.accept import MediaRange
from serai.imaging.dicomweb.found import Address
from serai.imaging.dicomweb.rendered import MAX_SIDE, one_image, window_of, within
from serai.imaging.dicomweb.retrieve import DICOM, as_objects
from serai.imaging.rendering.wish import DEFAULT_QUALITY, FORMATS, Wish
from serai.kernel.errors import Malformed, Unsupported

REQUIRED = ("requestType", "studyUID", "seriesUID", "objectUID")
KNOWN = {
    *REQUIRED, "contentType", "charset", "transferSyntax", "frameNumber", "windowCenter",
    "windowWidth", "rows", "columns", "imageQuality", "presentationUID", "presentationSeriesUID",
}  # fmt: skip


async def retrieve(request: Request) -> Response:
    """GET /wado?requestType=WADO&studyUID=…&seriesUID=…&objectUID=…."""
    given = _given(request)
    address = Address(given["studyUID"], given["seriesUID"], given["objectUID"])
    kinds = [kind.partition(";")[0].strip() for kind in given.get("contentType", "").split(",")]
    if DICOM in kinds:
        syntax = given.get("transferSyntax")
        wanted = MediaRange(DICOM, {"transfer-syntax": syntax} if syntax else {})
        return await as_objects(request, await found.blobs(request, address), wanted)
    known = {"": "image/jpeg", "*/*": "image/jpeg", "image/*": "image/jpeg"} | {
        kind: kind for kind in FORMATS
    }
    media_type = next((known[kind] for kind in kinds if kind in known), None)
    if media_type is None:
        raise Unsupported("wado.not-acceptable", offered=[DICOM, *sorted(FORMATS)])
    wish = _wish(given, media_type)
    if "presentationUID" in given:
        series = given.get("presentationSeriesUID")
        if not series:
            raise Malformed("wado.parameter-missing", parameter="presentationSeriesUID")
        state = Address(address.study, series, given["presentationUID"])
        return await presented.named(request, address, state, wish)
    return await one_image(request, address, wish, multipart=False)


def _given(request: Request) -> dict[str, str]:
    given = dict(request.query_params)
    for name in given:
        if name not in KNOWN:
            raise Malformed("wado.parameter", parameter=name[:40])
    for name in REQUIRED:
        if not given.get(name):
            raise Malformed("wado.parameter-missing", parameter=name)
    if given["requestType"] != "WADO":
        raise Malformed("wado.parameter", parameter="requestType")
    return given


def _wish(given: dict[str, str], media_type: str) -> Wish:
    centre, width = given.get("windowCenter"), given.get("windowWidth")
    if (centre is None) != (width is None):
        raise Malformed("rendering.window")
    sides = [within(given[side], 1, MAX_SIDE) if side in given else MAX_SIDE
             for side in ("columns", "rows")]  # fmt: skip
    return Wish(
        media_type=media_type,
        frame=within(given.get("frameNumber", "1"), 1, 10**9) - 1,
        window=window_of(f"{centre},{width}") if centre else None,
        size=(sides[0], sides[1]) if min(sides) < MAX_SIDE else None,
        quality=within(given.get("imageQuality", str(DEFAULT_QUALITY)), 1, 100),
    )
