"""Signals as one exception in the main thread, so that every `with` block cleans up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Somebody asked this process to stop. Not an Exception: nothing may swallow it."""


class Stopping:
    """Turns the first signal into `Stopped` and ignores the rest while cleaning up."""

    def __init__(self) -> None:
        self._held = False
        self._asked = False

    def listen(self) -> None:
        for number in SIGNALS:
            signal.signal(number, self._on_signal)

    @contextmanager
    def later(self) -> Iterator[None]:
        """Let the block finish first: half a start could not be undone."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._asked:
            raise Stopped

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked:
            return
        self._asked = True
        if not self._held:
            raise Stopped
