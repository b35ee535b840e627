"""Small synthetic DICOM objects, and the real ones that pydicom brings along."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

PYDICOM_FILES = Path(os.path.dirname(pydicom.__file__)) / "data" / "test_files"  # noqa: PTH120


def a_picture(**attributes: Any) -> bytes:
    """An 8 × 8 picture as a Part 10 file; every attribute can be set by its keyword."""
    data_set = Dataset()
    data_set.SpecificCharacterSet = attributes.pop("charset", "ISO_IR 192")
    data_set.SOPClassUID = SecondaryCaptureImageStorage
    data_set.SOPInstanceUID = generate_uid()
    data_set.StudyInstanceUID = generate_uid()
    data_set.SeriesInstanceUID = generate_uid()
    data_set.PatientID = "P1"
    data_set.PatientName = "Li^Wei"
    data_set.StudyDate = "20260301"
    data_set.StudyTime = "101500"
    data_set.Modality = "CT"
    data_set.Rows = data_set.Columns = 8
    data_set.SamplesPerPixel = 1
    data_set.PhotometricInterpretation = "MONOCHROME2"
    data_set.BitsAllocated = data_set.BitsStored = 8
    data_set.HighBit = 7
    data_set.PixelRepresentation = 0
    data_set.PixelData = bytes(range(64))
    for keyword, value in attributes.items():
        setattr(data_set, keyword, value)
    return as_part10(data_set)


def as_part10(data_set: Dataset, transfer_syntax: str = ExplicitVRLittleEndian) -> bytes:
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = transfer_syntax
    data_set.file_meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    written = BytesIO()
    data_set.save_as(written, enforce_file_format=True)
    return written.getvalue()


def uid(content: bytes, keyword: str = "SOPInstanceUID") -> str:
    return str(pydicom.dcmread(BytesIO(content))[keyword].value)


def with_own_uids(content: bytes, number: int) -> bytes:
    """The same bytes but for the digits at the end of its UIDs: pydicom's files share some."""
    data_set = pydicom.dcmread(BytesIO(content), stop_before_pixels=True)
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        old = str(data_set[keyword].value)
        new = f"{old[:-5]}{10000 + number}"
        content = content.replace(old.encode(), new.encode())
    return content
