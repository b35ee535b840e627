"""Setting up and removing what one proves oneself with: an app, passkeys, recovery codes.

Whoever finds a screen left open must not be able to add a factor of their own, so each change
asks for a fresh proof.
"""

from __future__ import annotations

from typing import Any

import segno
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serai.kernel.clock import utc_now
from serai.kernel.errors import Conflict, Invalid, NotFound
from serai.platform import audit
from serai.platform.auth import factors, notices, passkeys, policy, recovery, sessions, totp
from serai.platform.auth.freshness import require_fresh
from serai.platform.auth.sessions import Session
from serai.platform.db import Connection
from serai.web.authentication import require_session
from serai.web.forms import Form, parse_form, require_header_secret
from serai.web.proving import json_of, require_site, told
from serai.web.rendering import render, see_other
from serai.web.signin import address_of, site_of

PATH = "/account/factors"
LONGEST_NAME = 60


def routes() -> list[Route]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(PATH + "/totp", begin_totp, methods=["POST"]),
        Route(PATH + "/totp", show_totp, methods=["GET"]),
        Route(PATH + "/totp/confirm", confirm_totp, methods=["POST"]),
        Route(PATH + "/totp/remove", remove_totp, methods=["POST"]),
        Route(PATH + "/passkeys/question", ask_for_passkey, methods=["POST"]),
        Route(PATH + "/passkeys", add_passkey, methods=["POST"]),
        Route(PATH + "/passkeys/remove", remove_passkey, methods=["POST"]),
        Route(PATH + "/codes", new_codes, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    session = require_session(request)
    async with request.app.state.db.connection() as c:
        held = await factors.held(c, session.account.id)
        keys = await passkeys.passkeys_of(c, session.account.id)
        needed = await policy.needs_two_factors(c, session.account.id)
    return render(
        request,
        "web/account/factors.html",
        held=held,
        passkeys=keys,
        needed=needed,
        enrolling=session.awaits == "enrolment",
        possible=site_of(request) is not None,
    )


async def begin_totp(request: Request) -> Response:
    session = await _fresh(request)
    await parse_form(request)
    async with request.app.state.db.transaction() as tx:
        await totp.begin(tx, session.account.id, keys=request.app.state.keys, now=utc_now())
    return see_other(PATH + "/totp")


async def show_totp(request: Request) -> Response:
    return await _totp_page(request, await _fresh(request), Form.blank())


async def confirm_totp(request: Request) -> Response:
    session, form, now = await _fresh(request), await parse_form(request), utc_now()
    code = form.text("code", required=True, longest=20)
    if not form.errors:
        try:
            async with request.app.state.db.transaction() as tx:
                await totp.confirm(
                    tx, session.account.id, code, keys=request.app.state.keys, now=now
                )
                await _added(tx, request, session)
        except Invalid as error:
            form.refuse("code", error.key)
    if form.errors:
        return await _totp_page(request, session, form, status=422)
    return see_other(PATH, flash="factor.added")


async def remove_totp(request: Request) -> Response:
    session = await _fresh(request)
    await parse_form(request)
    async with request.app.state.db.transaction() as tx:
        await totp.remove(tx, session.account.id)
        await _removed(tx, request, session)
    return see_other(PATH, flash="factor.removed", kind="info")


async def ask_for_passkey(request: Request) -> Response:
    require_header_secret(request)
    session, site = await _fresh(request), require_site(request)
    async with request.app.state.db.transaction() as tx:
        asked = await passkeys.registration(tx, session.account, site=site, now=utc_now())
    return Response(asked, media_type="application/json")


async def add_passkey(request: Request) -> Response:
    session, site, now = await _fresh(request), require_site(request), utc_now()
    answer = await json_of(request)
    name = str(answer.get("name", "")).strip()[:LONGEST_NAME] or now.date().isoformat()
    credential: Any = answer.get("credential")
    try:
        async with request.app.state.db.transaction() as tx:
            await passkeys.add(tx, session.account, credential, name=name, site=site, now=now)
            await _added(tx, request, session)
    except (Invalid, Conflict) as refusal:
        return told(refusal)
    return JSONResponse({"to": PATH})


async def remove_passkey(request: Request) -> Response:
    session, form = await _fresh(request), await parse_form(request)
    async with request.app.state.db.transaction() as tx:
        await passkeys.remove(tx, session.account.id, form.text("passkey"))
        await _removed(tx, request, session)
    return see_other(PATH, flash="factor.removed", kind="info")


async def new_codes(request: Request) -> Response:
    """Shown in the answer and nowhere else; the earlier ones hold no longer."""
    session = await _fresh(request)
    await parse_form(request)
    async with request.app.state.db.transaction() as tx:
        if not (await factors.held(tx, session.account.id)).any:
            raise NotFound("passkey.unknown")
        codes = await recovery.new_codes(tx, session.account.id)
        await _audited(tx, session, "factor.codes")
    return render(request, "web/account/codes.html", codes=codes)


async def _fresh(request: Request) -> Session:
    session = require_session(request)
    require_fresh(session.actor, utc_now())
    return session


async def _added(tx: Connection, request: Request, session: Session) -> None:
    await sessions.enrolled(tx, session)
    await _audited(tx, session, "factor.add")
    where = address_of(request)
    await notices.tell(tx, session.account.id, "factor-added", at=utc_now(), address=where)


async def _removed(tx: Connection, request: Request, session: Session) -> None:
    """Conflict when it was the last and the role needs one."""
    account = session.account.id
    if not (await factors.held(tx, account)).any:
        if await policy.needs_two_factors(tx, account):
            raise Conflict("factor.last")
        await recovery.forget(tx, account)
    await _audited(tx, session, "factor.remove")
    where = address_of(request)
    await notices.tell(tx, account, "factor-removed", at=utc_now(), address=where)


async def _audited(tx: Connection, session: Session, act: str) -> None:
    resource = f"account/{session.account.id}"
    await audit.record(tx, actor=session.actor, act=act, at=utc_now(), resource=resource)


async def _totp_page(
    request: Request, session: Session, form: Form, *, status: int = 200
) -> Response:
    async with request.app.state.db.connection() as c:
        secret = await totp.waiting(c, session.account.id, keys=request.app.state.keys)
    if secret is None:
        return see_other(PATH)
    picture = segno.make(totp.address(secret, session.account.login), error="m")
    return render(
        request,
        "web/account/totp.html",
        status=status,
        form=form,
        picture=picture.png_data_uri(scale=5, border=2),
        secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
    )
