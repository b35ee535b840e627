"""The links of a study: made, listed with what became of them, revoked."""

from __future__ import annotations

from datetime import timedelta

import segno
from starlette.requests import Request
from starlette.responses import Response

from serai.care.sharing import actions
from serai.care.sharing.actions import Made, Sharing
from serai.care.sharing.model import CLINICIANS, MOST_VIEWS, Purpose, State, Wanted
from serai.care.sharing.pages.words import DAYS, EVENTS, PURPOSES, STATES, TONES
from serai.kernel.clock import utc_now
from serai.web.authentication import require_staff
from serai.web.forms import Form, parse_form
from serai.web.languages import gettext
from serai.web.rendering import render, see_other

OPTIONS = ("hides_name", "passcode", "download")


async def show(request: Request) -> Response:
    return await _page(request, _usual())


async def make(request: Request) -> Response:
    """The address and the passcode are on this one page and on no other."""
    actor = require_staff(request, *CLINICIANS)
    form = await parse_form(request)
    wanted = _wanted(form)
    if wanted is None:
        return await _page(request, form, status=422)
    study = request.path_params["study"]
    made = await actions.make(_sharing(request), study, wanted, actor=actor, now=utc_now())
    return await _page(request, _usual(), made=made)


async def revoke(request: Request) -> Response:
    actor = require_staff(request, *CLINICIANS)
    await parse_form(request)
    study, link = request.path_params["study"], request.path_params["link"]
    await actions.revoke(_sharing(request), study, link, actor=actor, now=utc_now())
    return see_other(f"/studies/{study}/sharing", flash="sharing.revoked")


async def _page(
    request: Request, form: Form, *, made: Made | None = None, status: int = 200
) -> Response:
    actor = require_staff(request, *CLINICIANS)
    study = request.path_params["study"]
    overview = await actions.overview(_sharing(request), study, actor=actor)
    address = f"{_origin(request)}/link/{made.secret}" if made else ""
    return render(
        request,
        "care/sharing/links.html",
        status=status,
        study=overview.study,
        links=overview.links,
        now=utc_now(),
        form=form,
        made=made,
        address=address,
        drawn=segno.make(address, error="m").svg_data_uri(scale=5) if made else "",
        purposes=[(purpose.value, gettext(text)) for purpose, text in PURPOSES.items()],
        days=[(days, gettext(text)) for days, text in DAYS.items()],
        purpose_of=PURPOSES,
        state_of=STATES,
        tone_of=TONES,
        event_of=EVENTS,
        ended=(State.REVOKED, State.EXPIRED),
    )


def _usual() -> Form:
    return Form.blank(purpose="patient", days="7", options=["passcode"])


def _wanted(form: Form) -> Wanted | None:
    purpose = form.choice("purpose", [one.value for one in Purpose])
    days = form.choice("days", list(DAYS))
    views = form.text("most_views", longest=4)
    if views and not (views.isascii() and views.isdigit() and 0 < int(views) <= MOST_VIEWS):
        form.refuse("most_views", "sharing.not-a-number")
    chosen = form.list("options")
    if any(one not in OPTIONS for one in chosen):
        form.refuse("options", "form.not-a-choice")
    if form.errors:
        return None
    return Wanted(
        purpose=Purpose(purpose),
        lasts=timedelta(days=int(days)),
        hides_name="hides_name" in chosen,
        passcode="passcode" in chosen,
        download="download" in chosen,
        most_views=int(views) if views else None,
    )


def _sharing(request: Request) -> Sharing:
    return Sharing(request.app.state.db)


def _origin(request: Request) -> str:
    """The address by which people reach us: a phone scans it from the screen."""
    settings = request.app.state.settings
    return str(settings.base_url or request.base_url).rstrip("/")
