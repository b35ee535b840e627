"""DICOMweb under /link/dicomweb for a browser that has opened a link: that study, read only.

The handlers are those of /dicomweb; the actor they meet sees one study. Where the link hides the
patient, only what is listed here is answered, each with the patient taken out.
"""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route

from serai.care.sharing import actions, store
from serai.care.sharing.actions import Sharing
from serai.care.sharing.model import Link
from serai.care.sharing.pages.cookie import address_of, browser_of
from serai.imaging import media
from serai.imaging.dataset.hiding import Hiding
from serai.imaging.dicomweb import found, rendered, retrieve
from serai.imaging.dicomweb.accept import acceptable, first_covering
from serai.imaging.dicomweb.answers import Handler, answering
from serai.imaging.dicomweb.multipart import closing, part_header
from serai.imaging.dicomweb.routes import GET, INSTANCE, SERIES, STUDY
from serai.imaging.media.contents import Contents, File
from serai.imaging.search.keys import tag_of
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, NotFound, Unsupported
from serai.kernel.ids import new_id
from serai.web.authentication import Signed, signed

ROOT = "/link/dicomweb"
LEVELS = ("/studies", "/series", "/instances")
EVERY_METHOD = ["GET", "POST", "PUT", "DELETE"]
UNCHANGED = ("/frames/{frames}", "/rendered", "/thumbnail", "/pixeldata")
# By anything else one could find out whom the study shows by guessing.
HARMLESS = frozenset(
    {"0020000D", "0020000E", "00080018", "00080016", "00080060", "00080061", "00200011",
     "00200013"}
)  # fmt: skip
NOT_KEYS = frozenset({"accept", "charset", "includefield", "limit", "offset", "fuzzymatching"})
PATIENT_ID = "00100020"
NOT_KEPT = {"Cache-Control": "private, no-store"}


@dataclass(frozen=True, slots=True)
class Guest:
    """One request of somebody with a link that hides the patient."""

    request: Request
    link: Link
    sharing: Sharing

    async def hiding(self) -> Hiding:
        return await actions.hiding_of(self.sharing, self.link)


HiddenHandler = Callable[[Guest, Handler], Awaitable[Response]]


def routes() -> list[BaseRoute]:
    open_to_guests = [(path, handler) for path, handler in GET if path.startswith(LEVELS)]
    return [
        Mount(
            ROOT,
            routes=[
                *(
                    Route(path, answering(_guest(path, handler)), methods=["GET"])
                    for path, handler in open_to_guests
                ),
                Route("/{path:path}", answering(_nothing_there), methods=EVERY_METHOD),
            ],
        )
    ]


async def _nothing_there(_: Request) -> Response:
    raise NotFound("sharing.no-such-link")


def _guest(path: str, handler: Handler) -> Handler:
    """The handler, asked by whoever holds a link to the study."""
    hidden = _hidden_form(path)
    takes_along = path in (STUDY, SERIES, INSTANCE)

    async def answer(request: Request) -> Response:
        sharing = Sharing(request.app.state.db)
        link = await _link(request, sharing)
        address, reader = address_of(request), signed(request).reader
        actor = actions.visitor(link, address)
        request.state.signed = Signed(actor, None, reader)
        if takes_along and not link.download and _wants_archive(request):
            raise Forbidden("sharing.no-download")
        if path.endswith("/metadata"):
            trail = request.app.state.fhir.trail
            about = f"ImagingStudy/{link.resource}"
            trail.note(actor, "link.look", about, at=utc_now())
        if link.hides_name:
            return await hidden(Guest(request, link, sharing), handler)
        return await handler(request)

    return answer


async def _link(request: Request, sharing: Sharing) -> Link:
    """The link to the study addressed, else the one that was opened last."""
    links = await actions.visits(sharing, browser_of(request), now=utc_now())
    study = request.path_params.get("study") or request.query_params.get("StudyInstanceUID")
    return next((link for link in links if link.study == study), links[0])


def _hidden_form(path: str) -> HiddenHandler:
    """How an address is answered without the patient."""
    if path.endswith("/metadata") or path.rpartition("/")[2] in ("studies", "series", "instances"):
        return _json
    if path in (STUDY, SERIES, INSTANCE):
        return _objects
    if path.startswith(f"{INSTANCE}/bulkdata/"):
        return _bulk_data
    if path == f"{INSTANCE}/rendered":
        return _picture
    if path.startswith(INSTANCE) and path.endswith(UNCHANGED):
        return _pixels
    return _refused


async def _refused(_: Guest, __: Handler) -> Response:
    raise NotFound("sharing.no-such-link")


