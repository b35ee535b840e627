"""An answer of several pieces that are all at hand, sent as they lie, without joining them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Pieces(Response):
    """As Response, for what would be copied by being put together."""

    def __init__(
        self, pieces: Sequence[bytes], *, headers: Mapping[str, str], media_type: str
    ) -> None:
        length = {"Content-Length": str(sum(len(piece) for piece in pieces))}
        super().__init__(headers={**headers, **length}, media_type=media_type)
        self._pieces = pieces

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        head = {"type": "http.response.start", "status": self.status_code}
        await send({**head, "headers": self.raw_headers})
        for piece in self._pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
