"""The second step of a sign-in, and proving once more who one is: a code, or a passkey.

A passkey also signs in by itself: it is something one has, opened by finger, face or PIN.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from serai.kernel.clock import utc_now
from serai.kernel.errors import (
    Forbidden,
    Malformed,
    RateLimited,
    SeraiError,
    TooLarge,
    Unauthenticated,
    Unsupported,
)
from serai.platform import audit
from serai.platform.auth import accounts, factors, notices, passkeys, providers, recovery, throttle
from serai.platform.auth.passkeys import Site
from serai.platform.auth.sessions import Came, Session, open_session, prove
from serai.platform.db import Connection, Database
from serai.web import wording
from serai.web.authentication import from_this_site, require_session, signed
from serai.web.forms import Form, parse_form, require_header_secret
from serai.web.rendering import render, see_other
from serai.web.signin import address_of, keep_secret, news_for, safe_path, site_of

LARGEST_ANSWER = 64 * 1024


def routes() -> list[Route]:
    return [
        Route("/signin/second", show_second, methods=["GET"]),
        Route("/signin/second", prove_with_code, methods=["POST"]),
        Route("/signin/again", show_again, methods=["GET"]),
        Route("/signin/again", prove_again, methods=["POST"]),
        Route("/signin/passkey/question", ask_for_passkey, methods=["POST"]),
        Route("/signin/passkey", answer_with_passkey, methods=["POST"]),
    ]


async def show_second(request: Request) -> Response:
    session = require_session(request)
    back = safe_path(request.query_params.get("next", "/"))
    if session.awaits != "factor":
        return RedirectResponse(back, status_code=303)
    return await _show(request, session, Form.blank(next=back))


async def show_again(request: Request) -> Response:
    """For an act that asks for a fresh proof."""
    back = safe_path(request.query_params.get("next", "/"))
    return await _show(request, require_session(request), Form.blank(next=back))


async def prove_with_code(request: Request) -> Response:
    session, form = require_session(request), await parse_form(request)
    code = form.text("code", required=True, longest=100)
    if form.errors:
        return await _show(request, session, form, status=422)
    try:
        secret = await _proved_by_code(request, session, code)
    except (Unauthenticated, RateLimited) as refusal:
        return await _refused(request, session, form, refusal)
    return await _on(request, session, secret, form)


async def prove_again(request: Request) -> Response:
    """By the second factor, or by the password where there is none."""
    session = require_session(request)
    db: Database = request.app.state.db
    async with db.connection() as c:
        second = (await factors.held(c, session.account.id)).any
    if second:
        return await prove_with_code(request)
    form = await parse_form(request)
    try:
        secret = await _proved_by_password(request, session, form.value("password"))
    except (Unauthenticated, RateLimited) as refusal:
        return await _refused(request, session, form, refusal)
    return await _on(request, session, secret, form)


async def ask_for_passkey(request: Request) -> Response:
    """Of the account whose session it is; without a session, of whoever holds one of ours."""
    site, session = require_site(request), signed(request).session
    account = session.account.id if session else None
    async with request.app.state.db.transaction() as tx:
        asked = await passkeys.question(tx, account, site=site, now=utc_now())
    return Response(asked, media_type="application/json")


async def answer_with_passkey(request: Request) -> Response:
    site, session = require_site(request), signed(request).session
    answer = await json_of(request)
    back = safe_path(str(answer.get("next", "/")))
    try:
        secret = await _by_passkey(request, session, site, answer.get("credential"))
    except (Unauthenticated, RateLimited) as refusal:
        return told(refusal)
    response = JSONResponse({"to": back})
    keep_secret(request, response, secret)
    return response


def require_site(request: Request) -> Site:
    """Unsupported under an address that passkeys do not know."""
    if not from_this_site(request):
        raise Forbidden("form.foreign")
    site = site_of(request)
    if site is None:
        raise Unsupported("passkey.no-site")
    return site


async def json_of(request: Request) -> dict[str, Any]:
    """A small object that a script of ours sent."""
    require_header_secret(request)
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_ANSWER:
            raise TooLarge("form.too-large")
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Malformed("form.unreadable") from error


def told(refusal: SeraiError) -> Response:
    """A refusal for our script, in the reader's words."""
    text = worded(refusal)
    status = 429 if isinstance(refusal, RateLimited) else 401
    return JSONResponse({"error": text}, status)