async def _json(guest: Guest, handler: Handler) -> Response:
    """Metadata and findings, each object without the patient, documents left out."""
    hiding = await guest.hiding()
    request = _harmless(guest)
    if request is None:
        return Response(b"[]", media_type="application/dicom+json", headers=NOT_KEPT)
    answer = await handler(request)
    content = bytes(answer.body)
    if answer.headers.get("content-encoding") == "gzip":
        content = gzip.decompress(content)
    objects = orjson.loads(content) if answer.status_code == 200 else []
    shown = [hiding.attributes(one) for one in objects if not hiding.withholds(_class_of(one))]
    body = gzip.compress(orjson.dumps(shown), 1, mtime=0)
    headers = {**NOT_KEPT, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        body, headers = orjson.dumps(shown), NOT_KEPT
    return Response(body, media_type="application/dicom+json", headers=headers)


async def _pixels(guest: Guest, handler: Handler) -> Response:
    await _require_not_withheld(guest)
    return await handler(guest.request)


async def _picture(guest: Guest, _: Handler) -> Response:
    """Nothing but a picture: reports and papers rendered would show the patient."""
    await _require_not_withheld(guest)
    return await rendered.rendered(guest.request)


async def _bulk_data(guest: Guest, handler: Handler) -> Response:
    """Only values that the hidden metadata name: an address could point at the name as well."""
    await _require_not_withheld(guest)
    request, hiding = guest.request, await guest.hiding()
    (metadata,) = await found.metadata(request)
    shown = orjson.dumps(hiding.attributes(orjson.loads(metadata)))
    path = request.path_params
    wanted = f'/bulkdata/{path["place"]}/{path["path"]}"'
    if wanted.encode() not in shown:
        raise NotFound("sharing.no-such-link")
    return await handler(request)


async def _objects(guest: Guest, _: Handler) -> Response:
    """Part 10 files without the patient, in the syntax they are stored in."""
    request, hiding = guest.request, await guest.hiding()
    wanted = first_covering(acceptable(request), retrieve.DICOM, media.ZIP)
    if wanted is None:
        raise Unsupported("sharing.only-dicom", offered=[retrieve.DICOM])
    if wanted[1] == media.ZIP:
        return await archive(guest.sharing, guest.link, request)
    contents, files = await _files(request, hiding)
    blobs = request.app.state.blobs
    if not wanted[0].multipart:
        if len(files) > 1:
            raise Unsupported("sharing.one-part-for-many", instances=len(files))
        pieces = contents.pieces(blobs, files[0])
        return StreamingResponse(pieces, media_type=retrieve.DICOM, headers=NOT_KEPT)
    boundary = new_id()

    async def parts() -> AsyncIterator[bytes]:
        for file in files:
            kind = f"{retrieve.DICOM}; transfer-syntax={file.transfer_syntax}"
            yield part_header(boundary, kind)
            async for piece in contents.pieces(blobs, file):
                yield piece
        yield closing(boundary)

    kind = retrieve.related(retrieve.DICOM, boundary)
    return StreamingResponse(parts(), media_type=kind, headers=NOT_KEPT)


async def archive(sharing: Sharing, link: Link, request: Request) -> Response:
    """The study of a link as zip archive, where the link allows it."""
    now, address, state = utc_now(), address_of(request), request.app.state
    await actions.downloaded(sharing, link, address=address, now=now)
    hiding = await actions.hiding_of(sharing, link) if link.hides_name else None
    contents = await media.gathered(
        state.db, [link.study], actor=actions.visitor(link, address), now=now, hiding=hiding
    )
    return media.zip_answer(contents, state.blobs, state.settings.public_url, now)


async def _files(request: Request, hiding: Hiding) -> tuple[Contents, list[File]]:
    path = request.path_params
    rows = await found.blobs(request)
    async with request.app.state.db.connection() as c:
        classes = await store.sop_classes(c, path["study"])
    files = [
        File((row.instance,), row.transfer_syntax, row.blob, row.size)
        for row in rows
        if not hiding.withholds(classes.get(row.instance, ""))
    ]
    if not files:
        raise NotFound("sharing.no-such-link")
    return Contents(files=files, hiding=hiding), files


async def _require_not_withheld(guest: Guest) -> None:
    path, hiding = guest.request.path_params, await guest.hiding()
    async with guest.sharing.db.connection() as c:
        classes = await store.sop_classes(c, path["study"], path["instance"])
    if any(hiding.withholds(kept_as) for kept_as in classes.values()):
        raise NotFound("sharing.no-such-link")


def _harmless(guest: Guest) -> Request | None:
    """The query without the patient's pseudonym; None when it asks about the patient."""
    kept: list[tuple[str, str]] = []
    for name, value in guest.request.query_params.multi_items():
        tag = tag_of(name)
        if tag == PATIENT_ID and value == guest.link.pseudonym:
            continue
        if name not in NOT_KEYS and tag not in HARMLESS:
            return None
        kept.append((name, value))
    scope = {**guest.request.scope, "query_string": urlencode(kept).encode()}
    return Request(scope, guest.request.receive)


def _class_of(one: dict[str, Any]) -> str:
    values = one.get("00080016", {}).get("Value") or [""]
    return str(values[0])


def _wants_archive(request: Request) -> bool:
    wanted = first_covering(acceptable(request), retrieve.DICOM, media.ZIP)
    return wanted is not None and wanted[1] == media.ZIP
