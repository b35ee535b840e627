"""What the index keeps of one object, read from its header once, when it arrives."""

from __future__ import annotations

import re
from dataclasses import dataclass

import orjson

from serai.imaging.dataset import part10, pixels
from serai.imaging.dataset.elements import Buffer, Element
from serai.imaging.dataset.model_json import Attributes, JsonModel, first_text
from serai.kernel.errors import Malformed


def tags(text: str) -> frozenset[str]:
    """A set of tags from a list with spaces between them."""
    return frozenset(text.split())


# Attributes that describe the study and the series in QIDO-RS answers (PS3.18 §10.6.3.3),
# with all of group 0010, which describes the patient.
STUDY_TAGS = tags(
    "00080020 00080030 00080050 00080051 00080090 00080201 00081030 00081032 00081048 00081060 "
    "00081080 0020000D 00200010 00380010 00380060 00321032 00321060"
)
SERIES_TAGS = tags(
    "00080021 00080031 00080060 00080070 00080080 00081010 0008103E 00081040 00081050 00081070 "
    "00081090 00180015 00181030 00185100 0020000E 00200011 00200052 00200060 00400244 00400245 "
    "00400253 00400254 00400275"
)
CHARACTER_SET = "00080005"
# Rows, Columns, Bits Allocated: an image, which has pixels or says who provides them.
IMAGE_TAGS = ("00280010", "00280011", "00280100")
PIXEL_TAGS = ("7FE00010", "7FE00008", "7FE00009", "00287FE0")
UTF_8 = {"vr": "CS", "Value": ["ISO_IR 192"]}
AVAILABLE_TRANSFER_SYNTAX = "00083002"
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
UID = re.compile(r"[0-9]+(\.[0-9]+)*")
MAX_UID = 64


@dataclass(frozen=True, slots=True)
class PatientKey:
    """Who the pictures show, within one organisation: the number and who issued it."""

    issuer: str
    id: str

    def contradicts(self, other: PatientKey) -> bool:
        """An issuer left out contradicts nothing; a different number or issuer does."""
        issuers_differ = bool(self.issuer and other.issuer and self.issuer != other.issuer)
        return self.id != other.id or issuers_differ


@dataclass(frozen=True, slots=True)
class Instance:
    """One SOP instance as the index sees it; `metadata` is its DICOM JSON, ready to serve."""

    study_uid: str
    series_uid: str
    uid: str
    sop_class: str
    transfer_syntax: str
    patient: PatientKey
    modality: str
    number: int | None
    series_number: int | None
    study: Attributes
    series: Attributes
    pixels: pixels.Pixels | None
    metadata: bytes


def read_instance(buffer: Buffer) -> Instance:
    """Read a complete Part 10 file; Malformed says what is broken or missing."""
    file = part10.read(buffer)
    if file.sop_class == MEDIA_STORAGE_DIRECTORY:
        raise Malformed("dicom.directory")
    places = {each.tag: each for each in file.elements}
    study_uid, series_uid, uid = (
        _uid(_plain(file.data, places.get(tag)), name)
        for tag, name in (
            (0x0020000D, "StudyInstanceUID"),
            (0x0020000E, "SeriesInstanceUID"),
            (0x00080018, "SOPInstanceUID"),
        )
    )
    root = f"/studies/{study_uid}/series/{series_uid}/instances/{uid}/bulkdata/"
    model = JsonModel(
        file.data,
        file.encoding,
        # With its place in the address, bulk data is one ranged read and no parsing.
        lambda path, element: f"{root}{element.start}-{element.length}/{path}",
    )
    attributes = model.attributes(file.elements)
    _require_promised_pixels(attributes)
    sop_class = _uid(first_text(attributes, "00080016"), "SOPClassUID")
    if CHARACTER_SET in attributes:
        attributes[CHARACTER_SET] = UTF_8
    attributes[AVAILABLE_TRANSFER_SYNTAX] = {"vr": "UI", "Value": [file.transfer_syntax]}
    return Instance(
        study_uid=study_uid,
        series_uid=series_uid,
        uid=uid,
        sop_class=sop_class,
        transfer_syntax=file.transfer_syntax,
        patient=PatientKey(issuer_of(attributes), first_text(attributes, "00100020")),
        modality=first_text(attributes, "00080060"),
        number=_number(attributes, "00200013"),
        series_number=_number(attributes, "00200011"),
        study={tag: attributes[tag] for tag in attributes if _of_study(tag)},
        series={tag: attributes[tag] for tag in attributes if tag in SERIES_TAGS},
        pixels=pixels.locate(file.data, file.elements, attributes),
        metadata=orjson.dumps(attributes, option=orjson.OPT_SORT_KEYS),
    )


def _require_promised_pixels(attributes: Attributes) -> None:
    """A transfer cut off between two elements shows only by what then is missing."""
    promised = all(tag in attributes for tag in IMAGE_TAGS)
    if promised and not any(tag in attributes for tag in PIXEL_TAGS):
        raise Malformed("dicom.truncated", tag="7FE00010")


def issuer_of(attributes: Attributes) -> str:
    """The universal entity id when there is one, else the local name (PS3.3 §10.14)."""
    qualifiers = attributes.get("00100024", {}).get("Value") or [{}]
    universal = first_text(qualifiers[0], "00400032")
    return universal or first_text(attributes, "00100021")


def _of_study(tag: str) -> bool:
    return tag in STUDY_TAGS or (tag.startswith("0010") and tag > "00100002")


def _plain(buffer: Buffer, element: Element | None) -> str:
    if element is None:
        return ""
    value = bytes(buffer[element.start : element.start + element.length])
    return value.decode("latin-1").strip("\0 ")


def _uid(text: str, name: str) -> str:
    if not text:
        raise Malformed("dicom.missing-uid", attribute=name)
    if len(text) > MAX_UID or not UID.fullmatch(text):
        raise Malformed("dicom.invalid-uid", attribute=name)
    return text


def _number(attributes: Attributes, tag: str) -> int | None:
    text = first_text(attributes, tag)
    try:
        value = int(text)
    except ValueError:
        return None
    return value if -(1 << 31) <= value < 1 << 31 else None
