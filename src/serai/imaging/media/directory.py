"""DICOMDIR: the directory of a file-set (PS3.10 §8, Basic Directory IOD PS3.3 §F).

Records are written as bytes as the objects go by, so that a directory of ten thousand objects
takes the memory of the directory, not of the objects' headers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from serai.imaging.dataset import part10
from serai.imaging.dataset.model_json import Attributes
from serai.imaging.dataset.writing import encoded
from serai.imaging.media.kinds import keys_of

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"
FILE_SET_ID = "SERAI"
IN_USE = 0xFFFF
ITEM = struct.Struct("<HHL")
NUMBER = struct.Struct("<HH2sHL")
FLAG = struct.Struct("<HH2sHH")
SEQUENCE = struct.Struct("<HH2sHL")
# Offsets of the next record and of the first one below, which lead every record.
LINKS = 2 * NUMBER.size + FLAG.size


@dataclass(slots=True)
class Record:
    """One directory record; `below` is its lower-level directory entity."""

    content: bytes
    below: list[Record] = field(default_factory=list)

    @property
    def size(self) -> int:
        return ITEM.size + LINKS + len(self.content)


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where the object of a record lies in the file-set."""

    file_id: Sequence[str]
    sop_class: str
    sop_instance: str
    transfer_syntax: str


def record(kind: str, attributes: Attributes, position: int, leaf: Leaf | None = None) -> Record:
    """A record with the keys of its kind; `position` counts from 1 among its neighbours."""
    told: Attributes = {"00041430": {"vr": "CS", "Value": [kind]}}
    if leaf:
        told |= {
            "00041500": {"vr": "CS", "Value": list(leaf.file_id)},
            "00041510": {"vr": "UI", "Value": [leaf.sop_class]},
            "00041511": {"vr": "UI", "Value": [leaf.sop_instance]},
            "00041512": {"vr": "UI", "Value": [leaf.transfer_syntax]},
        }
    told |= keys_of(kind, attributes, position)
    return Record(encoded(told, explicit=True))


def written(roots: Sequence[Record]) -> bytes:
    """The DICOMDIR of these patients, as a file."""
    meta = part10.header(
        sop_class=MEDIA_STORAGE_DIRECTORY,
        sop_instance=f"2.25.{uuid4().int}",
        transfer_syntax=part10.EXPLICIT_VR_LITTLE_ENDIAN,
        source=FILE_SET_ID,
    )
    name = encoded({"00041130": {"vr": "CS", "Value": [FILE_SET_ID]}}, explicit=True)
    start = len(meta) + len(name) + 2 * NUMBER.size + FLAG.size + SEQUENCE.size
    places = dict(_places(roots, start))
    records = b"".join(_with_links(roots, places))
    ends = (places[id(roots[0])], places[id(roots[-1])]) if roots else (0, 0)
    return b"".join(
        (
            meta,
            name,
            NUMBER.pack(4, 0x1200, b"UL", 4, ends[0]),
            NUMBER.pack(4, 0x1202, b"UL", 4, ends[1]),
            FLAG.pack(4, 0x1212, b"US", 2, 0),
            SEQUENCE.pack(4, 0x1220, b"SQ", 0, len(records)),
            records,
        )
    )


def _places(records: Sequence[Record], at: int) -> Iterator[tuple[int, int]]:
    """Where each record begins, every one followed by those below it."""
    for each in records:
        yield id(each), at
        at += each.size
        yield from _places(each.below, at)
        at += sum(map(_whole_size, each.below))


def _whole_size(one: Record) -> int:
    return one.size + sum(map(_whole_size, one.below))


def _with_links(records: Sequence[Record], places: dict[int, int]) -> Iterator[bytes]:
    followers = [*records[1:], None] if records else []
    for each, following in zip(records, followers, strict=True):
        further = places[id(following)] if following else 0
        lower = places[id(each.below[0])] if each.below else 0
        yield ITEM.pack(0xFFFE, 0xE000, each.size - ITEM.size)
        yield NUMBER.pack(4, 0x1400, b"UL", 4, further)
        yield FLAG.pack(4, 0x1410, b"US", 2, IN_USE)
        yield NUMBER.pack(4, 0x1420, b"UL", 4, lower)
        yield each.content
        yield from _with_links(each.below, places)
