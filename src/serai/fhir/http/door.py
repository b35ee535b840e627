"""Where HTTP meets the FHIR API: requests under /fhir, before the pages' middleware and routing,
of which they need nothing and whose cost would be a third of a read."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from serai.fhir.http.response import Answer, Header
from serai.fhir.http.serving import serve
from serai.web.authentication import authenticate
from serai.web.reader import reading_as

# Answers are data: nothing in them may run, be framed, guessed at or kept (OWASP REST, R4 §6.1).
ALWAYS: list[Header] = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
]
OVER_HTTPS: list[Header] = [*ALWAYS, (b"strict-transport-security", b"max-age=31536000")]


class FhirDoor:
    """ASGI middleware, to stand in front of everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_ours(scope["path"]):
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        state = scope.setdefault("state", {})
        if "signed" not in state:
            state["signed"] = await authenticate(request)
        # A capability's rule may refuse in words, which are then the reader's.
        with reading_as(state["signed"].reader):
            answer = await serve(request)
        await _send(answer, scope, send)


def is_ours(path: str) -> bool:
    return path.startswith("/fhir") and (len(path) == 5 or path[5] == "/")


async def _send(answer: Answer, scope: Scope, send: Send) -> None:
    headers = answer.headers + (OVER_HTTPS if scope["scheme"] == "https" else ALWAYS)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
