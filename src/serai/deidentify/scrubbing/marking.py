"""What a de-identified object says of itself (PS3.15 §E.1.1; PS3.3 §C.7.1.1, §C.12.1)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from serai.deidentify.profile.options import Option, methods
from serai.deidentify.scrubbing.subject import Subject
from serai.imaging.dataset import part10

METHOD = "DICOM PS3.15 Basic Profile"


def mark(data_set: Any, options: Collection[Option], subject: Subject) -> None:
    """The pseudonym in the patient's place, and how it came there."""
    from pydicom.dataset import Dataset

    data_set.PatientName = data_set.PatientID = subject.pseudonym
    data_set.PatientIdentityRemoved = "YES"
    data_set.DeidentificationMethod = METHOD
    sequence = []
    for value, meaning in methods(options):
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
        sequence.append(code)
    data_set.DeidentificationMethodCodeSequence = sequence
    data_set.LongitudinalTemporalInformationModified = _temporal(options)


def _temporal(options: Collection[Option]) -> str:
    if Option.RETAIN_FULL_DATES in options:
        return "UNMODIFIED"
    return "MODIFIED" if Option.RETAIN_MODIFIED_DATES in options else "REMOVED"


def new_file_meta(data_set: Any) -> None:
    """File meta information of our own: senders leave their names in theirs."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    syntax = data_set.file_meta.TransferSyntaxUID
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    meta.ImplementationClassUID = UID(part10.IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = part10.IMPLEMENTATION_VERSION_NAME
    data_set.file_meta = meta
    data_set.preamble = bytes(part10.PREAMBLE)
