"""Worklists: what waits, on whom, how long."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from serai.care.consultation import actions
from serai.care.consultation.model import Side, State, Urgency
from serai.care.consultation.pages import words
from serai.care.consultation.records import Counts, View, Wanted
from serai.kernel.actor import Actor
from serai.kernel.clock import utc_now
from serai.network import SPECIALTIES
from serai.web.authentication import require_staff
from serai.web.languages import gettext
from serai.web.rendering import render

VIEWS_OF = {
    "desk": (View.TO_ASSIGN, View.RECEIVED, View.OURS, View.ALL),
    "expert": (View.MINE, View.RECEIVED, View.OURS, View.ALL),
    "doctor": (View.OURS, View.MINE, View.RECEIVED, View.ALL),
}
STATES_OF_LIST = (
    State.DRAFT,
    State.SENT,
    State.ASSIGNED,
    State.ACCEPTED,
    State.IN_PROGRESS,
    State.ASKED,
    State.REPORTED,
    State.DECLINED,
    State.CLOSED,
    State.CANCELLED,
)


async def worklist(request: Request) -> Response:
    actor = require_staff(request, *words.CLINICAL)
    wanted = _wanted(request, actor)
    found, counts, directory = await actions.worklist(words.kept_in(request), wanted, actor=actor)
    return render(
        request,
        "care/consultation/worklist.html",
        fragment="results",
        worklist=found,
        wanted=wanted,
        keep=_query(wanted),
        counts=counts,
        directory=directory,
        views=VIEWS_OF[actor.role],
        states=_states(wanted, counts),
        words=words,
        now=utc_now(),
        specialties=sorted(SPECIALTIES),
        requesting=actor.role in ("doctor", "expert"),
        mine=_mine(actor),
        previous=_href(wanted, wanted.page - 1) if wanted.page > 1 else "",
        following=_href(wanted, wanted.page + 1) if found.more else "",
    )


def _wanted(request: Request, actor: Actor) -> Wanted:
    asked = request.query_params
    view, state, urgency = asked.get("view", ""), asked.get("state", ""), asked.get("urgency", "")
    page = asked.get("page", "1")
    return Wanted(
        view=View(view) if view in set(View) else words.FIRST_VIEW[actor.role],
        state=State(state) if state in set(State) else None,
        urgency=Urgency(urgency) if urgency in set(Urgency) else None,
        specialty=asked.get("specialty", "") if asked.get("specialty") in SPECIALTIES else "",
        text=asked.get("q", "")[:200].strip(),
        page=min(int(page), 10_000) if page.isascii() and page.isdigit() and int(page) else 1,
    )


def _query(wanted: Wanted) -> dict[str, str]:
    """The filters that stay while one of them changes."""
    chosen = {
        "view": wanted.view.value,
        "state": wanted.state.value if wanted.state else "",
        "urgency": wanted.urgency.value if wanted.urgency else "",
        "specialty": wanted.specialty,
    }
    return {name: value for name, value in chosen.items() if value}


def _href(wanted: Wanted, page: int) -> str:
    query = _query(wanted) | ({"q": wanted.text} if wanted.text else {}) | {"page": str(page)}
    return "/consultations?" + urlencode(query)


def _states(wanted: Wanted, counts: Counts) -> list[tuple[str, str, int | None]]:
    """State filters with counts; those that hold nothing are left out, the ended ones are not
    counted."""
    everything = sum(counts.by_state.values())
    choices: list[tuple[str, str, int | None]] = [("", gettext("Open"), everything)]
    for state in STATES_OF_LIST:
        count = counts.by_state.get(state, 0)
        ended = state in (State.CLOSED, State.CANCELLED)
        if count or ended or state is wanted.state:
            choices.append((state.value, gettext(words.STATES[state]), None if ended else count))
    return choices


def _mine(actor: Actor) -> frozenset[Side]:
    """Whose turns this reader answers for, to mark lines that wait on them."""
    by_role = {"desk": Side.DESK, "expert": Side.EXPERT, "doctor": Side.REQUESTER}
    return frozenset({by_role[actor.role]})
