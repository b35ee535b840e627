"""Scripts of registered apps' pages may call what they need (CORS), with a token and never with a
cookie; no other page may."""

from __future__ import annotations

import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serai.fhir.http.door import is_ours
from serai.fhir.smart import addresses
from serai.platform.auth.apps import registry
from serai.web.authentication import under

OPEN = (
    addresses.TOKEN,
    addresses.REVOKE,
    addresses.USERINFO,
    addresses.KEYS,
    addresses.OPENID,
    addresses.SMART,
)
# How long an app that was just registered or revoked may wait to be noticed.
REMEMBERED_S = 5.0
ALLOWED = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "accept, authorization, content-type, if-match, if-modified-since, if-none-exist, "
        "if-none-match, prefer"
    ),
    "Access-Control-Max-Age": "600",
}
EXPOSED = "Content-Location, ETag, Last-Modified, Location, Retry-After, X-Progress"


class SmartDoor:
    """ASGI middleware, in front of the FHIR API."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.origins: frozenset[str] = frozenset()
        self.looked_at = -REMEMBERED_S

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        origin = _origin(scope)
        if origin is None or origin not in await self._origins(scope):
            await self.app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await _answer_preflight(origin, send)
            return
        await self.app(scope, receive, _with_origin(origin, send))

    async def _origins(self, scope: Scope) -> frozenset[str]:
        now = time.monotonic()
        if now - self.looked_at >= REMEMBERED_S:
            async with scope["app"].state.db.connection() as c:
                self.origins = await registry.origins(c)
            self.looked_at = now
        return self.origins


def _origin(scope: Scope) -> str | None:
    """Without the objects Starlette makes of headers: every request passes here."""
    found = (value for name, value in scope["headers"] if name == b"origin")
    value = next(found, None)
    return None if value is None else str(value.decode("latin-1"))


def is_open(path: str) -> bool:
    return is_ours(path) or path in OPEN or under(path, ("/dicomweb/studies",))


async def _answer_preflight(origin: str, send: Send) -> None:
    headers = MutableHeaders(ALLOWED)
    headers["Access-Control-Allow-Origin"] = origin
    headers["Vary"] = "Origin"
    await send({"type": "http.response.start", "status": 204, "headers": headers.raw})
    await send({"type": "http.response.body", "body": b""})


def _with_origin(origin: str, send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = EXPOSED
            headers.add_vary_header("Origin")
        await send(message)

    return sending
