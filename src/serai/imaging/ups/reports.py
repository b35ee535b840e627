"""Event reports (PS3.4 Table CC.2.4-1): which a change brings, and what each says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from serai.imaging.dataset.model_json import Attributes
from serai.imaging.ups import attributes as a

EVENT_TYPE: Final = "00001002"
STATE_REPORT, CANCEL_REQUESTED, PROGRESS_REPORT, STATUS_CHANGE, ASSIGNED = range(1, 6)
REQUESTING_AE: Final = "00741236"
SERVER_STATUS: Final = "00741242"
SUBSCRIPTIONS_STATUS: Final = "00741244"
WORKITEMS_STATUS: Final = "00741246"
# What may be said with a request to cancel (Table CC.2.2-1).
CANCEL_INFORMATION: Final = (a.CANCEL_REASON, a.DISCONTINUATION, a.CONTACT_URI, a.CONTACT_NAME)
# Of the progress information, what is worth a report.
TOLD_OF_PROGRESS: Final = ("00741004", "00741006", "00741008")
OF_PERFORMER: Final = ("00404009", "00404036")


def state_report(attributes: Attributes) -> Attributes:
    """UPS State Report: where it stands, and why if it was stopped."""
    told = {tag: attributes[tag] for tag in (a.STATE, a.READINESS)}
    progress = _item(attributes, a.PROGRESS)
    reasons = {t: progress[t] for t in (a.DISCONTINUATION, a.CANCEL_REASON) if t in progress}
    return _of_type(STATE_REPORT) | told | reasons


def cancel_requested(asked: Attributes, *, ae_title: str) -> Attributes:
    """UPS Cancel Requested, as asked for; over HTTP the AE that asks is this server."""
    told = {tag: asked[tag] for tag in CANCEL_INFORMATION if tag in asked}
    return _of_type(CANCEL_REQUESTED) | told | {REQUESTING_AE: {"vr": "AE", "Value": [ae_title]}}


def progress_report(attributes: Attributes) -> Attributes:
    return _of_type(PROGRESS_REPORT) | {a.PROGRESS: attributes[a.PROGRESS]}


def assigned(attributes: Attributes) -> Attributes:
    """UPS Assigned: the stations, and the first of the people."""
    performer = _item(attributes, a.HUMAN_PERFORMERS)
    told = {tag: attributes[tag] for tag in _assignment(attributes)}
    return _of_type(ASSIGNED) | told | {t: performer[t] for t in OF_PERFORMER if t in performer}


def restarted() -> Attributes:
    """SCP Status Change: both lists are in the database, so nothing of them was lost."""
    return _of_type(STATUS_CHANGE) | {
        SERVER_STATUS: _status("RESTARTED"),
        SUBSCRIPTIONS_STATUS: _status("WARM START"),
        WORKITEMS_STATUS: _status("WARM START"),
    }


def of_creation(attributes: Attributes) -> list[Attributes]:
    reports = [state_report(attributes)]
    return [*reports, assigned(attributes)] if _assignment(attributes) else reports


def of_change(before: Attributes, after: Attributes) -> list[Attributes]:
    """§CC.2.4.3: state and readiness, who is to do it, how far it is."""
    return list(_of_change(before, after))


def event(workitem: str | None, number: int, content: Attributes) -> Attributes:
    """The report as an N-EVENT-REPORT has it (PS3.18 §11.13)."""
    head: Attributes = {
        "00000002": {"vr": "UI", "Value": [a.SOP_CLASS]},
        "00000110": {"vr": "US", "Value": [number & 0xFFFF]},
    }
    if workitem:
        head[a.AFFECTED_SOP_INSTANCE_UID] = {"vr": "UI", "Value": [workitem]}
    return dict(sorted((head | content).items()))


def _of_change(before: Attributes, after: Attributes) -> Iterator[Attributes]:
    if any(before.get(tag) != after.get(tag) for tag in (a.STATE, a.READINESS)):
        yield state_report(after)
    if _assignment(before) != _assignment(after):
        yield assigned(after)
    old, new = _item(before, a.PROGRESS), _item(after, a.PROGRESS)
    if any(old.get(tag) != new.get(tag) for tag in TOLD_OF_PROGRESS):
        yield progress_report(after)


def _assignment(attributes: Attributes) -> Attributes:
    return {
        tag: attributes[tag]
        for tag in (a.STATION_NAMES, a.HUMAN_PERFORMERS)
        if attributes.get(tag, {}).get("Value")
    }


def _item(attributes: Attributes, tag: str) -> Attributes:
    items = attributes.get(tag, {}).get("Value") or [{}]
    item: Attributes = items[0]
    return item


def _of_type(kind: int) -> Attributes:
    return {EVENT_TYPE: {"vr": "US", "Value": [kind]}}


def _status(text: str) -> dict[str, Any]:
    return {"vr": "CS", "Value": [text]}
