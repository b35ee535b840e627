"""An administrator's pages about the organisation's apps: list, register, revoke."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, Invalid, Malformed, NotFound
from serai.platform import audit
from serai.platform.auth.apps import registry
from serai.platform.auth.apps.registry import METHODS, App, Wanted
from serai.platform.auth.freshness import require_fresh
from serai.web.authentication import require_staff
from serai.web.forms import Form, parse_form
from serai.web.languages import N_
from serai.web.navigation import NavItem
from serai.web.rendering import render, see_other
from serai.web.scopes import lines

PATH = "/apps"
NAVIGATION = (NavItem(N_("Apps"), PATH, "link", roles=frozenset({"admin"})),)

METHOD_LABELS = {
    "none": N_("On a device or in the browser, without a secret"),
    "client_secret_basic": N_("On a server, with a secret"),
    "private_key_jwt": N_("On a server, with a key of its own"),
}


def routes() -> list[Route]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(PATH, register, methods=["POST"]),
        Route(PATH + "/{id}/revoke", revoke, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    return await _show(request, Form.blank(method="none"))


async def register(request: Request) -> Response:
    """The app and, shown once, its secret."""
    actor, form, now = _administrator(request), await parse_form(request), utc_now()
    require_fresh(actor, now)
    wanted = _wanted(form, actor)
    if form.errors or wanted is None:
        return await _show(request, form, status=422)
    try:
        async with request.app.state.db.transaction() as tx:
            app, secret = await registry.register(tx, wanted, now=now)
            await audit.record(
                tx, actor=actor, act="app.register", at=now, resource=f"app/{app.id}"
            )
    except (Invalid, Malformed) as error:
        form.refuse(_field(error), error.key, **error.details)
        return await _show(request, form, status=422)
    return await _show(request, Form.blank(method="none"), made=app, secret=secret)


async def revoke(request: Request) -> Response:
    actor, now = _administrator(request), utc_now()
    await parse_form(request)
    require_fresh(actor, now)
    id = request.path_params["id"]
    async with request.app.state.db.transaction() as tx:
        app = await registry.usable(tx, id)
        if app is None or app.organisation != actor.organisation:
            raise NotFound("app.unknown")
        await registry.revoke(tx, id, now)
        await audit.record(tx, actor=actor, act="app.end", at=now, resource=f"app/{id}")
    return see_other(PATH, flash="app.revoked", kind="info")


def _wanted(form: Form, actor: Actor) -> Wanted | None:
    method = form.choice("method", METHODS)
    keys = form.text("jwks", longest=20_000)
    jwks = None
    try:
        jwks = msgspec.json.decode(keys, type=dict[str, object]) if keys else None
    except msgspec.DecodeError:
        form.refuse("jwks", "app.keys")
    made = Wanted(
        name=form.text("name", required=True, longest=200),
        method=method,
        scopes=form.text("scopes", required=True, longest=8000),
        redirect_uris=tuple(form.text("redirects", longest=8000).split()),
        organisation=actor.organisation,
        launch_uri=form.text("launch") or None,
        jwks=jwks,
        jwks_uri=form.text("jwks_uri") or None,
    )
    return None if form.errors else made


FIELDS = {
    "app.name": "name",
    "app.method": "method",
    "app.service-needs-key": "method",
    "app.keys": "jwks",
    "app.address": "redirects",
    "app.no-redirect": "redirects",
}


def _field(error: Invalid | Malformed) -> str:
    return FIELDS.get(error.key, "scopes")


async def _show(
    request: Request,
    form: Form,
    *,
    status: int = 200,
    made: App | None = None,
    secret: str | None = None,
) -> Response:
    actor = _administrator(request)
    async with request.app.state.db.connection() as c:
        found = await registry.listed(c, actor.organisation)
    return render(
        request,
        "fhir/smart/apps.html",
        status=status,
        apps=found,
        form=form,
        methods=METHOD_LABELS,
        made=made,
        secret=secret,
        lines=lines,
    )


def _administrator(request: Request) -> Actor:
    actor = require_staff(request, "admin")
    if actor.organisation is None:
        raise Forbidden("auth.role", role=actor.role)
    return actor
