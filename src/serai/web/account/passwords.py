"""Choosing a new password: with the present one, or with a link from an administrator."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serai.kernel.clock import utc_now
from serai.kernel.errors import Invalid, RateLimited, Unauthenticated
from serai.platform import audit
from serai.platform.auth import accounts, links, notices
from serai.platform.auth.accounts import Account
from serai.platform.db import Database
from serai.web.authentication import SESSION_COOKIE, require_session
from serai.web.forms import Form, parse_form
from serai.web.proving import worded
from serai.web.rendering import render, see_other
from serai.web.signin import address_of

PATH = "/account/password"
# Under /link, because what is there holds a secret and is kept out of every log.
LINK_PATH = "/link/password/{secret}"


def link_address(public_url: str, secret: str) -> str:
    """What an administrator hands to the person."""
    return public_url + LINK_PATH.replace("{secret}", secret)


def routes() -> list[Route]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(PATH, change, methods=["POST"]),
        Route(LINK_PATH, show_link, methods=["GET"]),
        Route(LINK_PATH, use_link, methods=["POST"]),
    ]


async def show(request: Request) -> Response:
    require_session(request)
    return _page(request, Form.blank())


async def change(request: Request) -> Response:
    session, form = require_session(request), await parse_form(request)
    new = _wanted(form)
    db: Database = request.app.state.db
    if not form.value("password"):
        form.refuse("password", "form.missing")
    if form.errors:
        return _page(request, form, status=422)
    try:
        await accounts.confirm_password(
            db,
            session.account,
            form.value("password"),
            address=address_of(request),
            now=utc_now(),
        )
    except Unauthenticated:
        form.refuse("password", "account.password-wrong")
        return _page(request, form, status=422)
    except RateLimited as refusal:
        worded(refusal)
        form.refuse("password", refusal.key, **refusal.details)
        return _page(request, form, status=429)
    return await _set(request, session.account, new, form, link=None)


async def show_link(request: Request) -> Response:
    account = await _holder(request)
    return _page(request, Form.blank(), link=request.path_params["secret"], login=account.login)


async def use_link(request: Request) -> Response:
    account, form = await _holder(request), await parse_form(request)
    new, link = _wanted(form), request.path_params["secret"]
    if form.errors:
        return _page(request, form, status=422, link=link, login=account.login)
    return await _set(request, account, new, form, link=link)


async def _holder(request: Request) -> Account:
    async with request.app.state.db.connection() as c:
        return await links.holder(c, request.path_params["secret"], utc_now())


def _wanted(form: Form) -> str:
    new = form.value("new")
    if not new:
        form.refuse("new", "form.missing")
    elif new != form.value("repeated"):
        form.refuse("repeated", "account.passwords-differ")
    return new


async def _set(
    request: Request, account: Account, new: str, form: Form, *, link: str | None
) -> Response:
    """Every session ends, this one too: whoever knew the old password is out."""
    now = utc_now()
    try:
        async with request.app.state.db.transaction() as tx:
            if link is not None:
                # Whoever comes second with the same link finds it used.
                account = await links.holder(tx, link, now)
            await links.void(tx, account.id, now)
            await accounts.change_password(tx, account, new, now)
            await notices.tell(tx, account.id, "password-set", at=now, address=address_of(request))
            resource = f"account/{account.id}"
            await audit.record(
                tx, actor=account.actor, act="account.password", at=now, resource=resource
            )
    except Invalid as error:
        form.refuse("new", error.key, **error.details)
        return _page(request, form, status=422, link=link or "", login=account.login)
    response = see_other("/signin", flash="account.password-set")
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")
    return response


def _page(
    request: Request, form: Form, *, status: int = 200, link: str = "", login: str = ""
) -> Response:
    return render(
        request, "web/account/password.html", status=status, form=form, link=link, login=login
    )
