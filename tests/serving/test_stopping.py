"""The first signal ends everything, once, and never in the middle of a start."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from serai.serving.stopping import SIGNALS, Stopped, Stopping


@pytest.fixture
def stopping() -> Iterator[Stopping]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    stopping = Stopping()
    stopping.listen()
    yield stopping
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_what_runs(stopping: Stopping, number: signal.Signals) -> None:
    with pytest.raises(Stopped):
        os.kill(os.getpid(), number)


def test_impatient_signals_do_not_disturb_the_cleaning_up(stopping: Stopping) -> None:
    with pytest.raises(Stopped):
        os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_start_under_way_is_finished_first(stopping: Stopping) -> None:
    done: list[str] = []

    def start() -> None:
        with stopping.later():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("started")

    with pytest.raises(Stopped):
        start()
    assert done == ["started"]
