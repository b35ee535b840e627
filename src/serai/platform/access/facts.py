"""What a decision about access is made from, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from serai.platform.access.provisions import Provision


class Act(StrEnum):
    READ = "read"
    CHANGE = "change"
    ERASE = "erase"


class Relation(StrEnum):
    """How the asker's organisation stands to a record, the closest first."""

    WHOLE = "whole network"
    CUSTODIAN = "custodian"
    AUTHOR = "author"
    SHARED = "open reason"
    DIRECTORY = "directory"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody in one role at one organisation. `system_wide` is the server and machines that
    serve no single organisation."""

    role: str
    organisation: str | None
    practitioner: str | None = None
    system_wide: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """The record: its type and id, who wrote it, who keeps the patients it is about (None where
    a patient is unknown here), and its security labels as (system, code)."""

    type: str
    id: str
    author: str | None = None
    patients: frozenset[str] = frozenset()
    custodians: frozenset[str | None] = frozenset()
    labels: frozenset[tuple[str, str]] = frozenset()
    directory: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """The moment. `reasons` are the open ones by which this record is shared with the asker's
    organisation (``Task/7``); `provisions` the refusals in force, with the patient of each;
    `held` says that a law forbids erasing now."""

    now: datetime
    reasons: frozenset[str] = frozenset()
    provisions: tuple[tuple[str, Provision], ...] = ()
    purpose: str = "TREAT"
    held: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` names the rule that decided: a relation, or what refused."""

    permit: bool
    reason: str
