"""Apps that somebody lets act for them: ending that."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serai.kernel.clock import utc_now
from serai.kernel.errors import NotFound
from serai.platform import audit
from serai.platform.auth.apps import grants
from serai.web.authentication import require_session
from serai.web.forms import parse_form
from serai.web.rendering import see_other

PATH = "/account/apps/end"


def routes() -> list[Route]:
    return [Route(PATH, end, methods=["POST"])]


async def end(request: Request) -> Response:
    """Whatever the app was given holds no longer, from its next request."""
    session, form, now = require_session(request), await parse_form(request), utc_now()
    grant = form.text("grant")
    async with request.app.state.db.transaction() as tx:
        if not await grants.end_one(tx, session.account.id, grant, now):
            raise NotFound("app.unknown")
        await audit.record(
            tx, actor=session.actor, act="app.withdraw", at=now, resource=f"grant/{grant}"
        )
    return see_other("/account", flash="app.ended", kind="info")
