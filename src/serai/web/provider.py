"""Signing in at the organisation's own identity provider, and saying who one is there.

Nobody is let in for a name or an e-mail address that a provider tells: an account is linked to a
subject there by its own holder, signed in here, or by an administrator.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, Unauthenticated
from serai.platform import addresses, audit
from serai.platform.auth import factors, providers, relying
from serai.platform.auth.accounts import KNOCKS, Account, read_account
from serai.platform.auth.freshness import require_fresh
from serai.platform.auth.providers import Provider, Visit
from serai.platform.auth.relying import Said, Way
from serai.platform.auth.sessions import Came, Session, open_session, prove
from serai.platform.db import Connection, Database
from serai.web.authentication import from_this_site, require_session, signed
from serai.web.forms import parse_form
from serai.web.rendering import see_other
from serai.web.signin import address_of, keep_secret, news_for, next_step, safe_path

PATH = "/signin/with/{provider}"
COOKIE = "serai_provider"
# Clocks of the two servers.
APART = timedelta(seconds=30)


def routes() -> list[Route]:
    return [
        Route(PATH, there, methods=["GET"]),
        Route(PATH + "/back", back, methods=["GET"]),
        Route("/account/providers/{provider}/link", link, methods=["GET"]),
        Route("/account/providers/{provider}/unlink", unlink, methods=["POST"]),
    ]


async def there(request: Request) -> Response:
    """To the provider's own sign-in; `again` for a fresh proof of who is signed in already."""
    wanted = safe_path(request.query_params.get("next", "/"))
    afresh = request.query_params.get("again") == "1"
    return await _led_there(request, Visit(None, afresh, wanted, utc_now()))


async def link(request: Request) -> Response:
    """The holder of an account, with a fresh proof, says who they are at the provider."""
    session, now = require_session(request), utc_now()
    require_fresh(session.actor, now)
    if not from_this_site(request):
        raise Forbidden("form.foreign")
    return await _led_there(
        request, Visit(session.account.id, afresh=True, back="/account", begun_at=now)
    )


async def unlink(request: Request) -> Response:
    session, now = require_session(request), utc_now()
    await parse_form(request)
    require_fresh(session.actor, now)
    async with request.app.state.db.transaction() as tx:
        await providers.unlink(tx, request.path_params["provider"], session.account.id)
        await audit.record(tx, actor=session.actor, act="provider.unlink", at=now)
    return see_other("/account", flash="provider.unlinked", kind="info")


async def back(request: Request) -> Response:
    """From the provider, with a code; nothing is believed that this browser did not ask."""
    now, db = utc_now(), request.app.state.db
    try:
        provider, visit, way = await _visit(request, db, now)
        facts = await relying.facts_of(provider, way.allowed, now)
        code = relying.require_own_answer(way, facts, dict(request.query_params))
        keys = request.app.state.keys
        said = await relying.redeemed(way, facts, code, keys=keys, now=now)
        _require_fresh(visit, said)
        return await _welcome(request, provider, visit, said, now)
    except Unauthenticated:
        await _note_refusal(db, request.path_params["provider"], now)
        response = see_other("/signin", flash="provider.refused", kind="danger")
        response.delete_cookie(COOKIE, path="/signin/with")
        return response


def _require_fresh(visit: Visit, said: Said) -> None:
    if visit.afresh and said.proved_at < visit.begun_at - APART:
        raise Unauthenticated("provider.refused")


async def _led_there(request: Request, visit: Visit) -> Response:
    db: Database = request.app.state.db
    async with db.connection() as c:
        provider = await providers.find(c, request.path_params["provider"])
    allowed = addresses.hosts(request.app.state.settings.identity_hosts)
    facts = await relying.facts_of(provider, allowed, visit.begun_at)
    async with db.transaction() as tx:
        secret = await providers.begin(tx, provider, visit)
    way = Way(provider, _redirect_uri(request, provider), allowed, secret)
    address = relying.address_there(way, facts, afresh=visit.afresh)
    response = RedirectResponse(address, status_code=303)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(providers.BACK_WITHIN.total_seconds()),
        path="/signin/with",
        httponly=True,
        samesite="lax",
        secure=way.redirect_uri.startswith("https:"),
    )
    return response


async def _visit(request: Request, db: Database, now: datetime) -> tuple[Provider, Visit, Way]:
    secret = request.cookies.get(COOKIE, "")
    async with db.transaction() as tx:
        provider = await providers.find(tx, request.path_params["provider"])
        visit = await providers.end(tx, provider, secret, now)
    if visit is None:
        raise Unauthenticated("provider.refused")
    allowed = addresses.hosts(request.app.state.settings.identity_hosts)
    return provider, visit, Way(provider, _redirect_uri(request, provider), allowed, secret)


async def _welcome(
    request: Request, provider: Provider, visit: Visit, said: Said, now: datetime
) -> Response:
    """Linked, proved once more, or signed in."""
    session = signed(request).session
    proved_by = "provider-two" if said.two_factors else "provider"
    async with request.app.state.db.transaction() as tx:
        if visit.account is not None:
            return await _linked(tx, provider, visit, said, session, now)
        account = await providers.holder(tx, provider, said.subject)
        if account is None:
            raise Unauthenticated("provider.refused")
        awaits = None if said.two_factors else await factors.awaited(tx, account.id)
        if visit.afresh and session is not None and session.account.id == account.id:
            secret = await _proved(tx, session, proved_by, now, awaits=awaits)
            opened = session
        else:
            came = Came(
                proved_by,
                awaits,
                address_of(request),
                request.headers.get("user-agent", ""),
                said.proved_at,
            )
            secret, opened = await open_session(tx, account.id, now, came)
            await audit.record(tx, actor=opened.actor, act="session.open", at=now)
        news = None if awaits else await news_for(tx, account.id)
    response = see_other(next_step(opened, visit.back), flash=news, kind="warning")
    response.delete_cookie(COOKIE, path="/signin/with")
    keep_secret(request, response, secret)
    return response


async def _proved(
    tx: Connection, session: Session, proved_by: str, now: datetime, *, awaits: str | None
) -> str:
    """Who has a second factor here proves oneself with it, unless the provider asked for two."""
    if awaits == "factor":
        raise Unauthenticated("provider.refused")
    await audit.record(tx, actor=session.actor, act="session.prove", at=now)
    return await prove(tx, session, proved_by, now)


async def _linked(
    tx: Connection,
    provider: Provider,
    visit: Visit,
    said: Said,
    session: Session | None,
    now: datetime,
) -> Response:
    if session is None or session.awaits is not None or session.account.id != visit.account:
        raise Unauthenticated("provider.refused")
    account: Account = await read_account(tx, session.account.id)
    await providers.link(tx, provider, said.subject, account, now)
    await audit.record(
        tx, actor=session.actor, act="provider.link", at=now, resource=f"provider/{provider.id}"
    )
    return see_other("/account", flash="provider.linked")


def _redirect_uri(request: Request, provider: Provider) -> str:
    public: str = request.app.state.settings.public_url
    return f"{public}{PATH.replace('{provider}', quote(provider.id))}/back"


async def _note_refusal(db: Database, provider: str, now: datetime) -> None:
    async with db.transaction() as tx:
        await audit.record(
            tx, actor=KNOCKS, act="session.refuse", at=now,
            resource=f"provider/{provider[:80]}", outcome="refused",
        )  # fmt: skip
