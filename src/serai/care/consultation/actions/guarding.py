"""The rules at the door of the store: whoever writes a consultation, these functions decide.

A FHIR client's PUT is read as the move it amounts to and put to the same `model.move` as a
button on a page. What follows from a move, that its records open to the asked hospital or
close again, happens here too, so that it happens however the move came about.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from serai.care.consultation import records
from serai.care.consultation.actions import evidence
from serai.care.consultation.model import (
    Act,
    Consultation,
    Evidence,
    Side,
    State,
    act_between,
    check_report,
    move,
    side_of,
)
from serai.care.consultation.records import words
from serai.fhir.store import Change, FhirStore
from serai.kernel.actor import serai_itself
from serai.kernel.errors import Conflict, Forbidden, Invalid
from serai.platform.auth.freshness import require_fresh
from serai.platform.db import Connection

Resource = dict[str, Any]
CLOCKS_MAY_DIFFER = timedelta(minutes=10)
# The patient's doctor must not be somebody at a screen that another left open.
PROVED_AFRESH = frozenset({Act.START})
ENDS_SHARING = frozenset({Act.DECLINE, Act.ACKNOWLEDGE, Act.CANCEL})


def register_guards(store: FhirStore) -> None:
    """Hold every writer of these types to the rules of a consultation."""
    guard = Guard(store)
    store.guard("Task", guard.task)
    store.guard("ServiceRequest", guard.service_request)
    store.guard("DiagnosticReport", guard.report)


class Guard:
    def __init__(self, store: FhirStore) -> None:
        self._store = store

    async def task(self, tx: Connection, change: Change) -> bool:
        """Refuse any change of a consultation's Task that is not a move of the table."""
        if not (words.is_consultation_task(change.old) or words.is_consultation_task(change.new)):
            return False
        if change.old is None or not words.is_consultation_task(change.old):
            await self._begin(tx, change)
        elif change.new is None:
            await self._discard(tx, change, change.old)
        else:
            await self._move(tx, change, change.old, change.new)
        return True

    async def _begin(self, tx: Connection, change: Change) -> None:
        assert change.new is not None
        after = await self._case(tx, change.new)
        if change.old is not None or after.state is not State.DRAFT:
            raise Conflict("consultation.illegal-move", current=None, wanted=after.state)
        if Side.REQUESTER not in side_of(after, change.actor):
            raise Forbidden("consultation.not-your-move", current=None, wanted=after.state)
        if after.requester != change.actor.practitioner:
            raise Forbidden("consultation.in-the-name-of-another")
        await evidence.own_patient(self._store, tx, after, change.actor)

    async def _discard(self, tx: Connection, change: Change, old: Resource) -> None:
        before = await self._case(tx, old)
        if before.state is not State.DRAFT:
            raise Conflict("consultation.illegal-move", current=before.state, wanted="delete")
        move(before, Act.EDIT, actor=change.actor, at=change.now)

    async def _move(self, tx: Connection, change: Change, old: Resource, new: Resource) -> None:
        before = await self._case(tx, old)
        if not words.is_consultation_task(new):
            raise Conflict("consultation.altered", elements="code")
        after = await self._case(tx, new)
        act = act_between(before, after)
        if act is None:
            raise Conflict("consultation.illegal-move", current=before.state, wanted=after.state)
        if act in PROVED_AFRESH:
            require_fresh(change.actor, change.now)
        brought = Evidence(
            expert=after.expert,
            expert_name=after.expert_name,
            reason=after.reason,
            message=after.messages[-1] if after.messages else None,
            report=after.report,
        )
        expected = move(before, act, actor=change.actor, at=change.now, evidence=brought)
        _same(expected, after, act, change.now)
        _points_right(after, new)
        _moved_by(change, new)
        await evidence.check(self._store, tx, after, act, change.actor)
        await self._open_or_close(tx, after, act, change.now)

    async def _open_or_close(
        self, tx: Connection, consultation: Consultation, act: Act, now: datetime
    ) -> None:
        """The asked hospital reads what it was sent, from sending until the end."""
        reason = f"Task/{consultation.id}"
        asked = consultation.request.expert_organisation
        if act is Act.SEND and asked:
            opened = [
                f"Patient/{consultation.patient}",
                f"ServiceRequest/{consultation.service_request}",
                reason,
                *await evidence.attached(self._store, tx, consultation.request.attachments),
            ]
            await self._store.share(tx, asked, opened, reason, now)
        elif act is Act.ANSWER and asked:
            message = consultation.messages[-1]
            brought = await evidence.brought_by(self._store, tx, message)
            opened = [
                f"Communication/{message}",
                *await evidence.attached(self._store, tx, brought),
            ]
            await self._store.share(tx, asked, opened, reason, now)
        elif act in ENDS_SHARING:
            await self._store.close_shares(tx, reason, now)

    async def service_request(self, tx: Connection, change: Change) -> bool:
        """What is asked stays as it was sent; its status follows the Task."""
        old, new = change.old, change.new
        if not (words.is_consultation_request(old) or words.is_consultation_request(new)):
            return False
        task = await self._task_of(tx, (old or new or {}).get("id", ""))
        state = words.state_of(task) if task else State.DRAFT
        if new is None:
            if task is not None:
                raise Conflict("consultation.illegal-move", current=state, wanted="delete")
            return False
        if not words.is_consultation_request(new):
            raise Conflict("consultation.altered", elements="code")
        wanted = words.REQUEST_STATUS.get(state or State.DRAFT, "active")
        if new.get("status") not in (wanted, (old or {}).get("status", wanted)):
            raise Conflict("consultation.illegal-move", current=state, wanted=new.get("status"))
        if task is not None and old is not None and state is not State.DRAFT:
            _frozen(old, new)
        elif task is not None and old is not None:
            before = await self._case(tx, task)
            move(before, Act.EDIT, actor=change.actor, at=change.now)
        return False

    async def report(self, tx: Connection, change: Change) -> bool:
        """Only the assigned expert drafts, signs and corrects; nobody deletes an opinion."""
        for version in (change.old, change.new):
            for based_on in (version or {}).get("basedOn", ()):
                request_id = words.id_of(based_on, "ServiceRequest")
                task = await self._task_of(tx, request_id) if request_id else None
                if task is not None:
                    await self._check_report(tx, change, task)
                    return False
        return False

    async def _check_report(self, tx: Connection, change: Change, task: Resource) -> None:
        old, new = change.old, change.new
        consultation = await self._case(tx, task)
        if new is None or (old is not None and old.get("basedOn") != new.get("basedOn")):
            raise Conflict("consultation.opinion-is-kept", current=consultation.state)
        before = old.get("status") if old else None
        check_report(consultation, before, str(new.get("status")), actor=change.actor)

    async def _task_of(self, tx: Connection, request_id: str) -> Resource | None:
        tasks = await self._store.find(
            tx, "Task", ("focus", f"ServiceRequest/{request_id}"), actor=serai_itself
        )
        return next((task for task in tasks if words.is_consultation_task(task)), None)

    async def _case(self, tx: Connection, task: Resource) -> Consultation:
        case = await records.of_task(self._store, tx, task, actor=serai_itself)
        if case.consultation.patient != await evidence.patient_of_request(
            self._store, tx, case.consultation.service_request
        ):
            raise Conflict("consultation.altered", elements="for")
        return case.consultation


