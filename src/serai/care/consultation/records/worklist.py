"""Worklists: which consultations wait, on whom and how long, of all the actor may see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from serai.care.consultation.model import OPEN, WAITS_ON, Side, State, Urgency
from serai.care.consultation.records.mapping import Resource, moment
from serai.care.consultation.records.words import (
    BUSINESS_STATUS,
    IN_FHIR,
    WORKFLOW,
    id_of,
    specialty_in,
    state_of,
)
from serai.fhir import visibility
from serai.fhir.body import decode
from serai.fhir.search.keys import key
from serai.kernel.actor import Actor
from serai.network import SPECIALTIES
from serai.network.model import SNOMED_CT
from serai.platform.db import Connection

PAGE = 25


class View(StrEnum):
    OURS = "ours"
    TO_ASSIGN = "to-assign"
    MINE = "mine"
    RECEIVED = "received"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list; an empty state means everything that is still open."""

    view: View = View.ALL
    state: State | None = None
    urgency: Urgency | None = None
    specialty: str = ""
    text: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a worklist."""

    id: str
    state: State
    urgency: Urgency
    specialty: str
    patient: str
    patient_name: str
    reason: str
    requester_organisation: str
    requester_organisation_name: str
    expert_organisation_name: str
    expert_name: str
    since: datetime
    due_at: datetime | None

    @property
    def waits_on(self) -> Side | None:
        return WAITS_ON.get(self.state)

    def overdue(self, now: datetime) -> bool:
        waiting = self.state in OPEN - {State.REPORTED}
        return waiting and self.due_at is not None and self.due_at < now


@dataclass(frozen=True, slots=True)
class Counts:
    by_view: dict[View, int]
    by_state: dict[State, int]


@dataclass(frozen=True, slots=True)
class Worklist:
    items: tuple[Item, ...]
    more: bool


CONSULTATION_KEY = key("both", "Task", "code", WORKFLOW, "consultation")
REPORTED_KEY = key("both", "Task", "business-status", BUSINESS_STATUS, "5.1.4")
URGENCY_KEYS = {urgency: key("code", "Task", "priority", urgency.value) for urgency in Urgency}
STATUS_KEYS = {state: key("code", "Task", "status", word) for state, (word, _) in IN_FHIR.items()}
ENDED = frozenset({State.CLOSED, State.CANCELLED})

# The most urgent first, and of those the one that waits longest: nobody is forgotten behind
# newer cases. What has ended is read newest first.
LIST = """SELECT r.content FROM fhir_resource r
          WHERE r.type = 'Task' AND NOT r.deleted AND r.keys @> %(keys)s::bigint[]
            AND {states} AND {view} AND {text} AND {visible}
          ORDER BY {order}
          LIMIT %(limit)s OFFSET %(offset)s"""

# Only what is not over is counted, so that years of closed cases cost nothing.
COUNT = """SELECT r.owner = %(me)s, r.keys @> %(mine)s::bigint[], {state_name}, count(*)
           FROM fhir_resource r
           WHERE r.type = 'Task' AND NOT r.deleted AND r.keys @> %(keys)s::bigint[]
             AND {states} AND {visible}
           GROUP BY 1, 2, 3"""

URGENT_FIRST = """(SELECT min(array_position(%(urgencies)s::bigint[], k.key))
                   FROM unnest(r.keys) AS k(key)
                   WHERE k.key = ANY (%(urgencies)s::bigint[])), r.last_updated, r.id"""
NEWEST_FIRST = "r.last_updated DESC, r.id"

VIEWS = {
    View.OURS: "r.owner = %(me)s",
    View.TO_ASSIGN: "r.owner IS DISTINCT FROM %(me)s",
    View.MINE: "r.keys @> %(mine)s::bigint[]",
    View.RECEIVED: "r.owner IS DISTINCT FROM %(me)s",
    View.ALL: "TRUE",
}
TEXT = " OR ".join(
    f"convert_from(r.content, 'UTF8')::jsonb #>> '{path}' ILIKE %(like)s"
    for path in ("{for,display}", "{description}", "{requester,display}", "{owner,display}")
)


def _in_state(state: State) -> str:
    """SQL that tells this state by its search keys."""
    held = f"r.keys @> ARRAY[{STATUS_KEYS[state]}]::bigint[]"
    if state is State.REPORTED:
        return f"({held} AND r.keys @> ARRAY[{REPORTED_KEY}]::bigint[])"
    if state is State.IN_PROGRESS:
        return f"({held} AND NOT r.keys @> ARRAY[{REPORTED_KEY}]::bigint[])"
    return held


def _unended() -> str:
    keys = sorted({STATUS_KEYS[state] for state in State if state not in ENDED})
    return f"r.keys && ARRAY[{', '.join(map(str, keys))}]::bigint[]"


def _state_name() -> str:
    cases = " ".join(
        f"WHEN {_in_state(state)} THEN '{state.value}'" for state in State if state not in ENDED
    )
    return f"CASE {cases} END"


def _base(actor: Actor) -> dict[str, Any]:
    mine = key("ref", "Task", "owner", f"Practitioner/{actor.practitioner}")
    return {"me": actor.organisation, "mine": [mine], "keys": [CONSULTATION_KEY]}


async def worklist(c: Connection, wanted: Wanted, *, actor: Actor) -> Worklist:
    """One page of the consultations this actor may see, as wanted."""
    visibility.require(actor, "s", "Task")
    visible, parameters = visibility.clause(actor)
    parameters = parameters | _base(actor)
    keys = parameters["keys"]
    if wanted.urgency:
        keys.append(URGENCY_KEYS[wanted.urgency])
    if specialty := SPECIALTIES.get(wanted.specialty):
        keys.append(key("both", "Task", "performer", SNOMED_CT, specialty.snomed))
    state = State.SENT if wanted.view is View.TO_ASSIGN else wanted.state
    parameters |= {
        "urgencies": list(URGENCY_KEYS.values()),
        "like": f"%{_literally(wanted.text)}%",
        "limit": PAGE + 1,
        "offset": PAGE * (max(wanted.page, 1) - 1),
    }
    query = LIST.format(
        states=_in_state(state) if state else _unended(),
        view=VIEWS[wanted.view],
        text=f"({TEXT})" if wanted.text else "TRUE",
        visible=visible,
        order=NEWEST_FIRST if state in ENDED else URGENT_FIRST,
    )
    rows = await (await c.execute(query.encode(), parameters)).fetchall()
    items = tuple(to_item(decode(row[0])) for row in rows[:PAGE])
    return Worklist(items, more=len(rows) > PAGE)


def _literally(text: str) -> str:
    """ILIKE's own signs in what somebody typed mean themselves."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def counts(c: Connection, *, actor: Actor, view: View = View.ALL) -> Counts:
    """How many wait in each view, and in each state of the given view."""
    visibility.require(actor, "s", "Task")
    visible, parameters = visibility.clause(actor)
    query = COUNT.format(state_name=_state_name(), states=_unended(), visible=visible)
    by_view = dict.fromkeys(View, 0)
    by_state = dict.fromkeys(State, 0)
    cursor = await c.execute(query.encode(), parameters | _base(actor))
    for ours, mine, name, count in await cursor.fetchall():
        state = State(name)
        held = _views(ours=bool(ours), mine=bool(mine), state=state)
        for one in held:
            by_view[one] += count
        if view in held:
            by_state[state] += count
    return Counts(by_view, by_state)


