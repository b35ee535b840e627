"""An object in which the patient's identity is written wherever DICOM has room for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.datadict import DicomDictionary, keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedSRStorage, SecondaryCaptureImageStorage, generate_uid

NAME = "Ouyang^Xiaoming=欧阳^晓明=ouyang^xiaoming"
NUMBER = "QX7788123"
BORN = "19580402"
WORDS = ("ouyang", "xiaoming", "欧阳", "晓明", "qx7788123", "19580402", "1958-04-02")
# What a modality or a person might type.
SENTENCE = "Ouyang Xiaoming 欧阳晓明 QX7788123 born 1958-04-02"

BY_VR: dict[str, Any] = {
    "AE": "OUYANG", "CS": "OUYANG", "LO": SENTENCE, "LT": SENTENCE, "PN": NAME, "SH": NUMBER,
    "ST": SENTENCE, "UC": SENTENCE, "UT": SENTENCE, "UR": "http://x.test/?id=" + NUMBER,
    "DA": BORN, "DT": BORN + "101500", "OB": SENTENCE.encode(), "UN": SENTENCE.encode(),
    "OW": SENTENCE.encode("gb18030"),
}  # fmt: skip
# Elements that frame the data set, or whose content must fit others.
LEFT_ALONE = {0x00080005, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x7FE00010, 0x00420011}


def every_attribute() -> list[int]:
    """Tags of every attribute of the dictionary whose VR can carry text, but for commands, file
    meta information, directories, and what repeats in groups."""
    return [
        tag
        for tag, (vr, *_) in DicomDictionary.items()
        if vr in BY_VR and tag >> 16 >= 8 and tag not in LEFT_ALONE and keyword_for_tag(tag)
    ]


def plant(data_set: Dataset, tags: list[int]) -> None:
    for tag in tags:
        vr = DicomDictionary[tag][0]
        value = BY_VR[vr]
        data_set.add_new(tag, vr, value + b" " * (len(value) % 2) if vr in ("OB", "OW") else value)


def an_object(sop_class: str = SecondaryCaptureImageStorage) -> Dataset:
    data_set = Dataset()
    data_set.SpecificCharacterSet = ["", "ISO 2022 IR 58"]
    data_set.SOPClassUID = sop_class
    data_set.SOPInstanceUID = generate_uid()
    data_set.StudyInstanceUID = generate_uid()
    data_set.SeriesInstanceUID = generate_uid()
    data_set.PatientName = NAME
    data_set.PatientID = NUMBER
    data_set.PatientBirthDate = BORN
    data_set.PatientSex = "M"
    data_set.PatientAge = "093Y"
    data_set.StudyDate = "20260301"
    data_set.StudyTime = "101500"
    data_set.Modality = "OT"
    return data_set


def everywhere(tags: list[int] | None = None) -> Dataset:
    """Planted at the top, in a private block, in public and private sequences, three deep."""
    data_set, tags = an_object(), every_attribute() if tags is None else tags
    plant(data_set, tags)
    inner, middle = Dataset(), Dataset()
    plant(inner, tags)
    plant(middle, tags)
    middle.add_new(0x00081140, "SQ", Sequence([inner]))
    data_set.add_new(0x0040A170, "SQ", Sequence([middle]))
    block = data_set.private_block(0x0099, "SOME VENDOR", create=True)
    block.add_new(0x01, "LO", SENTENCE)
    hidden = Dataset()
    plant(hidden, tags[:20])
    block.add_new(0x02, "SQ", Sequence([hidden]))
    return data_set


def a_report() -> Dataset:
    """A structured report whose text, names, codes and dates speak of the patient."""
    data_set = an_object(EnhancedSRStorage)
    data_set.Modality = "SR"
    data_set.ValueType = "CONTAINER"
    data_set.ContentSequence = [
        item("TEXT", "121071", "Finding", TextValue=f"liver lesion 12 mm in {SENTENCE}"),
        item("PNAME", "121029", "Subject Name", PersonName=NAME),
        item("DATE", "121031", "Subject Birth Date", Date=BORN),
        item("UIDREF", "121019", "Subject UID", UID=generate_uid()),
        item("NUM", "121207", "Height", MeasuredValueSequence=[measured("12")]),
        item("CODE", "121071", "Finding", ConceptCodeSequence=[code("L7", "99LOCAL", SENTENCE)]),
    ]
    return data_set


def item(kind: str, value: str, meaning: str, **attributes: Any) -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ValueType = "CONTAINS", kind
    made.ConceptNameCodeSequence = [code(value, "DCM", meaning)]
    for keyword, each in attributes.items():
        setattr(made, keyword, each)
    return made


def code(value: str, scheme: str, meaning: str) -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = value, scheme, meaning
    return made


def measured(value: str) -> Dataset:
    made = Dataset()
    made.NumericValue = value
    made.MeasurementUnitsCodeSequence = [code("mm", "UCUM", "millimeter")]
    return made


def writing(text: str, *, rows: int = 96, columns: int = 256, at: int = 40) -> NDArray[np.uint8]:
    """A noisy grey frame with a line of text burned in."""
    noise = np.random.default_rng(7).integers(0, 40, (rows, columns), np.uint8)
    picture = Image.fromarray(noise)
    ImageDraw.Draw(picture).text((6, at), text, fill=255, font=ImageFont.load_default(size=18))
    return np.array(picture)


def with_frames(data_set: Dataset, frames: NDArray[np.uint8]) -> Dataset:
    """Grey or RGB frames: frames, rows, columns and, for colour, samples."""
    colour = frames.ndim == 4
    data_set.Rows, data_set.Columns = frames.shape[1:3]
    data_set.NumberOfFrames = len(frames)
    data_set.SamplesPerPixel = 3 if colour else 1
    data_set.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        data_set.PlanarConfiguration = 0
    data_set.BitsAllocated = data_set.BitsStored = 8
    data_set.HighBit, data_set.PixelRepresentation = 7, 0
    data_set.PixelData = frames.tobytes() + bytes(frames.size % 2)
    return data_set
