"""What a chart shows of a person, and the rules for entering one: pure values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from serai.kernel.errors import Invalid

OLDEST = 130


class Sex(StrEnum):
    """FHIR `administrative-gender`."""

    FEMALE = "female"
    MALE = "male"
    OTHER = "other"
    UNKNOWN = "unknown"


class Numbering(StrEnum):
    """Who gave the number that a person is known by."""

    NATIONAL = "national-id"
    PASSPORT = "passport"
    HOSPITAL = "hospital-number"


@dataclass(frozen=True, slots=True)
class Identifier:
    numbering: str
    value: str


@dataclass(frozen=True, slots=True)
class Person:
    """A patient as the banner shows them."""

    id: str
    name: str
    other_name: str = ""
    sex: str = "unknown"
    birth_date: str = ""
    identifiers: tuple[Identifier, ...] = ()
    phone: str = ""
    address: str = ""
    deceased: bool = False


@dataclass(frozen=True, slots=True)
class Registration:
    """What is asked when a person is first seen."""

    family: str
    given: str
    sex: Sex
    birth_date: date | None
    other_name: str = ""
    identifier: Identifier | None = None
    phone: str = ""
    address: str = ""

    def check(self, today: date) -> None:
        """Refuse what no person has."""
        if not (self.family or self.given):
            raise Invalid("chart.name-missing")
        if self.birth_date and self.birth_date > today:
            raise Invalid("chart.born-in-future")
        if self.birth_date and today.year - self.birth_date.year > OLDEST:
            raise Invalid("chart.born-too-long-ago")
        if self.identifier and not self.identifier.value.strip():
            raise Invalid("chart.number-missing")

    @property
    def full_name(self) -> str:
        return joined(self.family, self.given)


_EAST_ASIAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")


def joined(family: str, given: str) -> str:
    """A name in its usual order: family first and unspaced where it is written in Han or Hangul."""
    family, given = family.strip(), given.strip()
    if _EAST_ASIAN.search(family + given):
        return family + given
    return " ".join(part for part in (given, family) if part)


def words_of(name: str) -> frozenset[str]:
    """A name's words without accents, case, order or DICOM's carets, for comparing names."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return frozenset(re.findall(r"[^\W_]+", plain))


def same_name(one: str, others: Iterable[str]) -> bool:
    """Whether a name is one of the others, whatever the order and writing of its words.

    DICOM names carry several writings of one name, divided by `=` (PS3.5 §6.2.1).
    """
    writings = [words_of(writing) for writing in one.split("=") if words_of(writing)]
    known = [words_of(other) for other in others if words_of(other)]
    return any(
        writing == other or "".join(sorted(writing)) == "".join(sorted(other))
        for writing in writings
        for other in known
    ) or any(
        _unspaced(writing) in {_unspaced(other) for other in others} for writing in one.split("=")
    )


def _unspaced(name: str) -> str:
    return "".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", name.casefold())))


class Kind(StrEnum):
    """What the timeline can be filtered by."""

    ENCOUNTER = "encounter"
    CONDITION = "condition"
    OBSERVATION = "observation"
    REPORT = "report"
    STUDY = "study"
    DOCUMENT = "document"
    MEDICINE = "medicine"
    PROCEDURE = "procedure"
    CONSULTATION = "consultation"


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact of the record: what, when, and where to read on."""

    reference: str
    kind: Kind
    at: str
    title: str
    detail: str = ""
    status: str = ""
    study_uid: str = ""
    attachment: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Entries of one kind on one day, shown together."""

    entries: tuple[Entry, ...]

    @property
    def first(self) -> Entry:
        return self.entries[0]


def grouped(entries: Iterable[Entry]) -> tuple[Group, ...]:
    """Neighbours of one kind and day together, so that fifty results do not hide one report."""
    groups: list[list[Entry]] = []
    for entry in entries:
        last = groups[-1][-1] if groups else None
        bundles = entry.kind in (Kind.OBSERVATION, Kind.MEDICINE)
        if last and bundles and last.kind is entry.kind and last.at[:10] == entry.at[:10]:
            groups[-1].append(entry)
        else:
            groups.append([entry])
    return tuple(Group(tuple(group)) for group in groups)


@dataclass(frozen=True, slots=True)
class Summary:
    """What every clinician must know first."""

    problems: tuple[Entry, ...] = ()
    allergies: tuple[Entry, ...] = ()
    medicines: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Study:
    """An image study of the patient, as a list shows it."""

    uid: str
    resource: str
    date: str
    modalities: tuple[str, ...]
    description: str
    instances: int
    series: int


@dataclass(frozen=True, slots=True)
class OnPictures:
    """Whom the pictures say they show."""

    name: str
    birth_date: str

    def doubts(self, person: Person) -> tuple[str, ...]:
        """In what the pictures and the record differ; nothing said is no difference."""
        names = (person.name, person.other_name)
        found = []
        if words_of(self.name) and not same_name(self.name, names):
            found.append("name")
        shown, known = self.birth_date.replace("-", ""), person.birth_date.replace("-", "")
        length = min(len(shown), len(known))
        if shown[:length] != known[:length]:
            found.append("birth-date")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class RefusedFile:
    name: str
    key: str
    details: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A study that was kept although it may show somebody else."""

    study_uid: str
    pictures: OnPictures
    differs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attached:
    """What became of an upload."""

    kept: int = 0
    already: int = 0
    studies: tuple[str, ...] = ()
    refused: tuple[RefusedFile, ...] = ()
    doubts: tuple[Doubt, ...] = ()
