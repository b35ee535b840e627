"""Small volumes: a body as CT and PET, and a segmentation of it."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid
from tests.imaging.objects import as_part10

CLASSES = {"CT": "1.2.840.10008.5.1.4.1.1.2", "PT": "1.2.840.10008.5.1.4.1.1.128"}
SLICES = 12
WIDTH_MM = 256.0
PLACE = generate_uid()


def a_body(modality: str, study: str, *, day: str, side: int = 32) -> list[bytes]:
    """A ball in a box of air, one slice each."""
    series = generate_uid()
    z, y, x = np.mgrid[0:SLICES, 0:side, 0:side]
    middle = side / 2
    away = ((x - middle) ** 2 + (y - middle) ** 2) / (side / 3) ** 2
    inside = away + ((z - SLICES / 2) / (SLICES / 2)) ** 2 < 1
    values = (inside * 1000 + x).astype(np.uint16)
    return [_slice(modality, study, series, day, values[at], at) for at in range(SLICES)]


def _slice(
    modality: str, study: str, series: str, day: str, values: NDArray[np.uint16], at: int
) -> bytes:
    side = values.shape[0]
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = CLASSES[modality], generate_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID = study, series
    made.FrameOfReferenceUID, made.PositionReferenceIndicator = PLACE, ""
    made.PatientID, made.PatientName, made.PatientWeight = "PET1", "Wang^Fang", "60"
    made.PatientBirthDate, made.PatientSex = "19600101", "F"
    made.StudyDate = made.SeriesDate = made.AcquisitionDate = day
    made.StudyTime = made.SeriesTime = made.AcquisitionTime = "101500"
    made.StudyID = made.AccessionNumber = made.ReferringPhysicianName = ""
    made.Modality, made.SeriesDescription = modality, f"{modality} body"
    made.SeriesNumber, made.InstanceNumber = 1 if modality == "CT" else 2, at + 1
    made.ImageType = ["ORIGINAL", "PRIMARY"]
    made.Rows = made.Columns = side
    made.PixelSpacing, made.SliceThickness = [WIDTH_MM / side] * 2, 3
    made.ImagePositionPatient = [-WIDTH_MM / 2, -WIDTH_MM / 2, at * 3.0]
    made.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation = 15, 0
    made.RescaleSlope, made.RescaleIntercept = "1", "-1000" if modality == "CT" else "0"
    if modality == "PT":
        made.Units, made.CorrectedImage, made.DecayCorrection = "BQML", ["ATTN", "DECY"], "START"
        tracer = Dataset()
        tracer.RadiopharmaceuticalStartTime, tracer.RadionuclideTotalDose = "091500", "300000000"
        tracer.RadionuclideHalfLife = "6586.2"
        made.RadiopharmaceuticalInformationSequence = [tracer]
    made.PixelData = values.tobytes()
    return as_part10(made)


def a_segmentation(slices: Sequence[bytes]) -> bytes:
    """A cube marked as tissue in the middle of the body."""
    sources = [dcmread(BytesIO(each)) for each in slices]
    side = sources[0].Rows
    mask = np.zeros((len(sources), side, side), np.uint8)
    mask[4:8, side // 3 : side // 2, side // 3 : side // 2] = 1
    described = SegmentDescription(
        1,
        "Lesion",
        codes.SCT.Tissue,
        codes.SCT.Organ,
        "MANUAL",
    )
    made = Segmentation(
        sources, mask, "BINARY", [described], generate_uid(), 9, generate_uid(), 1, "Serai",
        "Hand", "1", "1",
    )  # fmt: skip
    written = BytesIO()
    made.save_as(written)
    return written.getvalue()
