"""The screens: all projects of the reader, a new one, and one with everything about it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from serai.deidentify.profile.options import CODES, Option
from serai.deidentify.projects import actions
from serai.deidentify.projects.actions import Desk
from serai.deidentify.projects.model import (
    LONGEST_NAME,
    LONGEST_PURPOSE,
    MAY_LEAD,
    MOST_MB,
    PER_PAGE,
    Terms,
    Writing,
)
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Invalid, Unsupported
from serai.web import wording
from serai.web.authentication import require_staff
from serai.web.forms import Form, parse_form
from serai.web.languages import N_
from serai.web.navigation import NavItem
from serai.web.rendering import render, see_other

PATH = "/deidentification"
NAVIGATION = (NavItem(N_("Research"), PATH, "list", roles=frozenset(MAY_LEAD)),)

OPTIONS: Mapping[Option, str] = {
    Option.CLEAN_PIXEL_DATA: N_("Paint over writing in the pictures"),
    Option.CLEAN_DESCRIPTORS: N_("Keep descriptions, cleaned word by word"),
    Option.CLEAN_STRUCTURED_CONTENT: N_("Keep structured reports, cleaned"),
    Option.CLEAN_GRAPHICS: N_("Keep overlays and annotations, cleaned"),
    Option.RETAIN_PATIENT_CHARACTERISTICS: N_("Keep sex, age, size and weight"),
    Option.RETAIN_MODIFIED_DATES: N_("Keep dates, moved by the same days for each patient"),
    Option.RETAIN_FULL_DATES: N_("Keep dates as they are"),
    Option.RETAIN_DEVICE_IDENTITY: N_("Keep which device it was"),
    Option.RETAIN_INSTITUTION_IDENTITY: N_("Keep which institution it was"),
    Option.RETAIN_UIDS: N_("Keep the UIDs"),
    Option.RETAIN_SAFE_PRIVATE: N_("Keep private attributes known to be harmless"),
}
WRITINGS: Mapping[Writing, str] = {
    Writing.ALL: N_("All writing"),
    Writing.IDENTIFYING: N_("Names, numbers and dates only"),
}
STATES: Mapping[str, tuple[str, str]] = {
    "waiting": (N_("Queued"), "neutral"),
    "running": (N_("Running"), "info"),
    "done": (N_("Done"), "success"),
    "failed": (N_("Failed"), "danger"),
    "cancelled": (N_("Cancelled"), "neutral"),
}

wording.add(
    {
        "deidentify.created": N_("The project is made. Now choose studies."),
        "deidentify.studies-added": N_("The studies are chosen."),
        "deidentify.study-removed": N_("The study is not taken any more."),
        "deidentify.invited": N_("The colleague is a member now."),
        "deidentify.started": N_("De-identification runs."),
        "deidentify.ended": N_("The project has ended; nothing leads back to the patients."),
        "deidentify.no-such-project": N_("There is no such project among yours."),
        "deidentify.no-such-study": N_("One of these studies is not here, or not shared with you."),
        "deidentify.no-such-colleague": N_(
            "There is no such doctor or expert at your organisation."
        ),
        "deidentify.no-such-subject": N_("The project has no such subject."),
        "deidentify.unknown-option": N_("%(option)s is not an option of the profile."),
        "deidentify.unknown-writing": N_("%(writing)s is not a choice."),
        "deidentify.faces-not-removed": N_(
            "Recognizable faces cannot be removed here, so this option is not offered."
        ),
        "deidentify.dates-both-ways": N_("Dates can be kept as they are or moved, not both."),
        "deidentify.stored-needs-new-uids": N_(
            "New studies in the archive need new UIDs; do not keep the old ones."
        ),
        "deidentify.name-and-purpose": N_("A project needs a name and a purpose."),
        "deidentify.too-long": N_("The name or the purpose is too long."),
        "deidentify.how-many-studies": N_("Choose between 1 and %(most)s studies at once."),
        "deidentify.runs-already": N_("The project is running already."),
        "deidentify.nothing-to-take": N_("There is nothing that has not been taken yet."),
        "deidentify.nothing-taken": N_("Nothing has been de-identified yet."),
        "deidentify.reason-missing": N_("Say why, in at least %(least)s characters."),
        "deidentify.keeper-only": N_("Only the keeper of the project may do this."),
        "deidentify.document": N_("an enclosed document cannot be cleaned"),
        "deidentify.voice": N_("a recorded voice cannot be cleaned"),
        "deidentify.label": N_("a picture of a label shows who it is"),
        "deidentify.burned-in": N_("writing is burned in, and the project does not paint it over"),
        "deidentify.pixels-not-readable": N_("the picture cannot be decoded"),
        "deidentify.overlay-not-readable": N_("an overlay cannot be decoded"),
        "deidentify.too-many-pixels": N_("the picture has more than %(most)s MB of pixels"),
        "deidentify.too-large": N_("the object is larger than %(most)s MB"),
        "deidentify.writing-remains": N_("writing naming the patient could not be painted over"),
        "deidentify.identity-remains": N_("something that names the patient was left"),
        "deidentify.not-readable": N_("a value cannot be read"),
        "deidentify.not-writable": N_("a value cannot be written"),
        "deidentify.left-out": N_("the object cannot be taken (%(key)s)"),
        "deidentify.reader-failed": N_("reading the picture took too long or too much memory"),
    }
)


def routes() -> list[Route]:
    return [
        Route(PATH, projects, methods=["GET"]),
        Route(PATH, create, methods=["POST"]),
        Route(PATH + "/new", new, methods=["GET"]),
        Route(PATH + "/{id}", project, methods=["GET"]),
        Route(PATH + "/{id}/studies", add_studies, methods=["POST"]),
        Route(PATH + "/{id}/studies/remove", remove_study, methods=["POST"]),
        Route(PATH + "/{id}/members", invite, methods=["POST"]),
        Route(PATH + "/{id}/run", run, methods=["POST"]),
        Route(PATH + "/{id}/discard", discard, methods=["POST"]),
        Route(PATH + "/{id}/who-is", who_is, methods=["POST"]),
        Route(PATH + "/{id}/objects.zip", download, methods=["GET"]),
    ]


def reason(key: str) -> str:
    """Why objects were left out, in the reader's language; what is rare by its key alone."""
    if wording.known(key):
        return wording.text(key, {"most": MOST_MB})
    return wording.text("deidentify.left-out", {"key": key})


