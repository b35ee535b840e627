"""Waiting for an answer on an association whose own loop would take it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

LOOK_AGAIN_S: Final = 0.0005


@contextmanager
def reactor_held(association: Any) -> Iterator[None]:
    """Keep pynetdicom's own loop from taking the answer that is waited for."""
    association._reactor_checkpoint.clear()  # noqa: SLF001 - as its send_c_store does
    while not association._is_paused:  # noqa: SLF001
        time.sleep(LOOK_AGAIN_S)
    try:
        yield
    finally:
        association._reactor_checkpoint.set()  # noqa: SLF001
