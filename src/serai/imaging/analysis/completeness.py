"""When a series is complete: rules over what is known of it, each with its name on record.

DICOM has no mark for the end of a series, so the strongest sign there is decides; time alone is
the last resort, and a modality's own word that more is to come holds it off for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

# Between two associations of a sender that opens one per image.
BREATH = timedelta(seconds=10)
# After the last sender has finished, when nothing else speaks.
QUIET = timedelta(minutes=2)
# While no sender has finished: one may still be sending slowly, or was cut off by a crash.
UNENDED_QUIET = timedelta(minutes=10)
# While less is here than was announced.
PATIENCE = timedelta(minutes=30)


class Reason(StrEnum):
    """Why a series was taken for complete."""

    MPPS = "mpps"
    COMMITMENT = "commitment"
    COUNT = "count"
    CONTIGUOUS = "contiguous"
    QUIET = "quiet"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of one series. `performed` and `committed` are the instances that its
    modality has named, `stated` is NumberOfSeriesRelatedInstances (0020,1209) where sent."""

    present: frozenset[str]
    numbers: Sequence[int | None]
    last_at: datetime
    ended_at: datetime | None
    performed: frozenset[str] = frozenset()
    committed: frozenset[str] = frozenset()
    stated: int | None = None

    @property
    def ended(self) -> bool:
        """Whether a sender has finished since the last instance came."""
        return self.ended_at is not None and self.ended_at >= self.last_at

    @property
    def announced_more(self) -> bool:
        missing = bool(self.performed - self.present) or bool(self.committed - self.present)
        return missing or (self.stated is not None and len(self.present) < self.stated)

    @property
    def contiguous(self) -> bool:
        """Instance numbers 1, 2, … n (or from 0), each once."""
        known = [number for number in self.numbers if number is not None]
        whole = len(known) == len(self.numbers) > 1 and len(set(known)) == len(known)
        return whole and min(known) in (0, 1) and max(known) - min(known) == len(known) - 1


def complete(signs: Signs, now: datetime) -> Reason | None:
    """The strongest sign that the series is complete; None while there is none."""
    quiet = now - signs.last_at
    if signs.announced_more:
        return Reason.QUIET if quiet >= PATIENCE else None
    if signs.performed:
        return Reason.MPPS
    if signs.committed and signs.committed == signs.present:
        return Reason.COMMITMENT
    if not signs.ended:
        return Reason.QUIET if quiet >= UNENDED_QUIET else None
    if signs.stated is not None:
        return Reason.COUNT
    if signs.contiguous and quiet >= BREATH:
        return Reason.CONTIGUOUS
    return Reason.QUIET if quiet >= QUIET else None
