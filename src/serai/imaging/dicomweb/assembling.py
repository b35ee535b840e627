"""Objects sent as metadata and bulk data, put together as Part 10 files (PS3.18 §10.5.1.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson

from serai.imaging.dataset import part10
from serai.imaging.dataset.tolerance import pass_values_on
from serai.imaging.dicomweb.accept import parameters
from serai.imaging.rendering.syntaxes import DEFAULTS, MEDIA_TYPES
from serai.kernel.errors import Malformed, SeraiError

OCTETS = "application/octet-stream"
AVAILABLE_TRANSFER_SYNTAX, TRANSFER_SYNTAX = "00083002", "00020010"
BULK, PIXEL_DATA = "BulkDataURI", "7FE00010"


@dataclass(frozen=True, slots=True)
class BulkPart:
    """One part of the request that holds a value; frames are parts with the same location."""

    content_type: str
    content: bytes | Path

    @property
    def media_type(self) -> str:
        return self.content_type.partition(";")[0].strip().lower()

    @property
    def transfer_syntax(self) -> str:
        """Of compressed frames; empty for values as they are."""
        if self.media_type == OCTETS:
            return ""
        given = parameters(";" + self.content_type.partition(";")[2])
        syntax = given.get("transfer-syntax") or DEFAULTS.get(self.media_type, "")
        if MEDIA_TYPES.get(syntax) != self.media_type:
            raise Malformed("stow.bulk-media-type", media_type=self.media_type[:40])
        return syntax

    def read(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


Parts = Mapping[str, Sequence[BulkPart]]


def data_sets(content: bytes) -> list[dict[str, Any]]:
    """The objects described by a metadata part."""
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Malformed("stow.metadata") from error
    found = found if isinstance(found, list) else [found]
    if not all(isinstance(each, dict) and _attributes(each) for each in found):
        raise Malformed("stow.metadata")
    return found


def _attributes(found: dict[str, Any]) -> bool:
    return all(isinstance(attribute, dict) for attribute in found.values())


def assembled(described: dict[str, Any], parts: Parts) -> bytes:
    """One object as a file; Malformed when a value it refers to was not sent."""
    from pydicom.dataset import Dataset

    pass_values_on()
    frames = _frames(described, parts)
    syntax = next((each.transfer_syntax for each in frames), "") or _native(described)
    try:
        data_set = Dataset.from_json(
            {tag: each for tag, each in described.items() if not tag.startswith("0002")},
            bulk_data_uri_handler=lambda _tag, _vr, address: _value(parts, address),
        )
        if frames and frames[0].transfer_syntax:
            _encapsulate(data_set, frames)
        return _written(data_set, syntax)
    except SeraiError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise Malformed("stow.metadata") from error


def _frames(described: dict[str, Any], parts: Parts) -> Sequence[BulkPart]:
    attribute = described.get(PIXEL_DATA)
    address = attribute.get(BULK) if isinstance(attribute, dict) else None
    if address is None:
        return ()
    if address not in parts:
        raise Malformed("stow.bulk-data-missing")
    return parts[address]


def _native(described: dict[str, Any]) -> str:
    """Bulk data in octets is little endian, so that only how VRs are written is left open."""
    for tag in (TRANSFER_SYNTAX, AVAILABLE_TRANSFER_SYNTAX):
        attribute = described.get(tag)
        values = attribute.get("Value") if isinstance(attribute, dict) else None
        if values and values[0] == part10.IMPLICIT_VR_LITTLE_ENDIAN:
            return part10.IMPLICIT_VR_LITTLE_ENDIAN
    return part10.EXPLICIT_VR_LITTLE_ENDIAN


def _value(parts: Parts, address: str | None) -> bytes:
    sent = parts.get(address or "")
    if not sent:
        raise Malformed("stow.bulk-data-missing")
    return b"".join(part.read() for part in sent)


def _encapsulate(data_set: Any, frames: Sequence[BulkPart]) -> None:
    from pydicom.encaps import encapsulate

    data_set.PixelData = encapsulate([each.read() for each in frames])
    data_set["PixelData"].VR = "OB"
    data_set["PixelData"].is_undefined_length = True


def _written(data_set: Any, syntax: str) -> bytes:
    from pydicom import dcmwrite
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID = data_set.get("SOPClassUID", "")
    meta.MediaStorageSOPInstanceUID = data_set.get("SOPInstanceUID", "")
    for tag in (0x00080005, int(AVAILABLE_TRANSFER_SYNTAX, 16)):
        if tag in data_set:
            del data_set[tag]
    # What came as JSON is Unicode.
    data_set.SpecificCharacterSet = "ISO_IR 192"
    data_set.file_meta = meta
    written = BytesIO()
    dcmwrite(written, data_set, enforce_file_format=True)
    return written.getvalue()
