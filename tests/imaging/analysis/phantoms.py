"""CT series made of numbers: every voxel and every attribute is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, generate_uid
from tests.imaging.objects import as_part10

AXIAL = [1, 0, 0, 0, 1, 0]


def data_sets(
    volume: Any,
    *,
    step: float = 3.0,
    pixel: float = 1.0,
    positions: Sequence[Sequence[float]] | None = None,
    **attributes: Any,
) -> list[Dataset]:
    """One image for each plane of Hounsfield units, `step` mm apart."""
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    made = []
    for number, plane in enumerate(np.asarray(volume, dtype=np.int16)):
        image = Dataset()
        image.SpecificCharacterSet = "ISO_IR 192"
        image.SOPClassUID = CTImageStorage
        image.SOPInstanceUID = generate_uid()
        image.StudyInstanceUID, image.SeriesInstanceUID = study, series
        image.FrameOfReferenceUID = frame
        image.PatientID, image.PatientName = "P1", "Li^Wei"
        image.PatientBirthDate, image.PatientSex = "19700515", "F"
        image.StudyDate, image.StudyTime, image.StudyID = "20260301", "101500", "1"
        image.AccessionNumber = image.ReferringPhysicianName = image.PositionReferenceIndicator = ""
        image.Modality, image.Manufacturer = "CT", "Phantom"
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.SeriesNumber, image.InstanceNumber, image.AcquisitionNumber = 1, number + 1, 1
        image.Rows, image.Columns = plane.shape
        image.PixelSpacing = [pixel, pixel]
        image.SliceThickness = step
        image.KVP = 120
        image.ImageOrientationPatient = AXIAL
        place = positions[number] if positions else [0, 0, number * step]
        image.ImagePositionPatient = [f"{each:.6g}" for each in place]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
        image.PixelRepresentation = 1
        image.RescaleIntercept, image.RescaleSlope, image.RescaleType = 0, 1, "HU"
        image.PixelData = plane.tobytes()
        for keyword, value in attributes.items():
            setattr(image, keyword, value)
        made.append(image)
    return made


def files(images: Sequence[Dataset]) -> list[bytes]:
    return [as_part10(image) for image in images]


def water(slices: int = 4, side: int = 8) -> Any:
    return np.zeros((slices, side, side), np.int16)
