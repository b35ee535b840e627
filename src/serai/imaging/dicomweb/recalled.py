"""Where a study is on its way from cold storage; asking for its pictures begins the recall."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from serai.imaging.archive.recalling import STAY
from serai.imaging.dicomweb import found


async def progress(request: Request) -> Response:
    """GET /studies/{study}/recall: state, and how many of its objects are back."""
    await found.state(request)
    study = request.path_params["study"]
    async with request.app.state.db.connection() as connection:
        row = await (await connection.execute(STAY, (study,))).fetchone()
    state, done, total = row[:3] if row else ("hot", 0, 0)
    content = {"state": state, "done": done, "total": total}
    return Response(
        orjson.dumps(content), headers={"Cache-Control": "no-store"}, media_type="application/json"
    )
