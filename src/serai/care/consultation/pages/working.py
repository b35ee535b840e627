"""The consultation page: what is asked, the images, the talk, the opinion, and my moves."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from serai.care import chart
from serai.care.chart.pages import KIND_ICONS, KIND_LABELS, banner
from serai.care.consultation import actions
from serai.care.consultation.model import Act, Consultation, Opinion, State
from serai.care.consultation.pages import words
from serai.care.consultation.records import Consultations
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.kernel.errors import Conflict, Invalid, NotFound, SeraiError
from serai.web import wording
from serai.web.authentication import require_staff
from serai.web.forms import Form, parse_form
from serai.web.pdf import render_pdf
from serai.web.rendering import render, see_other

LONGEST = 20_000


async def show(request: Request) -> Response:
    return await _show(request)


async def _show(
    request: Request, *, status: int = 200, problem: str = "", form: Form | None = None
) -> Response:
    actor = require_staff(request, *words.CLINICAL)
    now = utc_now()
    view = await actions.look(
        words.kept_in(request), request.app.state.archive, _id(request), actor=actor, now=now
    )
    opinion = view.opinion
    shown = form or Form.blank(
        findings=opinion.opinion.findings if opinion else "",
        conclusion=opinion.opinion.conclusion if opinion else "",
        advice=opinion.opinion.advice if opinion else "",
        text="",
        reason="",
        expert=view.consultation.expert or "",
    )
    return render(
        request,
        "care/consultation/show.html",
        status=status,
        view=view,
        consultation=view.consultation,
        banner=banner(view.person) | _no_link(view, actor),
        problem=problem,
        form=shown,
        words=words,
        labels=KIND_LABELS,
        icons=KIND_ICONS,
        groups=chart.grouped(view.entries),
        hospitals=_others(view),
        now=now,
    )


def _no_link(view: actions.View, actor: Actor) -> dict[str, str]:
    """The asked hospital reads what was sent here, not in a chart."""
    ours = view.consultation.requester_organisation == actor.organisation
    return {} if ours else {"href": ""}


def _others(view: actions.View) -> list[object]:
    """Where the same question may go after a refusal."""
    if view.consultation.state is not State.DECLINED:
        return []
    mine = view.consultation.requester_organisation
    request = view.consultation.request
    asked = view.directory.may_be_asked_by(mine, request.specialty)
    return [one for one in asked if one.id != request.expert_organisation]


async def make_move(request: Request) -> Response:
    """One of the buttons: the word in the address is the act."""
    actor = require_staff(request, *words.CLINICAL)
    form = await parse_form(request)
    act = request.path_params["act"]
    if act not in MOVES:
        raise NotFound("consultation.unknown")
    try:
        moved = await _move(words.kept_in(request), act, form, _id(request), actor)
    except (Conflict, Invalid) as error:
        return await _refused(request, form, error)
    flash = "consultation.redirected" if act == "redirect" else words.DONE[Act(act)]
    # Who declines has no more business with the record.
    next_page = "/consultations" if act == Act.DECLINE else f"/consultations/{moved.id}"
    return see_other(next_page, flash=flash)


async def _refused(request: Request, form: Form, error: SeraiError) -> Response:
    """The page as it stands now, with the reason on top and what was typed kept."""
    status = 409 if isinstance(error, Conflict) else 422
    shown = form if form.value("conclusion") or form.value("findings") else None
    return await _show(request, status=status, problem=wording.error_text(error), form=shown)


MOVES = {
    Act.ASSIGN: actions.assign,
    Act.ACCEPT: actions.accept,
    Act.DECLINE: actions.decline,
    Act.START: actions.start,
    Act.ASK: actions.ask,
    Act.ANSWER: actions.answer,
    Act.SIGN: actions.sign,
    Act.AMEND: actions.amend,
    Act.ACKNOWLEDGE: actions.acknowledge,
    Act.CANCEL: actions.cancel,
    "redirect": actions.redirect,
}


async def _move(
    kept: Consultations, act: str, form: Form, consultation_id: str, actor: Actor
) -> Consultation:
    brought = _brought(act, form)
    turn: dict[str, object] = {"version": _version(form), "actor": actor, "now": utc_now()}
    if act == Act.ANSWER:
        turn["attach"] = tuple(dict.fromkeys(form.list("attach")))
    return await MOVES[act](kept, consultation_id, *brought, **turn)  # type: ignore[operator, no-any-return]


def _brought(act: str, form: Form) -> tuple[object, ...]:
    """What the form of an act holds, in the order its action takes it."""
    if act == Act.ASSIGN:
        return (form.text("expert", longest=64),)
    if act in (Act.DECLINE, Act.CANCEL):
        return (form.text("reason", longest=2000),)
    if act in (Act.ASK, Act.ANSWER):
        return (form.text("text", longest=10_000),)
    if act == Act.SIGN:
        return (_opinion(form),)
    if act == Act.AMEND:
        return _opinion(form), form.text("reason", longest=2000)
    if act == "redirect":
        return form.text("hospital", longest=64), form.text("reason", longest=2000)
    return ()


def _opinion(form: Form) -> Opinion:
    opinion = Opinion(
        findings=form.text("findings", longest=LONGEST),
        conclusion=form.text("conclusion", longest=LONGEST),
        advice=form.text("advice", longest=LONGEST),
    )
    if form.errors:
        raise Invalid(next(iter(form.errors.values())).key, longest=LONGEST)
    return opinion


async def save_opinion(request: Request) -> Response:
    """Keep the draft of the opinion while it is being written."""
    actor = require_staff(request, *words.CLINICAL)
    form = await parse_form(request)
    quietly = "x-autosave" in request.headers
    try:
        saved = await actions.save_opinion(
            words.kept_in(request),
            _id(request),
            _opinion(form),
            draft_version=_version(form, "draft_version"),
            actor=actor,
            now=utc_now(),
        )
    except (Conflict, Invalid) as error:
        if quietly:
            return JSONResponse({"problem": wording.error_text(error)}, status_code=409)
        return await _refused(request, form, error)
    if quietly:
        return JSONResponse({"draft_version": saved.version})
    return see_other(f"/consultations/{_id(request)}#opinion", flash="consultation.saved")


async def print_opinion(request: Request) -> Response:
    actor = require_staff(request, *words.CLINICAL)
    view = await actions.look(
        words.kept_in(request),
        request.app.state.archive,
        _id(request),
        actor=actor,
        now=utc_now(),
    )
    if view.opinion is None or not view.opinion.signed:
        raise NotFound("consultation.no-final-report")
    return await render_pdf(
        request,
        "care/consultation/opinion.html",
        filename=f"opinion-{view.consultation.id}.pdf",
        view=view,
        consultation=view.consultation,
        banner=banner(view.person),
        opinion=view.opinion,
        words=words,
    )


def _id(request: Request) -> str:
    return str(request.path_params["consultation"])


def _version(form: Form, name: str = "version") -> int | None:
    text = form.text(name)
    return int(text) if text.isascii() and text.isdigit() else None
