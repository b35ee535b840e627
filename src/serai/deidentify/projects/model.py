"""A project as values: what it is for, how it takes the patient out, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from serai.deidentify.profile.options import Option, chosen
from serai.kernel.errors import Invalid

LONGEST_NAME = 120
LONGEST_PURPOSE = 2000
MOST_AT_ONCE = 1000
PER_PAGE = 25
# Of one object, as it is stored.
MOST_MB = 512
# Long enough to say something, for whoever reads the audit trail.
SHORTEST_REASON = 8
MAY_LEAD = ("doctor", "expert")


class Writing(StrEnum):
    """Which burned-in writing is painted over."""

    ALL = "all"
    IDENTIFYING = "identifying"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a project is agreed to do; it does not change once it is made."""

    name: str
    purpose: str
    options: frozenset[Option] = frozenset()
    writing: Writing = Writing.ALL
    stored: bool = False

    @classmethod
    def agreed(
        cls, name: str, purpose: str, options: Sequence[str], *, writing: str, stored: bool
    ) -> Terms:
        """Invalid or Unsupported when the options cannot be what is meant."""
        taken = chosen(options)
        if not name.strip() or not purpose.strip():
            raise Invalid("deidentify.name-and-purpose")
        if len(name) > LONGEST_NAME or len(purpose) > LONGEST_PURPOSE:
            raise Invalid("deidentify.too-long")
        if writing not in list(Writing):
            raise Invalid("deidentify.unknown-writing", writing=writing[:40])
        if stored and Option.RETAIN_UIDS in taken:
            # The archive has an object of each of these UIDs already: the patient's.
            raise Invalid("deidentify.stored-needs-new-uids")
        return cls(name.strip(), purpose.strip(), taken, Writing(writing), stored)


@dataclass(frozen=True, slots=True)
class Project:
    """`keeper` alone may ask who a subject is, and may end the project."""

    id: str
    organisation: str
    terms: Terms
    keeper: str
    keeper_name: str
    created_at: datetime
    job: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the latest run is; `error` is a message key."""

    status: str
    done: int
    total: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Result:
    """What the project holds now."""

    studies: int = 0
    subjects: int = 0
    objects: int = 0
    size: int = 0
    regions: int = 0
    identifying: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list of projects."""

    project: Project
    result: Result


@dataclass(frozen=True, slots=True)
class Chosen:
    """A study of the record; `added` if it is in the project."""

    uid: str
    day: str
    modalities: tuple[str, ...]
    description: str
    patient: str
    number: str
    instances: int
    added: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything about one project that its members see."""

    project: Project
    members: tuple[str, ...]
    studies: tuple[Chosen, ...]
    more_studies: bool
    result: Result
    refusals: tuple[tuple[str, int], ...]
    progress: Progress | None


@dataclass(frozen=True, slots=True)
class Source:
    """One object of the record that the project has not taken yet."""

    uid: str
    study: str
    blob: str
    size: int


@dataclass(frozen=True, slots=True)
class Taken:
    """One new object; `blob` is None when the archive keeps it."""

    uid: str
    study: str
    series: str
    pseudonym: str
    blob: str | None
    size: int
    regions: int
    identifying: int


@dataclass(frozen=True, slots=True)
class Shown:
    """Whom a study shows: by the record, by number, or by nothing but the study itself; and
    what the archive calls the patient, corrections included."""

    study: str
    owner: str
    issuer: str
    number: str
    patients: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def known_as(self) -> list[str]:
        """The surest first."""
        names = [f"patient:{one}" for one in self.patients[:1]]
        if self.number:
            names.append(f"number:{self.owner}|{self.issuer}|{self.number}")
        return names or [f"study:{self.study}"]
