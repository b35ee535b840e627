"""Presentation states as reading rooms write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset
from tests.imaging.documents.reports import a_document
from tests.imaging.objects import as_part10

GREYSCALE = "1.2.840.10008.5.1.4.1.1.11.1"
CT = "1.2.840.10008.5.1.4.1.1.2"


def a_state(study: str, series: str, images: Sequence[str], **attributes: Any) -> bytes:
    """For whole images; everything else by its keyword."""
    data_set = a_document(GREYSCALE, "PR", study)
    there = Dataset()
    there.SeriesInstanceUID = series
    there.ReferencedImageSequence = [_reference(image) for image in images]
    data_set.ReferencedSeriesSequence = [there]
    data_set.ContentLabel, data_set.ContentDescription = "NODULE", "Right upper lobe"
    data_set.PresentationLUTShape = "IDENTITY"
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    return as_part10(data_set)


def _reference(image: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CT, image
    return item


def of(**attributes: Any) -> list[Dataset]:
    """A sequence of one item."""
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return [item]
