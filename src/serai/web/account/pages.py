"""The account's first page: who one is here, what happened, where one is signed in."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serai.kernel.clock import utc_now
from serai.kernel.errors import Invalid
from serai.platform import audit
from serai.platform.auth import factors, notices, providers, sessions
from serai.platform.auth.apps import grants
from serai.platform.auth.places import places_of
from serai.web.account import apps, passwords, secondfactors
from serai.web.account.devices import device
from serai.web.authentication import require_session
from serai.web.forms import parse_form
from serai.web.rendering import render, see_other
from serai.web.scopes import lines

PATH = "/account"


def routes() -> list[Route]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(PATH + "/sessions/close", close_session, methods=["POST"]),
        Route(PATH + "/sessions/close-others", close_others, methods=["POST"]),
        Route(PATH + "/place", choose_place, methods=["POST"]),
        *apps.routes(),
        *passwords.routes(),
        *secondfactors.routes(),
    ]


async def show(request: Request) -> Response:
    session, now = require_session(request), utc_now()
    async with request.app.state.db.transaction() as tx:
        facts: dict[str, Any] = {
            "held": await factors.held(tx, session.account.id),
            "notices": await notices.latest(tx, session.account.id),
            "sessions": await sessions.sessions_of(tx, session.account.id, now),
            "places": await places_of(tx, session.account.id),
            "providers": await providers.choices(tx, session.account),
            "apps": await grants.of_account(tx, session.account.id, now),
        }
        await notices.seen(tx, session.account.id, now)
    return render(
        request, "web/account/show.html", session=session, device=device, lines=lines, **facts
    )


async def close_session(request: Request) -> Response:
    session, form, now = require_session(request), await parse_form(request), utc_now()
    async with request.app.state.db.transaction() as tx:
        await sessions.close_one(tx, session.account.id, form.text("session"), now)
        await audit.record(tx, actor=session.actor, act="session.revoke", at=now)
    return see_other(PATH, flash="session.closed")


async def close_others(request: Request) -> Response:
    session, now = require_session(request), utc_now()
    await parse_form(request)
    async with request.app.state.db.transaction() as tx:
        await sessions.close_others(tx, session, now)
        await audit.record(tx, actor=session.actor, act="session.revoke", at=now)
    return see_other(PATH, flash="session.closed")


async def choose_place(request: Request) -> Response:
    """Act for another organisation where one works, in the role one has there."""
    session, form, now = require_session(request), await parse_form(request), utc_now()
    async with request.app.state.db.transaction() as tx:
        places = {place.key: place for place in await places_of(tx, session.account.id)}
        chosen = places.get(form.text("place"))
        if chosen is None:
            raise Invalid("account.no-place")
        place = None if chosen.first else (chosen.organisation, chosen.role)
        awaits = await factors.awaited(tx, session.account.id)
        await sessions.act_for(tx, session, place, awaits=awaits)
        await audit.record(
            tx, actor=session.actor, act="session.place", at=now, resource=f"place/{chosen.key}"
        )
    return see_other("/", flash="account.place-set")
