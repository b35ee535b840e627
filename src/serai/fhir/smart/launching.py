"""Opening an app from a patient's chart (SMART App Launch §2.0.8, EHR launch)."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serai.fhir.smart import addresses
from serai.fhir.smart.people import person
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, NotFound
from serai.platform import audit
from serai.platform.auth.apps import registry, requests
from serai.platform.auth.apps.registry import App
from serai.platform.db import Connection
from serai.web.authentication import from_this_site, require_session, require_staff

PATH = "/apps/{app}/open"


def routes() -> list[Route]:
    return [Route(PATH, open_app, methods=["GET"])]


async def apps_for(c: Connection, actor: Actor) -> list[App]:
    """What the chart offers to open."""
    return await registry.launchable(c, actor.organisation)


async def open_app(request: Request) -> Response:
    """To the app, with a launch that only this person's answer can turn into access."""
    actor, session, now = require_staff(request), require_session(request), utc_now()
    if not from_this_site(request):
        raise Forbidden("form.foreign")
    async with request.app.state.db.transaction() as tx:
        offered = {app.id: app for app in await apps_for(tx, actor)}
        app = offered.get(request.path_params["app"])
        if app is None or app.launch_uri is None:
            raise NotFound("app.unknown")
        about = await person(request, tx, actor, request.query_params.get("patient", ""))
        secret = await requests.launch(tx, app.id, session.account.id, about.id, now)
        await audit.record(
            tx, actor=actor, act="app.open", at=now, resource=f"app/{app.id}", patients=[about.id]
        )
    query = urlencode({"iss": addresses.base_of(request), "launch": secret})
    joint = "&" if "?" in app.launch_uri else "?"
    return RedirectResponse(f"{app.launch_uri}{joint}{query}", status_code=303)
