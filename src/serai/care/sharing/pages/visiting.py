"""What a link opens: a page that says what it is, then the study. No account is needed."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from serai.care import chart
from serai.care.sharing import actions
from serai.care.sharing.actions import Sharing
from serai.care.sharing.model import Link
from serai.care.sharing.pages import cookie, guests
from serai.care.sharing.pages.cookie import address_of, browser_of
from serai.care.sharing.pages.words import PURPOSES
from serai.kernel.clock import utc_now
from serai.kernel.errors import Forbidden, NotFound, RateLimited, SeraiError
from serai.web import wording
from serai.web.forms import Form, parse_form
from serai.web.rendering import render

VIEWER = "/link/viewer"
# The secret is in the address: no other page, no search engine and no cache learns it.
SILENT = {
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Cache-Control": "private, no-store",
}


async def show(request: Request) -> Response:
    """Who gives what to whom and until when; nothing about the patient."""
    sharing, secret, now = _sharing(request), request.path_params["secret"], utc_now()
    before = await actions.opened_before(sharing, secret, browser_of(request), now=now)
    if before:
        return _silent(RedirectResponse(f"/link/opened/{before.id}", status_code=303))
    link = await actions.look(sharing, secret, now=now)
    return await _door(request, link, Form.blank())


async def enter(request: Request) -> Response:
    sharing, secret, now = _sharing(request), request.path_params["secret"], utc_now()
    form = await parse_form(request)
    try:
        link, browser = await actions.enter(
            sharing,
            secret,
            form.text("passcode", longest=20),
            address=address_of(request),
            before=browser_of(request),
            now=now,
        )
    except (Forbidden, RateLimited) as refusal:
        link = await actions.look(sharing, secret, now=now)
        return await _door(request, link, form, refusal)
    response = RedirectResponse(f"/link/opened/{link.id}", status_code=303)
    cookie.put(response, request, browser)
    return _silent(response)


async def study(request: Request) -> Response:
    """The study behind an opened link."""
    sharing, link = _sharing(request), await _opened(request)
    shown = await actions.opened(sharing, link, address=address_of(request))
    response = render(
        request,
        "care/sharing/study.html",
        link=link,
        study=shown,
        viewer=f"{VIEWER}/viewer",
        given_by=await _given_by(request, link),
    )
    return _silent(response)


async def download(request: Request) -> Response:
    return _silent(await guests.archive(_sharing(request), await _opened(request), request))


async def admit(request: Request) -> None:
    """The viewer's files are for browsers that have opened a link."""
    await actions.visits(_sharing(request), browser_of(request), now=utc_now())


async def _door(
    request: Request, link: Link, form: Form, refusal: SeraiError | None = None
) -> Response:
    response = render(
        request,
        "care/sharing/door.html",
        status=(429 if isinstance(refusal, RateLimited) else 403) if refusal else 200,
        link=link,
        purpose=PURPOSES[link.purpose],
        given_by=await _given_by(request, link),
        form=form,
        secret=request.path_params["secret"],
        refusal=wording.text(refusal.key, refusal.details) if refusal else "",
    )
    if isinstance(refusal, RateLimited):
        response.headers["Retry-After"] = str(refusal.details["seconds"])
    return _silent(response)


async def _opened(request: Request) -> Link:
    links = await actions.visits(_sharing(request), browser_of(request), now=utc_now())
    wanted = request.path_params["link"]
    found = next((link for link in links if link.id == wanted), None)
    if found is None:
        raise NotFound("sharing.no-such-link")
    return found


async def _given_by(request: Request, link: Link) -> str:
    state = request.app.state
    async with state.db.connection() as c:
        return await chart.organisation_name(state.fhir, c, link.organisation)


def _silent(response: Response) -> Response:
    response.headers.update(SILENT)
    return response


def _sharing(request: Request) -> Sharing:
    return Sharing(request.app.state.db)
