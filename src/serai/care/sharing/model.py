"""A link to one study: what it grants, and when it has ended. Pure values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from serai.kernel.errors import Invalid

LONGEST = timedelta(days=90)
MOST_VIEWS = 1000
# So many wrong passcodes in a row lock a link for good.
MOST_TRIES = 10
# How long a browser that has opened a link may look without opening it again.
VISIT = timedelta(hours=4)
CLINICIANS = ("doctor", "expert", "desk")


class Purpose(StrEnum):
    """Why a study leaves the house; shown to whoever opens the link."""

    PATIENT = "patient"
    SECOND_OPINION = "second-opinion"
    REFERRAL = "referral"
    INSURANCE = "insurance"
    TEACHING = "teaching"


class State(StrEnum):
    OPEN = "open"
    EXPIRED = "expired"
    REVOKED = "revoked"
    USED_UP = "used-up"
    LOCKED = "locked"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the maker of a link asks for."""

    purpose: Purpose
    lasts: timedelta
    hides_name: bool = False
    passcode: bool = True
    download: bool = False
    most_views: int | None = None

    def check(self) -> None:
        if not timedelta(0) < self.lasts <= LONGEST:
            raise Invalid("sharing.lasts", days=LONGEST.days)
        if self.most_views is not None and not 0 < self.most_views <= MOST_VIEWS:
            raise Invalid("sharing.most-views", most=MOST_VIEWS)


@dataclass(frozen=True, slots=True)
class Event:
    """Somebody opened a link, was refused, or took the study with them."""

    at: datetime
    act: str
    address: str


@dataclass(frozen=True, slots=True)
class Link:
    """A link as its makers see it; the secret is nowhere."""

    id: str
    study: str
    resource: str
    organisation: str
    made_by_name: str
    purpose: Purpose
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    hides_name: bool
    download: bool
    passcode_hash: str | None
    most_views: int | None
    views: int
    wrong_tries: int

    def state(self, now: datetime) -> State:
        if self.revoked_at is not None:
            return State.REVOKED
        if self.expires_at <= now:
            return State.EXPIRED
        if self.wrong_tries >= MOST_TRIES:
            return State.LOCKED
        if self.most_views is not None and self.views >= self.most_views:
            return State.USED_UP
        return State.OPEN

    @property
    def pseudonym(self) -> str:
        """What stands for the patient's number; says nothing, and differs from link to link."""
        return f"LINK-{self.id[-12:].upper()}"
