"""Delete, which DICOMweb leaves to each server, and the trash, which is this server's own."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from serai.imaging.archive import Archive
from serai.imaging.archive.trash import Discarded
from serai.imaging.dicomweb.answers import may
from serai.kernel.clock import utc_now
from serai.kernel.errors import Malformed

NO_STORE = {"Cache-Control": "no-store"}
MAX_LISTED = 1000


async def delete(request: Request) -> Response:
    """DELETE /studies/{study}, …/series/{series}, …/instances/{instance}."""
    actor, archive = may(request, "d"), _archive(request)
    path = request.path_params
    place = path["study"], path.get("series"), path.get("instance")
    trash = await archive.trash.discard(request.app.state.db, *place, actor=actor, now=utc_now())
    return Response(status_code=204, headers={**NO_STORE, "Location": f"../trash/{trash}"})


async def listed(request: Request) -> Response:
    """GET /trash: what can be brought back, newest first."""
    actor = may(request, "d")
    limit, offset = (_natural(request, name, start) for name, start in
                     (("limit", 100), ("offset", 0)))  # fmt: skip
    async with request.app.state.db.connection() as connection:
        found = await _archive(request).trash.discarded(
            connection, actor=actor, limit=min(limit, MAX_LISTED), offset=offset
        )
    return Response(
        orjson.dumps([_shown(each) for each in found]), headers=NO_STORE,
        media_type="application/json",
    )  # fmt: skip


async def restore(request: Request) -> Response:
    """POST /trash/{trash}/restore."""
    actor, archive = may(request, "d"), _archive(request)
    trash = request.path_params["trash"]
    study = await archive.trash.restore(request.app.state.db, trash, actor=actor, now=utc_now())
    return Response(orjson.dumps({"study": study}), headers=NO_STORE, media_type="application/json")


async def empty(request: Request) -> Response:
    """DELETE /trash/{trash}: for good."""
    actor, archive = may(request, "d"), _archive(request)
    trash = request.path_params["trash"]
    await archive.trash.empty(request.app.state.db, trash, actor=actor, now=utc_now())
    return Response(status_code=204, headers=NO_STORE)


def _archive(request: Request) -> Archive:
    archive: Archive = request.app.state.archive
    return archive


def _natural(request: Request, name: str, otherwise: int) -> int:
    text = request.query_params.get(name, str(otherwise))
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Malformed("qido.not-a-number", parameter=name, value=text[:20])
    return int(text)


def _shown(each: Discarded) -> dict[str, Any]:
    shown = {
        "id": each.id, "deletedAt": each.deleted_at, "deletedBy": each.by, "study": each.study,
        "series": each.series, "instance": each.instance, "instances": each.instances,
    }  # fmt: skip
    return {name: value for name, value in shown.items() if value is not None}
