"""The asking side's form: patient, attachments, question, review, send."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serai.care import chart
from serai.care.chart.pages import KIND_LABELS, banner
from serai.care.consultation import actions
from serai.care.consultation.model import Request as Asked
from serai.care.consultation.model import State, Urgency
from serai.care.consultation.pages import words
from serai.imaging.uploads import handed_over, named
from serai.kernel.clock import utc_now
from serai.kernel.errors import Conflict, Invalid, SeraiError
from serai.web import wording
from serai.web.authentication import require_staff
from serai.web.forms import Form, parse_form
from serai.web.rendering import render, see_other

ASKING = ("doctor", "expert")
FIELD_OF = {
    "consultation.reason-missing": "reason",
    "consultation.question-missing": "question",
    "consultation.specialty-missing": "specialty",
    "consultation.hospital-missing": "hospital",
    "consultation.own-hospital": "hospital",
}


async def choose_patient(request: Request) -> Response:
    actor = require_staff(request, *ASKING)
    text = request.query_params.get("q", "")[:200]
    charts = _charts(request)
    people = await chart.find(charts, text, actor=actor)
    return render(
        request,
        "care/consultation/choose.html",
        fragment="results",
        text=text,
        people=[(person, banner(person)) for person in people],
        may_register=actor.may("c", "Patient"),
    )


async def begin(request: Request) -> Response:
    actor = require_staff(request, *ASKING)
    form = await parse_form(request)
    kept, now = words.kept_in(request), utc_now()
    made = await actions.draft(
        kept, form.text("patient", longest=64), Asked(), actor=actor, now=now
    )
    desk = await actions.desk(kept, request.app.state.archive, made.id, actor=actor)
    if desk.usual:
        usual = Asked(attachments=tuple(sorted(desk.usual)))
        await actions.edit(kept, made.id, usual, version=made.version, actor=actor, now=now)
    return see_other(f"/consultations/{made.id}/edit")


async def edit(request: Request) -> Response:
    actor = require_staff(request, *ASKING)
    desk = await actions.desk(
        words.kept_in(request), request.app.state.archive, _id(request), actor=actor
    )
    if desk.consultation.state is not State.DRAFT:
        return see_other(f"/consultations/{_id(request)}")
    return _show(request, desk, _started(desk))


def _started(desk: actions.Desk) -> Form:
    asked = desk.consultation.request
    return Form.blank(
        reason=asked.reason,
        question=asked.question,
        summary=asked.summary,
        urgency=asked.urgency.value,
        specialty=asked.specialty,
        hospital=asked.expert_organisation or "",
        attach=list(asked.attachments),
    )


def _show(
    request: Request, desk: actions.Desk, form: Form, *, status: int = 200, problem: str = ""
) -> Response:
    return render(
        request,
        "care/consultation/edit.html",
        status=status,
        desk=desk,
        banner=banner(desk.person),
        form=form,
        chosen=frozenset(form.list("attach")),
        problem=problem,
        groups=_groups(desk.entries),
        words=words,
        labels=KIND_LABELS,
        specialties=sorted({code for codes in desk.offered.values() for code in codes}),
    )


def _groups(entries: tuple[chart.Entry, ...]) -> list[tuple[chart.Kind, list[chart.Entry]]]:
    by_kind: dict[chart.Kind, list[chart.Entry]] = {}
    for entry in entries:
        by_kind.setdefault(entry.kind, []).append(entry)
    return sorted(by_kind.items(), key=lambda item: list(chart.Kind).index(item[0]))


def _asked(form: Form) -> Asked:
    urgency = form.text("urgency")
    return Asked(
        reason=form.text("reason", longest=2000),
        question=form.text("question", longest=10_000),
        summary=form.text("summary", longest=20_000),
        urgency=Urgency(urgency) if urgency in set(Urgency) else Urgency.ROUTINE,
        specialty=form.choice("specialty", words.SPECIALTY_NAMES, required=False),
        expert_organisation=form.text("hospital", longest=64) or None,
        attachments=tuple(dict.fromkeys(form.list("attach"))),
    )


async def save(request: Request) -> Response:
    """Keep the draft, by hand or by itself, and go on to the review when asked to."""
    actor = require_staff(request, *ASKING)
    form = await parse_form(request)
    quietly = "x-autosave" in request.headers
    kept, now = words.kept_in(request), utc_now()
    asked = _asked(form)
    if form.errors and not quietly:
        return await _again(request, form, Invalid(next(iter(form.errors.values())).key))
    try:
        saved = await actions.edit(
            kept, _id(request), asked, version=_version(form), actor=actor, now=now
        )
    except (Invalid, Conflict) as error:
        if quietly:
            return JSONResponse({"problem": wording.error_text(error)}, status_code=409)
        return await _again(request, form, error)
    if quietly:
        return JSONResponse({"version": saved.version})
    if form.text("then") == "review":
        return see_other(f"/consultations/{saved.id}/review")
    return see_other(f"/consultations/{saved.id}/edit", flash="consultation.saved")


async def _again(request: Request, form: Form, error: SeraiError) -> Response:
    actor = require_staff(request, *ASKING)
    desk = await actions.desk(
        words.kept_in(request), request.app.state.archive, _id(request), actor=actor
    )
    if error.key in FIELD_OF:
        form.refuse(FIELD_OF[error.key], error.key)
    return _show(request, desk, form, status=422, problem=wording.error_text(error))


async def pictures(request: Request) -> Response:
    """Upload into the record and attach what came to the draft, in one step."""
    actor = require_staff(request, *ASKING)
    form = await parse_form(request)
    kept, charts, now = words.kept_in(request), _charts(request), utc_now()
    draft = await actions.read(kept, _id(request), actor=actor)
    uploads = [*form.files("pictures"), *form.files("folder")]
    ids, state = named(form.value("uploaded")), request.app.state
    if not uploads and not ids:
        raise Invalid("chart.pictures-missing")
    home = state.settings.home
    async with handed_over(state.db, home, ids, actor=actor, now=now) as brought:
        attached = await chart.attach_pictures(
            charts, draft.patient, [*uploads, *brought], actor=actor, now=now
        )
    await actions.attach_studies(
        kept, request.app.state.archive, draft.id, attached.studies, actor=actor, now=now
    )
    if not attached.refused and not attached.doubts:
        return see_other(f"/consultations/{draft.id}/edit", flash="chart.pictures-kept")
    return render(
        request,
        "care/chart/attached.html",
        status=200 if attached.studies else 422,
        attached=attached,
        back=f"/consultations/{draft.id}/edit",
    )


async def review(request: Request) -> Response:
    actor = require_staff(request, *ASKING)
    view = await actions.look(
        words.kept_in(request),
        request.app.state.archive,
        _id(request),
        actor=actor,
        now=utc_now(),
    )
    if view.consultation.state is not State.DRAFT:
        return see_other(f"/consultations/{_id(request)}")
    return render(
        request,
        "care/consultation/review.html",
        view=view,
        banner=banner(view.person),
        words=words,
        labels=KIND_LABELS,
    )


async def send(request: Request) -> Response:
    actor = require_staff(request, *ASKING)
    form = await parse_form(request)
    try:
        sent = await actions.send(
            words.kept_in(request), _id(request), version=_version(form), actor=actor, now=utc_now()
        )
    except (Invalid, Conflict) as error:
        desk = await actions.desk(
            words.kept_in(request), request.app.state.archive, _id(request), actor=actor
        )
        return await _again(request, _started(desk), error)
    return see_other(f"/consultations/{sent.id}", flash="consultation.sent")


def _id(request: Request) -> str:
    return str(request.path_params["consultation"])


def _version(form: Form) -> int | None:
    text = form.text("version")
    return int(text) if text.isascii() and text.isdigit() else None


def _charts(request: Request) -> Any:
    state = request.app.state
    return chart.Charts(state.db, state.fhir, state.archive)
