"""The screens: jobs, subscriptions, one subscription with its dead letters."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serai.fhir.upkeep import actions
from serai.fhir.upkeep.actions import Kept
from serai.fhir.upkeep.model import CANCELLABLE, PER_PAGE, RETRIABLE
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.web import wording
from serai.web.authentication import require_staff
from serai.web.forms import parse_form
from serai.web.languages import N_
from serai.web.navigation import NavItem
from serai.web.rendering import render, see_other

PATH = "/upkeep"
SUBSCRIPTIONS = PATH + "/subscriptions"
NAVIGATION = (NavItem(N_("Upkeep"), PATH, "settings", roles=frozenset({"admin"})),)

KINDS: Mapping[str, str] = {
    "export": N_("Export"),
    "import": N_("Import"),
    "reindex": N_("Indexing anew"),
    "deidentify": N_("De-identification"),
    "recall": N_("Fetching from cold storage"),
}
JOB_STATES: Mapping[str, str] = {
    "waiting": N_("Queued"),
    "running": N_("Running"),
    "done": N_("Done"),
    "failed": N_("Failed"),
    "cancelled": N_("Cancelled"),
}
STATES: Mapping[str, str] = {
    "requested": N_("Starting"),
    "active": N_("Active"),
    "error": N_("Error"),
    "off": N_("Off"),
}
TONES: Mapping[str, str] = {
    "waiting": "neutral",
    "running": "info",
    "done": "success",
    "failed": "danger",
    "cancelled": "neutral",
    "requested": "info",
    "active": "success",
    "error": "danger",
    "off": "neutral",
}

# What can end a job though it was taken. Elsewhere these keys are about other things.
BECAUSE: Mapping[str, str] = {
    "blob.missing": N_("A file that the job needs is not kept any more."),
    "bulk.token-revoked": N_("The access that asked for the job was revoked."),
    "fhir.scope": N_("The access that asked for the job does not cover %(type)s."),
    "imaging.damaged": N_("Some of the study's bytes are not those that were stored."),
    "imaging.no-cold-place": N_("No place for cold storage is set."),
    "search.too-long": N_("A filter took more than %(most)s seconds to search."),
    "search.too-many-codes": N_("A filter stands for more than %(most)s codes by now."),
    "search.unknown-parameter": N_("A filter uses %(parameter)s, which is not offered now."),
    "terminology.incomplete": N_("The codes of %(url)s are not all known here."),
    "terminology.too-costly": N_("A filter uses a value set that is too large by now."),
    "terminology.unknown-system": N_("The code system %(url)s is not known here."),
    "terminology.unknown-value-set": N_("The value set %(url)s is not known here."),
}

wording.add({f"job.because {key}": sentence for key, sentence in BECAUSE.items()})
wording.add(
    {
        "job.refused": N_("The server refused a step of the job (%(key)s)."),
        "job.broke": N_("The job broke; the server's log says why."),
        "job.gave-up": N_("The job was tried many times and given up."),
        "job.too-long": N_("The job took more than %(hours)s hours and was stopped."),
        "job.cancelled": N_("The job is cancelled."),
        "job.resumed": N_("The job goes on."),
        "job.is-over": N_("The job is over already."),
        "job.has-not-failed": N_("Only a job that failed can be tried again."),
        "job.not-found": N_("There is no such job at your organisation."),
        "subscription.switched-off": N_("The subscription is off."),
        "subscription.switched-on": N_("The subscription is on again."),
        "subscription.replayed": N_("The messages are sent again."),
        "subscription.no-access": N_("Whoever made the subscription has no access any more."),
        "subscription.no-address": N_("The name of the receiver is not known on the network."),
        "subscription.nobody-connected": N_("Nobody was connected."),
        "subscription.private-endpoint": N_("The receiver is inside the server's own network."),
        "subscription.unreadable": N_("The subscription asks for what is no longer offered."),
    }
)


def routes() -> list[Route]:
    return [
        Route(PATH, jobs, methods=["GET"]),
        Route(PATH + "/jobs/{id}/cancel", cancel, methods=["POST"]),
        Route(PATH + "/jobs/{id}/retry", retry, methods=["POST"]),
        Route(SUBSCRIPTIONS, subscriptions, methods=["GET"]),
        Route(SUBSCRIPTIONS + "/{id}", subscription, methods=["GET"]),
        Route(SUBSCRIPTIONS + "/{id}/off", switch_off, methods=["POST"]),
        Route(SUBSCRIPTIONS + "/{id}/on", switch_on, methods=["POST"]),
        Route(SUBSCRIPTIONS + "/{id}/replay", replay, methods=["POST"]),
    ]


def said(key: str, details: Mapping[str, object]) -> str:
    """Why something failed, in the reader's language; what is rare by its key alone."""
    if key in BECAUSE:
        return wording.text(f"job.because {key}", details)
    if key.startswith("job."):
        return wording.text(key, details)
    return wording.text("job.refused", {"key": key})


