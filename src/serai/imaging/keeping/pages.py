"""The screens: an administrator's page of storage, and the wait for a study that was cold."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from serai.imaging.archive.recalling import require_hot
from serai.imaging.keeping import rules, tiers
from serai.imaging.keeping.overview import overview
from serai.imaging.search.rows import visible
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Invalid, NotFound, Unavailable
from serai.web import wording
from serai.web.authentication import require_actor, require_staff
from serai.web.forms import Form, parse_form
from serai.web.languages import N_
from serai.web.rendering import render, see_other

PATH = "/upkeep/storage"
WAITING = "/recall/{study}"
SEEN = """SELECT 1 FROM imaging_study s WHERE s.uid = %(study)s AND {visible}"""

KINDS: Mapping[str, str] = {
    "missing": N_("Missing"),
    "damaged": N_("Damaged"),
    "orphan": N_("Not referred to"),
}

wording.add(
    {
        "imaging.retention-set": N_("The retention rule is set."),
        "imaging.tiering-set": N_("The rule for cold storage is set."),
        "imaging.hold-placed": N_("The study is held."),
        "imaging.hold-released": N_("The hold is released."),
        "imaging.held": N_("A legal hold keeps the study."),
        "imaging.hold-without-reason": N_("A hold needs a reason of at most 500 letters."),
        "imaging.no-such-hold": N_("There is no such hold, or it is released already."),
        "imaging.rule-of-another": N_("This rule is for others to set."),
        "imaging.rule-out-of-range": N_("The number of days is from 1 to 73000."),
        "imaging.rule-stands": N_("A retention rule may be made longer, never shorter."),
    }
)


def routes() -> list[Route]:
    return [
        Route(PATH, show, methods=["GET"]),
        Route(PATH + "/retention", set_retention, methods=["POST"]),
        Route(PATH + "/tier", set_tier, methods=["POST"]),
        Route(PATH + "/holds", place, methods=["POST"]),
        Route(PATH + "/holds/{id}/release", release, methods=["POST"]),
        Route(WAITING, waiting, methods=["GET"]),
    ]


async def show(request: Request) -> Response:
    actor = _admin(request)
    async with request.app.state.db.connection() as connection:
        found = await overview(connection, actor=actor)
    return render(
        request,
        "imaging/keeping/storage.html",
        found=found,
        kinds=KINDS,
        retention=Form.blank(),
        tier=Form.blank(),
        hold=Form.blank(),
    )


async def set_retention(request: Request) -> Response:
    actor, days = _admin(request), _days(await parse_form(request), "days_kept")
    async with request.app.state.db.transaction() as tx:
        owner = str(actor.organisation)
        await rules.retain(tx, days or 0, owner=owner, actor=actor, now=utc_now())
    return see_other(PATH, flash="imaging.retention-set")


async def set_tier(request: Request) -> Response:
    """No number: the organisation has no rule of its own."""
    actor, days = _admin(request), _days(await parse_form(request), "days_hot")
    async with request.app.state.db.transaction() as tx:
        owner = str(actor.organisation)
        await tiers.set_rule(tx, days, owner=owner, actor=actor, now=utc_now())
    return see_other(PATH, flash="imaging.tiering-set")


async def place(request: Request) -> Response:
    actor, form = _admin(request), await parse_form(request)
    study, reason = form.text("study", longest=64), form.text("reason", longest=500)
    async with request.app.state.db.transaction() as tx:
        await rules.place_hold(tx, study, reason, actor=actor, now=utc_now())
    return see_other(PATH, flash="imaging.hold-placed")


async def release(request: Request) -> Response:
    actor = _admin(request)
    await parse_form(request)
    async with request.app.state.db.transaction() as tx:
        await rules.release_hold(tx, request.path_params["id"], actor=actor, now=utc_now())
    return see_other(PATH, flash="imaging.hold-released")


async def waiting(request: Request) -> Response:
    """Comes again by itself until the study is there, and then opens it."""
    actor, study = require_actor(request), request.path_params["study"]
    clause, values = visible(actor)
    statement = SEEN.format(visible=clause).encode()
    async with request.app.state.db.connection() as connection:
        row = await (await connection.execute(statement, {"study": study, **values})).fetchone()
    if row is None:
        raise NotFound("wado.nothing-there")
    try:
        await require_hot(request.app.state.db, study, actor=actor)
    except Unavailable as away:
        answer = render(request, "imaging/keeping/waiting.html", stay=away.details)
        answer.headers["Refresh"] = "5"
        return answer
    return RedirectResponse(f"/viewer/viewer?StudyInstanceUIDs={study}", 303)


def _days(form: Form, name: str) -> int | None:
    text = form.text(name, longest=6)
    if text and not (text.isascii() and text.isdecimal()):
        raise Invalid("imaging.rule-out-of-range")
    return int(text) if text else None


def _admin(request: Request) -> Actor:
    return require_staff(request, "admin")
