"""What the worklist answers: statuses and the warnings of PS3.18 §11, requests read strictly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from serai.imaging.dataset.model_json import Attributes
from serai.imaging.dicomweb.answers import DICOM_JSON, dicomweb_root, refusal
from serai.imaging.ups.access import RESOURCE
from serai.imaging.ups.reading import MAX_BODY, data_set
from serai.kernel.actor import Actor
from serai.kernel.errors import Forbidden, Malformed, SeraiError, TooLarge, Unsupported
from serai.web.authentication import require_actor

Handler = Callable[[Request], Awaitable[Response]]

ANY_STATE: Final = "The submitted request is inconsistent with the state of the UPS Instance."
# Of a refusal, in the standard's words (§11.6.3.2, §11.7.3.2).
WARNINGS: Final = {
    "ups.transaction-uid-missing": "The Transaction UID is missing.",
    "ups.transaction-uid": "The Transaction UID is incorrect.",
    "ups.ended": ANY_STATE,
    "ups.not-in-progress": ANY_STATE,
    "ups.in-progress-already": ANY_STATE,
    "ups.completed-already": ANY_STATE,
    "ups.only-created-scheduled": ANY_STATE,
    "ups.final-state": ANY_STATE,
}
WITH_MODIFICATIONS: Final = "The Workitem was created with modifications."
ALREADY: Final = "The UPS is already in the requested state of {state}."
LOCK_NOT_GRANTED: Final = "Deletion Lock not granted."
MORE: Final = "There are additional results that can be requested"
SENT: Final = frozenset({"POST", "PUT"})
JSON: Final = frozenset({DICOM_JSON, "application/json"})
NO_STORE: Final = {"Cache-Control": "no-store"}


def answering(handler: Handler) -> Handler:
    """Turn a refusal into its status, reason and warning."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except SeraiError as error:
            response = refusal(error, sent=request.method in SENT)
            if error.key in WARNINGS:
                warn(request, response, WARNINGS[error.key])
            return response

    return answer


def done(request: Request, status: int = 200, warning: str = "") -> Response:
    """A success says nothing more (§11.4.3.3 and the like)."""
    response = Response(status_code=status, headers=NO_STORE)
    if warning:
        warn(request, response, warning)
    return response


def warn(request: Request, response: Response, text: str) -> None:
    response.headers.append("Warning", f"299 {dicomweb_root(request)}: {text}")


def may(request: Request, interaction: str) -> Actor:
    actor = require_actor(request)
    if not actor.may(interaction, RESOURCE):
        raise Forbidden("ups.scope", interaction=interaction)
    return actor


async def sent(request: Request, *, optional: bool = False) -> Attributes:
    """The request's data set; JSON is the one form of it that this server reads."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            raise TooLarge("ups.too-large", bytes=MAX_BODY)
    if optional and not content.strip():
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in JSON:
        raise Unsupported("ups.media-type", accepted=[DICOM_JSON])
    return data_set(bytes(content))


def only(request: Request, *names: str) -> dict[str, str]:
    """The parameters of the address; Malformed when there are others, or one twice."""
    given = request.query_params.multi_items()
    known = {name: value for name, value in given if name in (*names, "accept", "charset")}
    if len(known) != len(given):
        raise Malformed("ups.parameter", known=sorted(names))
    return known
