"""Every question in every state (PS3.4 Table CC.1.1-2): by the table and over HTTP alike."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, product
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tests.imaging.serving import Server
from tests.imaging.ups.asking import LOCK, PERFORMED, Worklist

from serai.imaging import reasons
from serai.imaging.ups.states import MOVES, Asked, State, decide
from serai.imaging.ups.subscribing import AE_TITLE

WRONG = "2.25.222"
LOCKS = st.sampled_from(["2.25.1", "2.25.2"])
STATES = ("SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED")
# As the standard's table writes it, column by column: DICOM's status, or the states gone through.
TABLE: dict[tuple[str, bool], tuple[int | str, ...]] = {
    ("IN PROGRESS", True): ("→ IN PROGRESS", 0xC302, 0xC300, 0xC300),
    ("IN PROGRESS", False): (0xC301, 0xC301, 0xC301, 0xC301),
    ("SCHEDULED", True): (0xC303, 0xC303, 0xC303, 0xC303),
    ("SCHEDULED", False): (0xC303, 0xC303, 0xC303, 0xC303),
    ("COMPLETED", True): (0xC310, "→ COMPLETED", 0xB306, 0xC300),
    ("COMPLETED", False): (0xC301, 0xC301, 0xC301, 0xC301),
    ("CANCELED", True): (0xC310, "→ CANCELED", 0xC300, 0xB304),
    ("CANCELED", False): (0xC301, 0xC301, 0xC301, 0xC301),
    ("request cancellation", True): ("→ IN PROGRESS → CANCELED", "told", 0xC311, 0xB304),
    ("request cancellation", False): ("→ IN PROGRESS → CANCELED", "told", 0xC311, 0xB304),
}
ASKED = [
    (asked, rightly, state, outcome)
    for (asked, rightly), outcomes in TABLE.items()
    for state, outcome in zip(STATES, outcomes, strict=True)
]
BAD_REQUESTS = (0xC301, 0xC303)


@pytest.mark.parametrize(("asked", "rightly", "state", "expected"), ASKED)
def test_the_table_is_the_standards(
    asked: str, rightly: bool, state: str, expected: int | str
) -> None:
    outcome = decide(Asked(asked), State(state), rightly=rightly)
    if isinstance(expected, str):
        assert not outcome.refusal
        assert not outcome.warning
        gone = "".join(f" → {each.value}" for each in outcome.through).strip()
        assert gone == expected if expected != "told" else outcome.performer_decides
    elif expected >= 0xC000:
        assert reasons.FAILURES[outcome.refusal][0] == expected
    else:
        assert outcome.warning
        assert not outcome.through


def test_no_question_is_left_unanswered() -> None:
    assert set(MOVES) == set(product(Asked, State))
    refusals = {outcome.refusal for outcome in MOVES.values()} - {""}
    assert refusals <= reasons.FAILURES.keys()


@pytest.mark.parametrize("state", STATES)
def test_an_illegal_move_changes_nothing(shared_server: Server, state: str) -> None:
    """Every illegal question of a state, asked of one workitem that is in it."""
    worklist, uid = Worklist.of(shared_server, "county"), f"1.5.{STATES.index(state)}"
    worklist.created(uid)
    worklist.bring_to(uid, state)
    before = worklist.read(uid)
    for asked, rightly, of_state, expected in ASKED:
        if of_state != state or isinstance(expected, str) or asked == "request cancellation":
            continue
        # In SCHEDULED no Transaction UID is wrong yet; one that is missing is.
        wrong = WRONG if state != "SCHEDULED" else ""
        if not rightly and asked == "SCHEDULED" and not wrong:
            continue
        answer = worklist.move(uid, asked, LOCK if rightly else wrong)
        if expected < 0xC000:
            assert (answer.status_code, answer.headers["Warning"].rpartition(": ")[2]) == (
                200,
                f"The UPS is already in the requested state of {asked}.",
            )
        else:
            assert answer.status_code == (400 if expected in BAD_REQUESTS else 409), (
                asked,
                rightly,
            )
            assert reasons.FAILURES[answer.json()["error"]][0] == expected
            assert "Warning" in answer.headers
        assert worklist.read(uid) == before
    assert worklist.move(uid, "SUSPENDED").status_code == 400


class Performing(RuleBasedStateMachine):
    """One workitem, two performers, and what the rules allow them."""

    worklist: ClassVar[Worklist]
    numbers: ClassVar[Iterator[int]] = count(1)

    def __init__(self) -> None:
        super().__init__()
        self.uid = self.worklist.created(f"1.6.{next(self.numbers)}")
        self.state, self.holder, self.performed = "SCHEDULED", "", False

    @rule(lock=LOCKS)
    def claim(self, lock: str) -> None:
        free = self.state == "SCHEDULED"
        assert (self.worklist.move(self.uid, "IN PROGRESS", lock).status_code == 200) is free
        if free:
            self.state, self.holder = "IN PROGRESS", lock

    @rule(lock=LOCKS)
    def perform(self, lock: str) -> None:
        mine = self.state == "IN PROGRESS" and lock == self.holder
        assert (self.worklist.update(self.uid, PERFORMED, lock).status_code == 200) is mine
        self.performed = self.performed or mine

    @rule(lock=LOCKS)
    def complete(self, lock: str) -> None:
        mine = lock == self.holder
        done = mine and self.state == "IN PROGRESS" and self.performed
        allowed = done or (mine and self.state == "COMPLETED")
        assert (self.worklist.move(self.uid, "COMPLETED", lock).status_code == 200) is allowed
        self.state = "COMPLETED" if done else self.state

    @rule(lock=LOCKS)
    def cancel(self, lock: str) -> None:
        allowed = lock == self.holder and self.state in ("IN PROGRESS", "CANCELED")
        assert (self.worklist.move(self.uid, "CANCELED", lock).status_code == 200) is allowed
        self.state = "CANCELED" if allowed else self.state

    @rule()
    def request_cancellation(self) -> None:
        answer = self.worklist.ask("POST", f"/{self.uid}/cancelrequest")
        # Nobody listens here, so a performer cannot be told.
        allowed = self.state in ("SCHEDULED", "CANCELED")
        assert answer.status_code == (202 if allowed else 409)
        self.state = "CANCELED" if allowed else self.state

    @invariant()
    def the_state_is_as_expected(self) -> None:
        assert self.worklist.state(self.uid) == self.state


def test_whatever_is_asked_in_whatever_order_the_rules_hold(shared_server: Server) -> None:
    Performing.worklist = Worklist.of(shared_server, "county")
    few = settings(max_examples=6, stateful_step_count=10, deadline=None)
    run_state_machine_as_test(Performing, settings=few)


def test_an_ae_title_is_what_the_standard_calls_one() -> None:
    assert AE_TITLE.fullmatch("READING ROOM 1")
    for wrong in ("", " X", "X ", "A" * 17, "A\\B", "阅片室"):
        assert not AE_TITLE.fullmatch(wrong), wrong
