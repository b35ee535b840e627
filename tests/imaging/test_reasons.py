from __future__ import annotations

import re
from pathlib import Path

import pytest

from serai.imaging import reasons
from serai.imaging.dicomweb.answers import BY_ERROR, REASONS, refusal
from serai.imaging.dimse import status
from serai.kernel import errors
from serai.kernel.errors import Conflict, SeraiError, Unavailable

RAISED = re.compile(
    r'(?:Malformed|Invalid|Conflict|NotFound|Unsupported|TooLarge)\(\s*"([a-z0-9.-]+)"'
)
# Raised for pages and for whoever sets the server up, which have their own words for them.
NOT_OURS = re.compile(
    r"(?:analysis|ecg|light|media|model|uploads)\.|dimse\.(ae-title|port-taken|no-context)|imaging\.(no-such-study|study-has-pictures|study-uid-changed)"
)
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]


def raised_keys() -> set[str]:
    folder = Path(reasons.__file__).parent
    return {key for path in folder.rglob("*.py") for key in RAISED.findall(path.read_text())}


def test_every_refusal_says_why() -> None:
    ours = {key for key in raised_keys() if not NOT_OURS.match(key)}
    fine_print = {key for key in ours if key.startswith(("rendering.", "wado."))}
    assert ours - fine_print <= reasons.FAILURES.keys() | REASONS.keys()


@pytest.mark.parametrize("key", sorted(reasons.FAILURES))
def test_every_comment_fits_its_element(key: str) -> None:
    code, comment = reasons.failure(SeraiError(key, tag="7FE00010"))
    assert 0 < code <= 0xFFFF
    assert len(comment) <= 64


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS if issubclass(kind, SeraiError) and kind is not SeraiError],
    ids=lambda kind: kind.__name__,
)
def test_every_kind_of_error_has_a_status(kind: type[SeraiError]) -> None:
    assert any(parent in BY_ERROR for parent in kind.__mro__)
    assert refusal(kind("some.key"), sent=False).status_code >= 400
    assert status.refused(kind("some.key")).Status != status.SUCCESS


def test_a_full_disk_asks_the_sender_to_try_again() -> None:
    assert status.refused(Unavailable("storage.full")).Status == reasons.OUT_OF_RESOURCES


def test_a_duplicate_is_told_apart_from_a_broken_object() -> None:
    duplicate = status.refused(Conflict("imaging.instance-differs"))
    assert duplicate.Status == reasons.DUPLICATE_INSTANCE
    assert "other content" in duplicate.ErrorComment
