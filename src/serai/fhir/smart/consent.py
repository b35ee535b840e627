"""Where somebody chooses whose record an app is for, and what of it the app may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from serai.fhir.smart.authorize import back
from serai.fhir.smart.people import Person, candidates, person
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, NotFound
from serai.platform import audit
from serai.platform.auth import sessions
from serai.platform.auth.apps import grants, registry, requests, scoping
from serai.platform.auth.apps.grants import Allowed
from serai.platform.auth.apps.registry import App
from serai.platform.db import Connection
from serai.web.authentication import require_actor, require_session
from serai.web.forms import Form, parse_form
from serai.web.headers import CONTENT_SECURITY_POLICY
from serai.web.rendering import render
from serai.web.scopes import Line, lines


@dataclass(frozen=True, slots=True)
class Question:
    """One request of an app, in front of the person who may answer it."""

    secret: str
    asked: requests.Request
    app: App


async def ask(request: Request) -> Response:
    """The list of patients where one must be chosen, else what the app asks for."""
    actor, now = require_actor(request), utc_now()
    async with request.app.state.db.connection() as c:
        question = await _question(request, c, actor, now)
        if _is_stale(actor, question.asked):
            return RedirectResponse(f"/signin/again?next={request.url.path}", status_code=303)
        wanted = question.asked.patient or request.query_params.get("patient", "")
        if not scoping.needs_patient(question.asked.scopes) and not question.asked.patient:
            return _shown(request, actor, question, None)
        if wanted:
            return _shown(request, actor, question, await person(request, c, actor, wanted))
        words = request.query_params.get("q", "").strip()[:100]
        found = await candidates(request, c, actor, words)
        if len(found) == 1 and actor.patients:
            return _shown(request, actor, question, found[0])
    return render(
        request, "fhir/smart/choose.html", question=question, people=found, words=words,
        action=request.url.path,
    )  # fmt: skip


async def answer(request: Request) -> Response:
    """Allowed, maybe less than asked for; or not."""
    actor, session = require_actor(request), require_session(request)
    form, now = await parse_form(request), utc_now()
    async with request.app.state.db.transaction() as tx:
        question = await _question(request, tx, actor, now)
        if _is_stale(actor, question.asked):
            raise Forbidden("app.request-over")
        patient = await _patient(request, tx, actor, question, form)
        if not await requests.answered(tx, question.secret, now):
            raise NotFound("app.request-over")
        scopes = _ticked(question, form)
        if form.text("answer") != "allow" or not scopes:
            await _note(tx, actor, question, "app.deny", None, now)
            told = {"error": "access_denied", "error_description": "The person did not allow it."}
            return back(request, question.asked.redirect_uri, question.asked.state, **told)
        allowed = Allowed(
            scopes, patient, question.asked.nonce, await sessions.proved_by(tx, session.id)
        )
        grant = await grants.give(tx, question.app, session, allowed, now)
        code = await grants.new_code(
            tx, grant, question.asked.redirect_uri, question.asked.challenge, now
        )
        await _note(tx, actor, question, "app.allow", patient, now)
    return back(request, question.asked.redirect_uri, question.asked.state, code=code)


async def _question(request: Request, c: Connection, actor: Actor, now: datetime) -> Question:
    """NotFound when it is over, or is for somebody else to answer."""
    secret = request.path_params["secret"]
    asked = await requests.find(c, secret, now)
    app = await registry.usable(c, asked.app) if asked else None
    if asked is None or app is None or asked.account not in (None, actor.id):
        raise NotFound("app.request-over")
    if app.organisation not in (None, require_session(request).account.organisation):
        raise Forbidden("app.of-another-organisation")
    return Question(secret, asked, app)


def _is_stale(actor: Actor, asked: requests.Request) -> bool:
    since = asked.fresh_since
    return since is not None and (actor.proved_at is None or actor.proved_at < since)


async def _patient(
    request: Request, c: Connection, actor: Actor, question: Question, form: Form
) -> str | None:
    """Whose record it is; looked up again, whatever the form says."""
    if question.asked.patient is None and not scoping.needs_patient(question.asked.scopes):
        return None
    wanted = question.asked.patient or form.text("patient")
    return (await person(request, c, actor, wanted)).id


def _ticked(question: Question, form: Form) -> frozenset[str]:
    """What was asked, less what was unticked; words that no box stands for come along."""
    boxes = {line.scope for line in lines(question.asked.scopes)}
    return (question.asked.scopes - boxes) | (boxes & frozenset(form.list("scope")))


def _shown(request: Request, actor: Actor, question: Question, about: Person | None) -> Response:
    held = scoping.effective(question.asked.scopes, actor.scopes)
    shown: list[Line] = lines(question.asked.scopes, held=held)
    facts: dict[str, Any] = {"question": question, "person": about, "lines": shown}
    response = render(request, "fhir/smart/ask.html", action=request.url.path, **facts)
    # The answer leads to the app, and a browser counts that as sending the form there.
    there = _form_target(question.asked.redirect_uri)
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.replace(
        "form-action 'self'", f"form-action 'self' {there}"
    )
    return response


def _form_target(redirect_uri: str) -> str:
    parts = urlsplit(redirect_uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"


async def _note(
    tx: Connection,
    actor: Actor,
    question: Question,
    act: str,
    patient: str | None,
    now: datetime,
) -> None:
    await audit.record(
        tx,
        actor=actor,
        act=act,
        at=now,
        resource=f"app/{question.app.id}",
        patients=[patient] if patient else [],
        outcome="success" if act == "app.allow" else "refused",
    )
