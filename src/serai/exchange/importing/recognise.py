"""What a file is, judged by its content: names lie, and DICOM files often have none."""

from __future__ import annotations

import json
from enum import StrEnum

from serai.imaging.ecg import is_ecg

# Enough for the preamble of a Part 10 file and for the first words of JSON.
HEAD = 64 * 1024
PREAMBLE = 128
# The first volume descriptor of ISO 9660 stands in the seventeenth sector.
DISC_MARK, DISC_MARK_AT = b"CD001", 16 * 2048 + 1
UTF8_BOM = b"\xef\xbb\xbf"
ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
GZIP_START = b"\x1f\x8b\x08"
# What file managers leave behind and what lies beside the pictures on a disc; nobody meant to
# import it.
LITTER = frozenset(
    {".ds_store", "thumbs.db", "desktop.ini", "__macosx", "autorun.inf", "readme.txt"}
)


class Form(StrEnum):
    DICOM = "dicom"
    DICOMDIR = "dicomdir"
    ECG = "ecg"
    JSON = "json"
    NDJSON = "ndjson"
    ZIP = "zip"
    GZIP = "gzip"
    DISC = "disc"
    EMPTY = "empty"
    UNKNOWN = "unknown"


def recognise(head: bytes) -> Form:
    """The form of a file that begins with `head` (its first HEAD bytes)."""
    if not head:
        return Form.EMPTY
    if head.startswith(ZIP_STARTS):
        return Form.ZIP
    if head.startswith(GZIP_START):
        return Form.GZIP
    if head[PREAMBLE : PREAMBLE + 4] == b"DICM":
        return Form.DICOMDIR if b"1.2.840.10008.1.3.10" in head[: PREAMBLE + 512] else Form.DICOM
    if head.startswith(DISC_MARK, DISC_MARK_AT):
        return Form.DISC
    if is_ecg(head):
        return Form.ECG
    text = head.removeprefix(UTF8_BOM).lstrip()
    if text.startswith(b"{"):
        return Form.NDJSON if _one_object_per_line(text, len(head) < HEAD) else Form.JSON
    return Form.UNKNOWN


def is_litter(place: str) -> bool:
    """Whether a path inside the source names something an operating system left there."""
    parts = place.lower().split("/")
    return any(part in LITTER or part.startswith("._") for part in parts)


def _one_object_per_line(text: bytes, complete: bool) -> bool:  # noqa: FBT001 - a fact, not a switch
    """NDJSON (http://ndjson.org) has a second object after the first line break.

    A single line is read as one resource. A first line longer than the head is taken for one
    JSON document; `reading` looks again once it has the whole of it.
    """
    first, _, rest = text.partition(b"\n")
    if not rest.strip() and complete:
        return False
    try:
        return isinstance(json.loads(first), dict) and rest.lstrip()[:1] in (b"{", b"")
    except ValueError:
        return False
