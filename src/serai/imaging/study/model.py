"""What the page of a study shows, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from serai.imaging.documents.content import Report
from serai.imaging.documents.dose import DoseReport, ImageDose
from serai.imaging.documents.selection import Selection

# Cut into slices of one volume, which a viewer can lay through in any direction.
VOLUMES = frozenset({"CT", "MR", "PT", "NM"})
VOLUME_FROM = 10
# OHIF's own names for how it hangs a study.
COMPARED, SLICED = "@ohif/hpCompare", "mpr"


@dataclass(frozen=True, slots=True)
class Series:
    """One line of the page. `picture` is the middle instance with pixels, `film` the first that
    moves, `states` how many presentation states speak of the series."""

    uid: str
    modality: str
    number: int | None
    description: str
    body_part: str
    instances: int
    frames: int
    picture: str
    film: str
    states: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object of the study is found."""

    series: str
    instance: str


@dataclass(frozen=True, slots=True)
class Document:
    """An object to be read, of the SOP class `kind`; at most one of the last three is there."""

    place: Place
    kind: str
    title: str
    report: Report | None = None
    selection: Selection | None = None
    dose: DoseReport | None = None


@dataclass(frozen=True, slots=True)
class Presented:
    """A presentation state, named as its author named it."""

    place: Place
    label: str
    description: str
    series: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prior:
    """The study before this one, of the same patient."""

    uid: str
    date: date | None
    description: str


@dataclass(frozen=True, slots=True)
class Study:
    """One study and everything in it that can be read without a viewer."""

    uid: str
    resource: str
    patient: str
    patient_name: str
    patient_number: str
    date: date | None
    description: str
    accession: str
    modalities: tuple[str, ...]
    series: tuple[Series, ...]
    reports: tuple[Document, ...] = ()
    selections: tuple[Document, ...] = ()
    doses: tuple[Document, ...] = ()
    papers: tuple[Document, ...] = ()
    presented: tuple[Presented, ...] = ()
    image_doses: tuple[tuple[Place, ImageDose], ...] = ()
    prior: Prior | None = None
    more_documents: bool = False

    @property
    def volume(self) -> bool:
        """Whether slices in other directions make sense."""
        return any(
            each.modality in VOLUMES and each.instances >= VOLUME_FROM for each in self.series
        )

    @property
    def fused(self) -> bool:
        """Whether function and anatomy are both there to be laid over each other."""
        return {"PT", "CT"} <= set(self.modalities)

    @property
    def segmented(self) -> bool:
        return "SEG" in self.modalities


@dataclass(frozen=True, slots=True)
class Film:
    """One moving object; `video` when it is a coded film rather than single frames."""

    place: Place
    video: bool
    frames: int
    times_ms: tuple[float, ...]
    rows: int
    columns: int
    siblings: tuple[Place, ...]

    @property
    def neighbours(self) -> Mapping[str, Place | None]:
        at = self.siblings.index(self.place) if self.place in self.siblings else 0
        following = self.siblings[at + 1] if at + 1 < len(self.siblings) else None
        return {"previous": self.siblings[at - 1] if at > 0 else None, "next": following}