def worded(refusal: SeraiError) -> str:
    if isinstance(refusal, RateLimited):
        refusal.details["minutes"] = -(-int(refusal.details.get("seconds", 60)) // 60)
    return wording.error_text(refusal)


async def _proved_by_code(request: Request, session: Session, code: str) -> str:
    """The session's new secret; guessing codes is braked like guessing passwords."""
    db: Database = request.app.state.db
    now, account = utc_now(), session.account
    tried = throttle.knock(factors.knocks_as(account.id), address_of(request))
    await throttle.count_try(db, tried, now)
    keys = request.app.state.keys
    async with db.transaction() as tx:
        proof = await factors.proved_by(tx, account.id, code, keys=keys, now=now)
        act, outcome = ("session.prove", "success") if proof else ("factor.refuse", "refused")
        await audit.record(tx, actor=session.actor, act=act, at=now, outcome=outcome)
        if proof:
            await throttle.forgive(tx, tried, now)
            if proof == "recovery":
                await _tell_of_recovery(tx, account.id, request)
            return await prove(tx, session, proof, now)
    raise Unauthenticated("factor.code-wrong")


async def _tell_of_recovery(tx: Connection, account_id: str, request: Request) -> None:
    left = await recovery.left(tx, account_id)
    where = address_of(request)
    await notices.tell(tx, account_id, "recovery-used", at=utc_now(), count=left, address=where)


async def _proved_by_password(request: Request, session: Session, password: str) -> str:
    db: Database = request.app.state.db
    now = utc_now()
    await accounts.confirm_password(
        db, session.account, password, address=address_of(request), now=now
    )
    async with db.transaction() as tx:
        await audit.record(tx, actor=session.actor, act="session.prove", at=now)
        return await prove(tx, session, "password", now)


async def _by_passkey(
    request: Request, session: Session | None, site: Site, credential: Any
) -> str:
    if not isinstance(credential, dict):
        raise Unauthenticated("passkey.refused")
    db: Database = request.app.state.db
    now, where = utc_now(), address_of(request)
    account = session.account.id if session else None
    async with db.transaction() as tx:
        holder = await passkeys.answered(tx, credential, account, site=site, now=now)
        if session:
            await audit.record(tx, actor=session.actor, act="session.prove", at=now)
            return await prove(tx, session, "passkey", now)
        came = Came("passkey", address=where, agent=request.headers.get("user-agent", ""))
        secret, opened = await open_session(tx, holder.id, now, came)
        await audit.record(tx, actor=opened.actor, act="session.open", at=now)
    return secret


async def _show(
    request: Request,
    session: Session,
    form: Form,
    *,
    status: int = 200,
    refusal: SeraiError | None = None,
) -> Response:
    async with request.app.state.db.connection() as c:
        held = await factors.held(c, session.account.id)
        choices = await providers.choices(c, session.account)
    return render(
        request,
        "web/account/prove.html",
        status=status,
        form=form,
        held=held,
        providers=choices,
        again=session.awaits is None,
        passkeys=held.passkeys > 0 and site_of(request) is not None,
        refusal=refusal,
    )


async def _refused(
    request: Request, session: Session, form: Form, refusal: Unauthenticated | RateLimited
) -> Response:
    worded(refusal)
    status = 429 if isinstance(refusal, RateLimited) else 401
    response = await _show(request, session, form, status=status, refusal=refusal)
    if isinstance(refusal, RateLimited):
        response.headers["Retry-After"] = str(refusal.details["seconds"])
    return response


async def _on(request: Request, session: Session, secret: str, form: Form) -> Response:
    async with request.app.state.db.connection() as c:
        news = await news_for(c, session.account.id)
    response = see_other(safe_path(form.value("next") or "/"), flash=news, kind="warning")
    keep_secret(request, response, secret)
    return response