def _same(expected: Consultation, after: Consultation, act: Act, now: datetime) -> None:
    """The resource says exactly what the move makes of the consultation, and nothing more."""
    if act is Act.SEND:
        if after.sent_at is None or abs(after.sent_at - now) > CLOCKS_MAY_DIFFER:
            raise Invalid("consultation.sent-time")
        expected = replace(expected, sent_at=after.sent_at)
    if act is Act.EDIT:
        expected = replace(expected, request=after.request)
    # Version and time of change are the store's own.
    expected = replace(expected, version=after.version, changed_at=after.changed_at)
    differing = [
        name for name in Consultation.__slots__ if getattr(expected, name) != getattr(after, name)
    ]
    if differing:
        raise Conflict("consultation.altered", elements=", ".join(differing))


def _points_right(after: Consultation, new: Resource) -> None:
    """What the model does not hold: the owner while it is a hospital, and reports of nowhere."""
    owner = words.id_of(new.get("owner"), "Organization")
    if owner and owner != after.request.expert_organisation:
        raise Conflict("consultation.altered", elements="owner")
    if new.get("output") and after.report is None:
        raise Invalid("consultation.opinion-not-signed")


def _moved_by(change: Change, new: Resource) -> None:
    practitioner, _, organisation = records.mover(new)
    if (practitioner, organisation) != (change.actor.practitioner, change.actor.organisation):
        raise Invalid("consultation.mover-not-named")


def _frozen(old: Resource, new: Resource) -> None:
    free = {"meta", "status", "authoredOn", "text"}
    altered = sorted(
        name
        for name in old.keys() | new.keys()
        if name not in free and old.get(name) != new.get(name)
    )
    if altered:
        raise Conflict("consultation.altered", elements=", ".join(altered))