def _views(*, ours: bool, mine: bool, state: State) -> set[View]:
    views = {View.ALL, View.OURS if ours else View.RECEIVED}
    if mine:
        views.add(View.MINE)
    if not ours and state is State.SENT:
        views.add(View.TO_ASSIGN)
    return views


def to_item(task: Resource) -> Item:
    recipient: Resource = next(iter(task.get("restriction", {}).get("recipient", ())), {})
    owner = task.get("owner", {})
    due = task.get("restriction", {}).get("period", {}).get("end")
    state = state_of(task)
    assert state is not None, "the guard lets no other status in"
    return Item(
        id=task["id"],
        state=state,
        urgency=Urgency(task.get("priority", "routine")),
        specialty=specialty_in(task.get("performerType")),
        patient=id_of(task.get("for"), "Patient"),
        patient_name=task.get("for", {}).get("display", ""),
        reason=task.get("description", ""),
        requester_organisation=id_of(task.get("requester"), "Organization"),
        requester_organisation_name=task.get("requester", {}).get("display", ""),
        expert_organisation_name=recipient.get("display", ""),
        expert_name=owner.get("display", "") if id_of(owner, "Practitioner") else "",
        since=moment(task["meta"]["lastUpdated"]),
        due_at=moment(due) if due else None,
    )
