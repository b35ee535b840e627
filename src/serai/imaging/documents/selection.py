"""Key Object Selection documents: the images somebody marked, and why (TID 2010)."""

from __future__ import annotations

from dataclasses import dataclass

from serai.imaging.dataset.model_json import Attributes, first_text
from serai.imaging.documents.content import Referenced, items, read, referenced

EVIDENCE, SERIES, OTHERS = "0040A375", "00081115", "0040A385"
DESCRIPTION = "113012"


@dataclass(frozen=True, slots=True)
class KeyImage:
    """One marked image and the series it lies in, when the document says."""

    series: str
    image: Referenced


@dataclass(frozen=True, slots=True)
class Selection:
    """Why the images were marked, in the code's words and the author's."""

    title: str
    note: str
    images: tuple[KeyImage, ...]


def selection_of(attributes: Attributes) -> Selection:
    report = read(attributes)
    places = _places(attributes)
    marked = [each for item in report.root.children for each in item.references]
    notes = [item.text for item in report.root.children if item.is_called(DESCRIPTION)]
    return Selection(
        title=report.title,
        note="\n".join(notes),
        images=tuple(KeyImage(places.get(each.instance, ""), each) for each in marked),
    )


def _places(attributes: Attributes) -> dict[str, str]:
    """The series of every object that the document gives as evidence."""
    return {
        each.instance: first_text(series, "0020000E")
        for evidence in (EVIDENCE, OTHERS)
        for study in items(attributes, evidence)
        for series in items(study, SERIES)
        for each in referenced(series)
    }
