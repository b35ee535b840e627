"""An administrator's pages about the accounts of the own organisation.

Whoever administers accounts could make himself anybody, so each change asks for a fresh proof, is
in the audit, and is told to the person.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from serai.network.staff.changing import Feed, carry_out_one
from serai.network.staff.model import Change, Person, Step
from serai.platform import audit
from serai.platform.auth import accounts, factors, links, notices, overview, policy, throttle
from serai.platform.auth.freshness import require_fresh
from serai.platform.auth.overview import Line
from serai.platform.auth.places import add_place, leave_place
from serai.platform.auth.roles import ROLES
from serai.platform.auth.sessions import close_all_sessions
from serai.platform.db import Connection
from serai.web.account.passwords import link_address
from serai.web.authentication import require_staff
from serai.web.forms import Form, parse_form
from serai.web.languages import N_
from serai.web.navigation import NavItem
from serai.web.rendering import render, see_other

PATH = "/accounts"
PER_PAGE = 100
NAVIGATION = (NavItem(N_("Accounts"), PATH, "users", roles=frozenset({"admin"})),)


def routes() -> list[Route]:
    return [
        Route(PATH, list_accounts, methods=["GET"]),
        Route(PATH, open_account, methods=["POST"]),
        Route(PATH + "/guests", invite, methods=["POST"]),
        Route(PATH + "/{id}", show_account, methods=["GET"]),
        Route(PATH + "/{id}/{act}", act_on_account, methods=["POST"]),
    ]


async def list_accounts(request: Request) -> Response:
    return await _list(request, Form.blank())


async def open_account(request: Request) -> Response:
    """The account and, shown once, the link with which its person chooses a password."""
    actor, form = _administrator(request), await parse_form(request)
    _require_fresh(actor)
    role = form.choice("role", ROLES)
    person = Person(
        login=accounts.folded(form.text("login", required=True, longest=80)),
        name=form.text("name", required=True, longest=200),
        role=role,
        organisation=_organisation(actor),
        email=form.text("email", longest=200) or None,
    )
    if form.errors:
        return await _list(request, form, status=422)
    try:
        async with request.app.state.db.transaction() as tx:
            feed = Feed(tx, request.app.state.fhir, actor, utc_now())
            account = await carry_out_one(feed, Change(Step.JOIN, None, person))
            secret = await links.issue(tx, account.id, utc_now())
    except (Invalid, Conflict) as error:
        form.refuse("login", error.key, **error.details)
        return await _list(request, form, status=422)
    return await _show(request, account.id, link=secret)


async def invite(request: Request) -> Response:
    """Somebody of another organisation works here as well, in a role of their own."""
    actor, form = _administrator(request), await parse_form(request)
    _require_fresh(actor)
    login, role = form.text("login", required=True, longest=80), form.choice("role", ROLES)
    if form.errors:
        return see_other(PATH, flash="account.unknown", kind="warning")
    async with request.app.state.db.transaction() as tx:
        account = await accounts.find_account(tx, login)
        if account.organisation == actor.organisation:
            raise Conflict("account.works-here")
        await add_place(tx, account, _organisation(actor), role)
        await _note(tx, actor, account.id, "account.invite")
    return see_other(f"{PATH}/{account.id}", flash="account.changed")


async def show_account(request: Request) -> Response:
    return await _show(request, request.path_params["id"])


async def act_on_account(request: Request) -> Response:
    actor, form = _administrator(request), await parse_form(request)
    _require_fresh(actor)
    act = ACTS.get(request.path_params["act"])
    if act is None:
        raise NotFound("account.unknown")
    secret = None
    async with request.app.state.db.transaction() as tx:
        line = await _line(tx, request, actor)
        feed = Feed(tx, request.app.state.fhir, actor, utc_now())
        secret = await act(Task(feed, line, form))
    if secret is not None:
        return await _show(request, line.account.id, link=secret)
    return see_other(f"{PATH}/{line.account.id}", flash="account.changed")


@dataclass(frozen=True, slots=True)
class Task:
    """One act of an administrator on one account."""

    feed: Feed
    line: Line
    form: Form

    @property
    def now(self) -> datetime:
        return self.feed.now

    @property
    def tx(self) -> Connection:
        return self.feed.tx


async def _issue_link(task: Task) -> str:
    account = _own(task).account
    secret = await links.issue(task.tx, account.id, task.now)
    await _noted(task, "account.link", "link-issued")
    return secret


async def _unlock(task: Task) -> None:
    account = task.line.account
    await throttle.unlock(task.tx, account.login)
    await throttle.unlock(task.tx, factors.knocks_as(account.id))
    await _noted(task, "account.unlock", "unlocked")


async def _reset_factors(task: Task) -> None:
    """Whoever lost every device; sessions end, since one of them may be the finder's."""
    account = _own(task).account
    await factors.remove_all(task.tx, account.id)
    await close_all_sessions(task.tx, account.id, task.now)
    await _noted(task, "factor.reset", "factors-reset")


