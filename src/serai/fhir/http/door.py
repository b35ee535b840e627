"""Where HTTP meets the FHIR API: requests under /fhir, before the pages' middleware and routing,
of which they need nothing and whose cost would be a third of a read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import psycopg
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from serai.fhir.http import jobs, socket, uploads
from serai.fhir.http.response import ALWAYS, OVER_HTTPS, Answer, Header, refused
from serai.fhir.http.serving import serve
from serai.kernel.errors import SeraiError, Unavailable
from serai.web.authentication import authenticate
from serai.web.reader import reading_as

Stream = Callable[[Request], Awaitable[Answer | Response]]

# About this server and not of it: what apps ask before they ask for anything.
DISCOVERY = "/fhir/.well-known/smart-configuration"

# Answered with bodies that stream, in or out.
STREAMING = (
    Route("/fhir/$import", uploads.serve),
    Route("/fhir/jobs/{id}", jobs.serve),
    Route("/fhir/jobs/{id}/{name}", jobs.download),
)


class FhirDoor:
    """ASGI middleware, to stand in front of everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and scope["path"] == socket.PATH:
            await socket.serve(scope, receive, send)
            return
        if scope["type"] != "http" or not is_ours(scope["path"]) or scope["path"] == DISCOVERY:
            await self.app(scope, receive, send)
            return
        answer = await _answer(Request(scope, receive))
        if isinstance(answer, Answer):
            await _send(answer, scope, send)
        else:
            answer.raw_headers += _always(scope)
            await answer(scope, receive, send)


async def _answer(request: Request) -> Answer | Response:
    scope = request.scope
    state = scope.setdefault("state", {})
    if "signed" not in state:
        try:
            state["signed"] = await authenticate(request)
        except SeraiError as error:
            return refused(request, error)
        except psycopg.OperationalError:
            return refused(request, Unavailable("database.unreachable"))
    stream = _streaming(scope)
    # A capability's rule may refuse in words, which are then the reader's.
    with reading_as(state["signed"].reader):
        return await (stream(request) if stream else serve(request))


def is_ours(path: str) -> bool:
    return path.startswith("/fhir") and (len(path) == 5 or path[5] == "/")


def _streaming(scope: Scope) -> Stream | None:
    if not scope["path"].startswith(("/fhir/$import", "/fhir/jobs/")):
        return None
    for route in STREAMING:
        match, found = route.matches(scope)
        if match is not Match.NONE:
            scope["path_params"] = found["path_params"]
            return route.endpoint
    return None


def _always(scope: Scope) -> list[Header]:
    return OVER_HTTPS if scope["scheme"] == "https" else ALWAYS


async def _send(answer: Answer, scope: Scope, send: Send) -> None:
    headers = answer.headers + _always(scope)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
