"""The DICOMweb resources (PS3.18 §10.1) under /dicomweb."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from serai.imaging.dicomweb import (
    deleting,
    frames,
    kinds,
    patient,
    recalled,
    rendered,
    retrieve,
    stow,
    wado_uri,
)
from serai.imaging.dicomweb.answers import Handler, answering
from serai.imaging.dicomweb.search import search
from serai.imaging.search.keys import Level
from serai.kernel.errors import NotFound

STUDY = "/studies/{study}"
SERIES = f"{STUDY}/series/{{series}}"
INSTANCE = f"{SERIES}/instances/{{instance}}"

GET: tuple[tuple[str, Handler], ...] = (
    ("/wado", wado_uri.retrieve),
    ("/trash", deleting.listed),
    ("/studies", search(Level.STUDY)),
    ("/series", search(Level.SERIES)),
    ("/instances", search(Level.INSTANCE)),
    (f"{STUDY}/series", search(Level.SERIES)),
    (f"{STUDY}/instances", search(Level.INSTANCE)),
    (f"{SERIES}/instances", search(Level.INSTANCE)),
    (STUDY, retrieve.instances),
    (SERIES, retrieve.instances),
    (INSTANCE, retrieve.instances),
    (f"{STUDY}/recall", recalled.progress),
    (f"{STUDY}/metadata", retrieve.metadata),
    (f"{SERIES}/metadata", retrieve.metadata),
    (f"{INSTANCE}/metadata", retrieve.metadata),
    (f"{INSTANCE}/bulkdata/{{place}}/{{path:path}}", retrieve.bulk_data),
    (f"{INSTANCE}/pixeldata", frames.pixel_data),
    (f"{INSTANCE}/frames/{{frames}}", frames.frames),
    (f"{INSTANCE}/frames/{{frames}}/rendered", rendered.rendered),
    (f"{INSTANCE}/frames/{{frames}}/thumbnail", rendered.thumbnail),
    (f"{INSTANCE}/rendered", kinds.instance),
    (f"{INSTANCE}/thumbnail", rendered.thumbnail),
    (f"{SERIES}/rendered", rendered.rendered),
    (f"{STUDY}/rendered", rendered.rendered),
    (f"{SERIES}/thumbnail", rendered.thumbnail),
    (f"{STUDY}/thumbnail", rendered.thumbnail),
)
POST: tuple[tuple[str, Handler], ...] = (
    ("/studies", stow.store),
    (STUDY, stow.store),
    ("/trash/{trash}/restore", deleting.restore),
)
DELETE: tuple[tuple[str, Handler], ...] = (
    (STUDY, deleting.delete),
    (SERIES, deleting.delete),
    (INSTANCE, deleting.delete),
    ("/trash/{trash}", deleting.empty),
    (f"{STUDY}/patient", patient.undo),
)
PUT: tuple[tuple[str, Handler], ...] = ((f"{STUDY}/patient", patient.correct),)
ALL_METHODS = ["GET", "POST", "PUT", "DELETE"]


async def nothing_there(request: Request) -> Response:
    raise NotFound("dicomweb.no-such-resource", path=request.path_params["path"][:200])


def routes() -> list[BaseRoute]:
    return [
        Mount(
            "/dicomweb",
            routes=[
                *(Route(path, answering(handler), methods=["POST"]) for path, handler in POST),
                *(Route(path, answering(handler), methods=["GET"]) for path, handler in GET),
                *(Route(path, answering(handler), methods=["PUT"]) for path, handler in PUT),
                *(Route(path, answering(handler), methods=["DELETE"]) for path, handler in DELETE),
                Route("/{path:path}", answering(nothing_there), methods=ALL_METHODS),
            ],
        )
    ]
