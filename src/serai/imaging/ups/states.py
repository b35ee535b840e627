"""The states of a unified procedure step and every move between them (PS3.4 Table CC.1.1-2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Table CC.1.1-1; the values are those of Procedure Step State."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"


FINAL: Final = frozenset({State.COMPLETED, State.CANCELED})


class Asked(StrEnum):
    """What is asked of a workitem that is there: a state to change to, or that it be cancelled."""

    SCHEDULE = "SCHEDULED"
    CLAIM = "IN PROGRESS"
    COMPLETE = "COMPLETED"
    CANCEL = "CANCELED"
    REQUEST_CANCEL = "request cancellation"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The states gone through, one after the other; or why nothing changes. A warning says that
    what was asked is the case already (PS3.7: B3xx), a refusal is an error's key."""

    through: tuple[State, ...] = ()
    warning: bool = False
    refusal: str = ""
    performer_decides: bool = False


ENDED: Final = Outcome(refusal="ups.ended")
NOT_IN_PROGRESS: Final = Outcome(refusal="ups.not-in-progress")
ONLY_CREATED: Final = Outcome(refusal="ups.only-created-scheduled")
ALREADY_SO: Final = Outcome(warning=True)
WITHOUT_ITS_UID: Final = Outcome(refusal="ups.transaction-uid")

# With the right Transaction UID, where one is asked for.
MOVES: Final[dict[tuple[Asked, State], Outcome]] = {
    (Asked.SCHEDULE, State.SCHEDULED): ONLY_CREATED,
    (Asked.SCHEDULE, State.IN_PROGRESS): ONLY_CREATED,
    (Asked.SCHEDULE, State.COMPLETED): ONLY_CREATED,
    (Asked.SCHEDULE, State.CANCELED): ONLY_CREATED,
    (Asked.CLAIM, State.SCHEDULED): Outcome((State.IN_PROGRESS,)),
    (Asked.CLAIM, State.IN_PROGRESS): Outcome(refusal="ups.in-progress-already"),
    (Asked.CLAIM, State.COMPLETED): ENDED,
    (Asked.CLAIM, State.CANCELED): ENDED,
    (Asked.COMPLETE, State.SCHEDULED): NOT_IN_PROGRESS,
    (Asked.COMPLETE, State.IN_PROGRESS): Outcome((State.COMPLETED,)),
    (Asked.COMPLETE, State.COMPLETED): ALREADY_SO,
    (Asked.COMPLETE, State.CANCELED): ENDED,
    (Asked.CANCEL, State.SCHEDULED): NOT_IN_PROGRESS,
    (Asked.CANCEL, State.IN_PROGRESS): Outcome((State.CANCELED,)),
    (Asked.CANCEL, State.COMPLETED): ENDED,
    (Asked.CANCEL, State.CANCELED): ALREADY_SO,
    (Asked.REQUEST_CANCEL, State.SCHEDULED): Outcome((State.IN_PROGRESS, State.CANCELED)),
    (Asked.REQUEST_CANCEL, State.IN_PROGRESS): Outcome(performer_decides=True),
    (Asked.REQUEST_CANCEL, State.COMPLETED): Outcome(refusal="ups.completed-already"),
    (Asked.REQUEST_CANCEL, State.CANCELED): ALREADY_SO,
}
# Nobody needs to hold the workitem for these.
WITHOUT_UID: Final = frozenset({Asked.SCHEDULE, Asked.REQUEST_CANCEL})


def decide(asked: Asked, state: State, *, rightly: bool) -> Outcome:
    """What becomes of it; `rightly`: the Transaction UID given is the workitem's, or makes it so
    by claiming."""
    if not rightly and asked not in WITHOUT_UID:
        return WITHOUT_ITS_UID
    return MOVES[asked, state]