async def projects(request: Request) -> Response:
    actor, start = _lead(request), _start(request)
    rows, more = await actions.see_all(_desk(request), start, actor=actor)
    return render(
        request,
        "deidentify/projects/list.html",
        rows=rows,
        previous=f"{PATH}?from={max(start - PER_PAGE, 0)}" if start else "",
        following=f"{PATH}?from={start + PER_PAGE}" if more else "",
    )


async def new(request: Request) -> Response:
    _lead(request)
    suggested = [Option.CLEAN_PIXEL_DATA.value, Option.RETAIN_PATIENT_CHARACTERISTICS.value]
    return _form(request, Form.blank(writing=Writing.ALL.value, options=suggested))


async def create(request: Request) -> Response:
    actor = _lead(request)
    form = await parse_form(request)
    name = form.text("name", required=True, longest=LONGEST_NAME)
    purpose = form.text("purpose", required=True, longest=LONGEST_PURPOSE)
    writing = form.choice("writing", list(Writing))
    if form.errors:
        return _form(request, form, status=422)
    try:
        stored = bool(form.list("stored"))
        terms = Terms.agreed(name, purpose, form.list("options"), writing=writing, stored=stored)
    except (Invalid, Unsupported) as error:
        form.refuse("options", error.key, **error.details)
        return _form(request, form, status=422)
    id = await actions.create(_desk(request), terms, actor=actor, now=utc_now())
    return see_other(f"{PATH}/{id}", flash="deidentify.created")


def _form(request: Request, form: Form, *, status: int = 200) -> Response:
    return render(
        request,
        "deidentify/projects/new.html",
        status=status,
        form=form,
        options=OPTIONS,
        writings=WRITINGS,
    )


async def project(request: Request) -> Response:
    return await _show(request, _lead(request))


async def _show(request: Request, actor: Actor, known_as: list[str] | None = None) -> Response:
    desk, id = _desk(request), request.path_params["id"]
    words = request.query_params.get("q", "")[:200]
    seen = await actions.see(desk, id, actor=actor)
    found = await actions.candidates(desk, id, words, actor=actor)
    return render(
        request,
        "deidentify/projects/show.html",
        fragment="progress" if "progress" in request.headers.get("hx-target", "") else "candidates",
        seen=seen,
        candidates=[one for one in found if not one.added],
        words=words,
        options=OPTIONS,
        codes=CODES,
        writings=WRITINGS,
        states=STATES,
        path=f"{PATH}/{id}",
        keeps=seen.project.keeper == actor.id,
        known_as=known_as,
        reason=reason,
    )


async def add_studies(request: Request) -> Response:
    actor, form, id = _lead(request), await parse_form(request), request.path_params["id"]
    uids = form.list("study")
    await actions.add_studies(_desk(request), id, uids, actor=actor, now=utc_now())
    return see_other(f"{PATH}/{id}", flash="deidentify.studies-added")


async def remove_study(request: Request) -> Response:
    actor, form, id = _lead(request), await parse_form(request), request.path_params["id"]
    uid = form.text("study", longest=64)
    await actions.remove_study(_desk(request), id, uid, actor=actor, now=utc_now())
    return see_other(f"{PATH}/{id}", flash="deidentify.study-removed")


async def invite(request: Request) -> Response:
    actor, form, id = _lead(request), await parse_form(request), request.path_params["id"]
    login = form.text("login", longest=80)
    await actions.invite(_desk(request), id, login, actor=actor, now=utc_now())
    return see_other(f"{PATH}/{id}", flash="deidentify.invited")


async def run(request: Request) -> Response:
    actor, id = _lead(request), request.path_params["id"]
    await parse_form(request)
    await actions.run(_desk(request), id, actor=actor, now=utc_now())
    return see_other(f"{PATH}/{id}", flash="deidentify.started")


async def discard(request: Request) -> Response:
    actor, id = _lead(request), request.path_params["id"]
    await parse_form(request)
    await actions.discard(_desk(request), id, actor=actor, now=utc_now())
    return see_other(PATH, flash="deidentify.ended")


async def who_is(request: Request) -> Response:
    actor, form, id = _lead(request), await parse_form(request), request.path_params["id"]
    subject, reason = form.text("subject", longest=64), form.text("reason")
    found = await actions.who_is(_desk(request), id, subject, reason, actor=actor, now=utc_now())
    return await _show(request, actor, known_as=found)


async def download(request: Request) -> StreamingResponse:
    actor, id = _lead(request), request.path_params["id"]
    parts = await actions.download(_desk(request), id, actor=actor, now=utc_now())
    name = f'attachment; filename="deidentified-{id}.zip"'
    headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
    return StreamingResponse(parts, media_type="application/zip", headers=headers)


def _lead(request: Request) -> Actor:
    return require_staff(request, *MAY_LEAD)


def _desk(request: Request) -> Desk:
    state = request.app.state
    return Desk(state.db, state.blobs, state.keys)


def _start(request: Request) -> int:
    text = request.query_params.get("from", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
