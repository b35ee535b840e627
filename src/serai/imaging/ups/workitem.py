"""A workitem as a value: made, changed and ended by the rules of PS3.4 §CC.2; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from serai.imaging.archive.header import UTF_8
from serai.imaging.dataset.model_json import Attributes, first_text, vr_of
from serai.imaging.ups import attributes as a
from serai.imaging.ups.attributes import ENUMERATED, ITEM_RULES, RULES
from serai.imaging.ups.moments import written
from serai.imaging.ups.states import FINAL, State
from serai.kernel.errors import Conflict, Malformed

# Where nobody named a worklist.
DEFAULT_WORKLIST: Final = "WORKLIST"


@dataclass(frozen=True, slots=True)
class Workitem:
    """`attributes` are what is served; the Transaction UID is kept apart and never told."""

    id: str
    state: State
    transaction_uid: str | None
    attributes: Attributes
    patients: tuple[str, ...] = ()
    ended_at: datetime | None = None


def new(given: Attributes, uid: str, *, now: datetime) -> Workitem:
    """What N-CREATE makes (§CC.2.5); Malformed names everything that is missing or wrong."""
    for tag in (a.SOP_INSTANCE_UID, a.AFFECTED_SOP_INSTANCE_UID):
        if first_text(given, tag) not in ("", uid):
            raise Malformed("ups.another-uid", attribute=tag)
    if first_text(given, a.SOP_CLASS_UID) not in ("", a.SOP_CLASS):
        raise Malformed("ups.value", attributes=[a.SOP_CLASS_UID])
    filled = [tag for tag in (a.TRANSACTION_UID, *_of(create="E")) if has_value(given, tag)]
    if filled:
        raise Malformed("ups.not-at-creation", attributes=sorted(filled))
    missing = [*_missing(given), *_missing_in_items(given)]
    if missing:
        raise Malformed("ups.missing", attributes=sorted(missing))
    _require_known_values(given)
    if first_text(given, a.STATE) != State.SCHEDULED:
        raise Malformed("ups.not-scheduled")
    kept = {
        tag: attribute
        for tag, attribute in given.items()
        if tag not in (a.TRANSACTION_UID, a.AFFECTED_SOP_INSTANCE_UID)
    } | {
        a.SPECIFIC_CHARACTER_SET: UTF_8,
        a.SOP_CLASS_UID: _filled(a.SOP_CLASS_UID, a.SOP_CLASS),
        a.SOP_INSTANCE_UID: _filled(a.SOP_INSTANCE_UID, uid),
        a.MODIFIED: _filled(a.MODIFIED, written(now)),
        a.PROGRESS: {"vr": "SQ"},
        a.PERFORMED: {"vr": "SQ"},
    }
    if not has_value(kept, a.WORKLIST_LABEL):
        kept[a.WORKLIST_LABEL] = _filled(a.WORKLIST_LABEL, DEFAULT_WORKLIST)
    return Workitem(uid, State.SCHEDULED, None, _ordered(kept))


def changed(workitem: Workitem, given: Attributes, *, now: datetime) -> Workitem:
    """What N-SET makes (§CC.2.6): each attribute given replaces the one there, sequences whole."""
    wanted = {tag: each for tag, each in given.items() if tag != a.TRANSACTION_UID}
    refused = [tag for tag in wanted if not _may_be_set(tag)]
    if refused:
        raise Malformed("ups.not-to-be-set", attributes=sorted(refused))
    emptied = [tag for tag in _of(set="1") if tag in wanted and not has_value(wanted, tag)]
    missing = [*emptied, *_missing_in_items(wanted)]
    if missing:
        raise Malformed("ups.missing", attributes=sorted(missing))
    _require_known_values(wanted)
    own = {a.SPECIFIC_CHARACTER_SET: UTF_8, a.MODIFIED: _filled(a.MODIFIED, written(now))}
    return replace(workitem, attributes=_ordered(workitem.attributes | wanted | own))


def moved(workitem: Workitem, to: State, transaction_uid: str, *, now: datetime) -> Workitem:
    """In its next state, with all that state requires (§CC.2.5.1.1)."""
    attributes = workitem.attributes
    if to is State.CANCELED:
        attributes = _with_cancellation(attributes, now)
    if to is State.COMPLETED:
        missing = list(_missing_of_performed(attributes))
        if missing:
            raise Conflict("ups.final-state", attributes=missing)
    return replace(
        workitem,
        state=to,
        transaction_uid=workitem.transaction_uid or transaction_uid,
        attributes=_ordered(attributes | {a.STATE: _filled(a.STATE, to.value)}),
        ended_at=now if to in FINAL else None,
    )


def with_progress(workitem: Workitem, told: Attributes) -> Workitem:
    """What is told of it goes into its progress information, which has one item."""
    items = workitem.attributes.get(a.PROGRESS, {}).get("Value", [])
    item = _ordered((items[0] if items else {}) | told)
    progress = {"vr": "SQ", "Value": [item, *items[1:]]}
    return replace(workitem, attributes=workitem.attributes | {a.PROGRESS: progress})


def has_value(attributes: Mapping[str, Any], tag: str) -> bool:
    attribute = attributes.get(tag, {})
    return bool(attribute.get("Value") or attribute.get("InlineBinary"))


def _of(**wanted: str) -> Iterator[str]:
    return (
        tag
        for tag, rule in RULES.items()
        if all(getattr(rule, name) == value for name, value in wanted.items())
    )


def _may_be_set(tag: str) -> bool:
    rule = RULES.get(tag)
    if tag == a.AFFECTED_SOP_INSTANCE_UID:
        return False
    return rule is None or rule.set != "N"


def _missing(given: Attributes) -> Iterator[str]:
    yield from (tag for tag in _of(create="1") if not has_value(given, tag))
    yield from (tag for tag in _of(create="2") if tag not in given)


def _missing_in_items(given: Attributes, path: str = "") -> Iterator[str]:
    for tag, attribute in given.items():
        if attribute["vr"] != "SQ":
            continue
        for number, item in enumerate(attribute.get("Value", [])):
            place = f"{path}{tag}/{number}/"
            valued, there = (text.split() for text in ITEM_RULES.get(tag, ("", "")))
            yield from (place + each for each in valued if not has_value(item, each))
            yield from (place + each for each in there if each not in item)
            if _is_of_codes(tag):
                yield from (place + each for each in _missing_of_code(item))
            yield from _missing_in_items(item, place)


def _is_of_codes(tag: str) -> bool:
    from pydicom.datadict import keyword_for_tag

    return str(keyword_for_tag(int(tag, 16))).endswith("CodeSequence")


def _missing_of_code(item: Attributes) -> Iterator[str]:
    """A meaning, one code, and whose code it is unless its URN says (Table CC.2.5-2a)."""
    if not has_value(item, a.CODE_MEANING):
        yield a.CODE_MEANING
    given = [tag for tag in a.CODES if has_value(item, tag)]
    if not given:
        yield a.CODES[0]
    elif given != [a.URN_CODE] and not has_value(item, a.CODING_SCHEME):
        yield a.CODING_SCHEME


def _require_known_values(given: Attributes) -> None:
    wrong = [
        tag
        for tag, known in ENUMERATED.items()
        if tag in given and first_text(given, tag) not in known
    ]
    several = [
        tag
        for tag in (a.STATE, a.START, a.EXPECTED_COMPLETION, a.EXPIRATION, *ENUMERATED)
        if len(given.get(tag, {}).get("Value", [])) > 1
    ]
    if wrong or several:
        raise Malformed("ups.value", attributes=sorted({*wrong, *several}))


def _missing_of_performed(attributes: Attributes) -> Iterable[str]:
    items = attributes.get(a.PERFORMED, {}).get("Value", [])
    if not items:
        yield a.PERFORMED
    for number, item in enumerate(items):
        place = f"{a.PERFORMED}/{number}/"
        yield from (place + tag for tag in a.PERFORMED_VALUES if not has_value(item, tag))
        yield from (place + tag for tag in a.PERFORMED_THERE if tag not in item)


def _with_cancellation(attributes: Attributes, now: datetime) -> Attributes:
    """When and why, where the performer did not say (final state X)."""
    items = attributes.get(a.PROGRESS, {}).get("Value", [])
    item = dict(items[0]) if items else {}
    if not has_value(item, a.CANCELED_AT):
        item[a.CANCELED_AT] = _filled(a.CANCELED_AT, written(now))
    if not has_value(item, a.DISCONTINUATION):
        item[a.DISCONTINUATION] = {"vr": "SQ", "Value": [_code(*a.UNSPECIFIED_REASON)]}
    return attributes | {a.PROGRESS: {"vr": "SQ", "Value": [_ordered(item), *items[1:]]}}


def _code(value: str, scheme: str, meaning: str) -> Attributes:
    pairs = ((a.CODES[0], value), (a.CODING_SCHEME, scheme), (a.CODE_MEANING, meaning))
    return _ordered({tag: _filled(tag, text) for tag, text in pairs})


def _filled(tag: str, value: str) -> dict[str, Any]:
    return {"vr": vr_of(int(tag, 16)), "Value": [value]}


def _ordered(attributes: Attributes) -> Attributes:
    return dict(sorted(attributes.items()))
