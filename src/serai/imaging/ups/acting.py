"""What is done to a workitem: each act one transaction with its audit line and event reports."""

from __future__ import annotations

from datetime import datetime

from serai.imaging.archive.header import PatientKey, issuer_of
from serai.imaging.archive.patients import matching_patient
from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.ups import attributes as a
from serai.imaging.ups import reports, store, subscribing
from serai.imaging.ups.states import FINAL, Asked, Outcome, State, decide
from serai.imaging.ups.workitem import Workitem, changed, has_value, moved, new, with_progress
from serai.kernel.actor import Actor
from serai.kernel.errors import Conflict, Malformed
from serai.platform import audit
from serai.platform.db import Connection

# With which Transaction UID the server itself passes through IN PROGRESS.
BY_THE_SERVER = a.SOP_CLASS


async def create(
    tx: Connection, given: Attributes, uid: str, *, actor: Actor, now: datetime
) -> Workitem:
    """Workitems belong to the organisation that made them; the patient is whom the number and
    its issuer name there."""
    workitem = new(given, uid, now=now)
    number = PatientKey(issuer_of(given), first_text(given, a.PATIENT_ID))
    patient = await matching_patient(tx, actor.organisation, number, given)
    workitem = _about(workitem, patient)
    if not await store.add(tx, workitem, actor.organisation):
        raise Conflict("ups.exists")
    await subscribing.subscribe_to_new(tx, uid)
    await store.tell(tx, uid, reports.of_creation(workitem.attributes), now)
    await _audit(tx, "ups.create", workitem, actor, now)
    return workitem


async def update(
    tx: Connection,
    given: Attributes,
    uid: str,
    transaction_uid: str,
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """N-SET: a scheduled workitem is nobody's yet, one in progress its performer's."""
    workitem = await store.take(tx, uid, actor=actor)
    if workitem.state is State.IN_PROGRESS or transaction_uid:
        _require_uid(workitem, transaction_uid)
    if workitem.state in FINAL:
        # PS3.18 §11.6.2 wants 400 here.
        raise Malformed("ups.ended")
    after = changed(workitem, given, now=now)
    await _keep(tx, workitem, after, "ups.update", actor, now)


async def change_state(
    tx: Connection,
    uid: str,
    wanted: str,
    transaction_uid: str,
    *,
    actor: Actor,
    now: datetime,
) -> Outcome:
    """N-ACTION Change UPS State; the outcome may be that it was so already."""
    asked = _asked(wanted)
    if not transaction_uid:
        raise Malformed("ups.transaction-uid-missing")
    workitem = await store.take(tx, uid, actor=actor)
    rightly = workitem.transaction_uid in (None, transaction_uid)
    outcome = decide(asked, workitem.state, rightly=rightly)
    _raise_refusal(outcome)
    for state in outcome.through:
        after = moved(workitem, state, transaction_uid, now=now)
        await _keep(tx, workitem, after, _act(state), actor, now)
        workitem = after
    return outcome


async def request_cancellation(
    tx: Connection, uid: str, told: Attributes, *, actor: Actor, now: datetime, ae_title: str
) -> Outcome:
    """N-ACTION Request UPS Cancel: done while nobody has begun, told to the performer after."""
    unknown = set(told) - set(reports.CANCEL_INFORMATION) - {a.SPECIFIC_CHARACTER_SET}
    if unknown:
        raise Malformed("ups.not-of-a-cancellation", attributes=sorted(unknown))
    workitem = await store.take(tx, uid, actor=actor)
    outcome = decide(Asked.REQUEST_CANCEL, workitem.state, rightly=False)
    _raise_refusal(outcome)
    if outcome.performer_decides and not await store.has_listeners(tx, uid):
        raise Conflict("ups.performer-unreachable")
    if outcome.warning:
        return outcome
    await store.tell(tx, uid, [reports.cancel_requested(told, ae_title=ae_title)], now)
    await _audit(tx, "ups.request-cancel", workitem, actor, now)
    why = {tag: told[tag] for tag in (a.CANCEL_REASON, a.DISCONTINUATION) if has_value(told, tag)}
    for state in outcome.through:
        after = moved(workitem, state, BY_THE_SERVER, now=now)
        if state is State.CANCELED and why:
            after = with_progress(after, why)
        await _keep(tx, workitem, after, _act(state), actor, now)
        workitem = after
    return outcome


def _about(workitem: Workitem, patient: str | None) -> Workitem:
    if patient is None:
        return workitem
    return Workitem(
        workitem.id, workitem.state, workitem.transaction_uid, workitem.attributes, (patient,)
    )


def _asked(wanted: str) -> Asked:
    try:
        asked = Asked(wanted)
    except ValueError as error:
        raise Malformed("ups.no-such-state") from error
    if asked is Asked.REQUEST_CANCEL:
        raise Malformed("ups.no-such-state")
    return asked


def _act(state: State) -> str:
    return f"ups.{state.value.lower().replace(' ', '-')}"


def _require_uid(workitem: Workitem, transaction_uid: str) -> None:
    if not transaction_uid:
        raise Malformed("ups.transaction-uid-missing")
    if workitem.transaction_uid != transaction_uid:
        raise Malformed("ups.transaction-uid")


def _raise_refusal(outcome: Outcome) -> None:
    if outcome.refusal in ("ups.transaction-uid", "ups.only-created-scheduled"):
        raise Malformed(outcome.refusal)
    if outcome.refusal:
        raise Conflict(outcome.refusal)


async def _keep(
    tx: Connection, before: Workitem, after: Workitem, act: str, actor: Actor, now: datetime
) -> None:
    await store.put(tx, after)
    await store.tell(tx, after.id, reports.of_change(before.attributes, after.attributes), now)
    await _audit(tx, act, after, actor, now)


async def _audit(tx: Connection, act: str, workitem: Workitem, actor: Actor, now: datetime) -> None:
    await audit.record(
        tx,
        actor=actor,
        act=act,
        at=now,
        resource=f"Workitem/{workitem.id}",
        patients=workitem.patients,
    )
