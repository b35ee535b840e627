"""Every error this room can raise is translated, and has words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from serai.fhir import outcome
from serai.fhir.messages import MESSAGES
from serai.kernel import errors
from serai.kernel.errors import SeraiError

ROOM = Path("src/serai/fhir")
ERRORS = [
    found
    for found in vars(errors).values()
    if isinstance(found, type) and issubclass(found, SeraiError) and found is not SeraiError
]


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_has_a_status_and_a_code(error: type[SeraiError]) -> None:
    assert error in outcome.BY_ERROR


def test_every_key_raised_here_has_a_sentence() -> None:
    names = "|".join(error.__name__ for error in [*ERRORS, outcome.NotAcceptable])
    raised = re.compile(rf'(?:{names}|NotHonoured|MethodNotAllowed)\(\s*"([a-z.-]+)"')
    keys = {key for path in ROOM.rglob("*.py") for key in raised.findall(path.read_text())}
    assert len(keys) > 30
    assert keys <= set(MESSAGES)