async def jobs(request: Request) -> Response:
    page = await actions.see_jobs(_kept(request), _start(request), actor=_admin(request))
    return render(
        request,
        "fhir/upkeep/jobs.html",
        page=page,
        kinds=KINDS,
        states=JOB_STATES,
        tones=TONES,
        cancellable=CANCELLABLE,
        retriable=RETRIABLE,
        said=said,
        previous=_previous(PATH, page.start),
        following=_following(PATH, page.start, more=page.more),
    )


async def cancel(request: Request) -> Response:
    await parse_form(request)
    id = request.path_params["id"]
    await actions.cancel_job(_kept(request), id, actor=_admin(request), now=utc_now())
    return see_other(PATH, flash="job.cancelled")


async def retry(request: Request) -> Response:
    await parse_form(request)
    id = request.path_params["id"]
    await actions.retry_job(_kept(request), id, actor=_admin(request), now=utc_now())
    return see_other(PATH, flash="job.resumed")


async def subscriptions(request: Request) -> Response:
    page = await actions.see_subscriptions(_kept(request), _start(request), actor=_admin(request))
    return render(
        request,
        "fhir/upkeep/subscriptions.html",
        page=page,
        states=STATES,
        tones=TONES,
        previous=_previous(SUBSCRIPTIONS, page.start),
        following=_following(SUBSCRIPTIONS, page.start, more=page.more),
    )


async def subscription(request: Request) -> Response:
    id, after = request.path_params["id"], _start(request)
    one, letters = await actions.see_subscription(_kept(request), id, after, actor=_admin(request))
    path = f"{SUBSCRIPTIONS}/{id}"
    following = f"{path}?from={letters.rows[-1].number}" if letters.more else ""
    return render(
        request,
        "fhir/upkeep/subscription.html",
        one=one,
        letters=letters,
        states=STATES,
        tones=TONES,
        path=path,
        first=path if after else "",
        following=following,
    )


async def switch_off(request: Request) -> Response:
    return await _switch(request, "off", "subscription.switched-off")


async def switch_on(request: Request) -> Response:
    return await _switch(request, "requested", "subscription.switched-on")


async def _switch(request: Request, status: str, flash: str) -> Response:
    await parse_form(request)
    id = request.path_params["id"]
    await actions.switch(_kept(request), id, status, actor=_admin(request), now=utc_now())
    return see_other(f"{SUBSCRIPTIONS}/{id}", flash=flash)


async def replay(request: Request) -> Response:
    """One letter, or all when none is named."""
    form = await parse_form(request)
    number, id = form.text("number", longest=9), request.path_params["id"]
    numbers = [int(number)] if number.isascii() and number.isdecimal() else None
    if number and numbers is None:
        return see_other(f"{SUBSCRIPTIONS}/{id}")
    await actions.replay(_kept(request), id, numbers, actor=_admin(request), now=utc_now())
    return see_other(f"{SUBSCRIPTIONS}/{id}", flash="subscription.replayed")


def _admin(request: Request) -> Actor:
    return require_staff(request, "admin")


def _kept(request: Request) -> Kept:
    state = request.app.state
    return Kept(state.db, state.fhir, state.blobs)


def _start(request: Request) -> int:
    text = request.query_params.get("from", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def _previous(path: str, start: int) -> str:
    return f"{path}?from={max(start - PER_PAGE, 0)}" if start else ""


def _following(path: str, start: int, *, more: bool) -> str:
    return f"{path}?from={start + PER_PAGE}" if more else ""