async def _disable(task: Task) -> None:
    if task.line.account.id == task.feed.actor.id:
        raise Conflict("account.not-yourself")
    person = _person(_own(task))
    await carry_out_one(task.feed, Change(Step.LEAVE, person, person))


async def _enable(task: Task) -> None:
    person = _person(_own(task))
    await carry_out_one(task.feed, Change(Step.RETURN, person, person))


async def _set_role(task: Task) -> None:
    role = task.form.choice("role", ROLES)
    if not role:
        raise Invalid("form.not-a-choice")
    if task.line.account.id == task.feed.actor.id:
        raise Conflict("account.not-yourself")
    before = _person(_own(task))
    if before.role != role:
        after = replace(before, role=role)
        await carry_out_one(task.feed, Change(Step.MOVE, before, after, ("role",)))


async def _end_sessions(task: Task) -> None:
    await close_all_sessions(task.tx, task.line.account.id, task.now)
    await _note(task.tx, task.feed.actor, task.line.account.id, "session.revoke")


async def _send_away(task: Task) -> None:
    """A guest works here no more; their own organisation keeps the account."""
    line, organisation = task.line, _organisation(task.feed.actor)
    if line.guest_role is None:
        raise Conflict("account.works-here")
    await leave_place(task.tx, line.account.id, organisation, line.guest_role)
    await _note(task.tx, task.feed.actor, line.account.id, "account.send-away")


Act = Callable[[Task], Awaitable[str | None]]
ACTS: dict[str, Act] = {
    "link": _issue_link,
    "unlock": _unlock,
    "factors": _reset_factors,
    "disable": _disable,
    "enable": _enable,
    "role": _set_role,
    "sessions": _end_sessions,
    "send-away": _send_away,
}


def _own(task: Task) -> Line:
    """The account itself belongs to the first organisation's administrator alone."""
    if task.line.account.organisation != task.feed.actor.organisation:
        raise Forbidden("account.of-another-organisation")
    return task.line


def _person(line: Line) -> Person:
    account = line.account
    return Person(
        account.login,
        account.name,
        account.role,
        account.organisation,
        line.email,
        line.feed_id,
        active=account.disabled_at is None,
    )


async def _noted(task: Task, act: str, told: str) -> None:
    account = task.line.account.id
    await _note(task.tx, task.feed.actor, account, act)
    await notices.tell(task.tx, account, told, at=task.now)


async def _note(tx: Connection, actor: Actor, account_id: str, act: str) -> None:
    await audit.record(tx, actor=actor, act=act, at=utc_now(), resource=f"account/{account_id}")


async def _line(c: Connection, request: Request, actor: Actor) -> Line:
    return await overview.line(c, _organisation(actor), request.path_params["id"], utc_now())


async def _list(request: Request, form: Form, *, status: int = 200) -> Response:
    actor, words = _administrator(request), request.query_params.get("q", "").strip()[:100]
    start = _start(request.query_params.get("from", ""))
    async with request.app.state.db.connection() as c:
        found = await overview.lines(
            c, _organisation(actor), words=words, start=start, most=PER_PAGE + 1, now=utc_now()
        )
        policies = await policy.policies(c)
    return render(
        request,
        "network/staff/accounts.html",
        status=status,
        fragment="results",
        lines=found[:PER_PAGE],
        previous=_page(start - PER_PAGE, words) if start else "",
        next=_page(start + PER_PAGE, words) if len(found) > PER_PAGE else "",
        words=words,
        form=form,
        roles=ROLES,
        policies=policies,
    )


async def _show(request: Request, account_id: str, *, link: str | None = None) -> Response:
    actor = _administrator(request)
    async with request.app.state.db.connection() as c:
        line = await overview.line(c, _organisation(actor), account_id, utc_now())
    public = request.app.state.settings.public_url
    return render(
        request,
        "network/staff/account.html",
        line=line,
        own=line.account.organisation == actor.organisation,
        myself=line.account.id == actor.id,
        link=link_address(public, link) if link else None,
        form=Form.blank(role=line.account.role),
        roles=ROLES,
    )


def _administrator(request: Request) -> Actor:
    return require_staff(request, "admin")


def _require_fresh(actor: Actor) -> None:
    require_fresh(actor, utc_now())


def _organisation(actor: Actor) -> str:
    if actor.organisation is None:
        raise Forbidden("auth.role", role=actor.role)
    return actor.organisation


def _start(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 7 else 0


def _page(start: int, words: str) -> str:
    return f"{PATH}?{urlencode({'q': words, 'from': max(start, 0)})}"
