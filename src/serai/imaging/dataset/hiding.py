"""The patient's identity taken out of objects on their way out; what is stored stays.

Hidden is what the Basic Profile of PS3.15 (Table E.1-1) counts as identity: everything of the
patient but sex, age and size; the people, visits, orders and places around; private attributes;
graphics laid over the picture; and any other text in which a word of the name or number occurs.
UIDs and dates of the study stay, because the pictures are found and read by them.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from serai.fhir.search.folding import fold
from serai.imaging.dataset import part10
from serai.imaging.dataset.elements import LONG_VRS, UNDEFINED, Buffer, Element
from serai.imaging.dataset.model_json import DECODED_VRS, Attribute, Attributes, JsonModel
from serai.imaging.dataset.writing import MAX_SHORT

NAME: Final = "Anonymous"
METHOD: Final = "Patient identity hidden for sharing"
KEPT_OF_PATIENT: Final = frozenset({"00100040", "00101010", "00101020", "00101030"})
# Curves, overlays, encryption, interpretations, signatures, padding; odd groups are private.
HIDDEN_GROUPS: Final = re.compile(r"50|60|0400|4008|FFFA|FFFC|...[13579BDF]")
HIDDEN: Final = frozenset(
    """00080080 00080081 00080082 00080092 00080094 00080096 0008009D 00081010 00081040 00081041
    00081049 00081052 00081062 00081072 00081080 00081084 00081110 00081120 00084000 00120010
    00120020 00120030 00120040 00120042 00120050 0012021E 00180010 001811BB 0018A001 0018A003
    00200010 00204000 00280301 00321020 00321021 00321030 00321031 00321033 00321066 00321067
    00324000 00380004 00380010 00380011 00380014 0038001E 00380050 00380060 00380061 00380062
    00380064 00380300 00380400 00380500 00384000 00400010 00400011 00400012 00400241 00400242
    00400243 00400275 00400280 00400555 00401001 00401002 00401005 00401011 00401101 00401102
    00401103 00401104 00401400 00402001 00402004 00402005 00402008 00402009 00402010 00402016
    00402017 00402400 00403001 00404025 00404027 00404028 00404030 00404034 00404035 00404036
    0040A078 0040A07A 0040A07C 00420011 00700001 00700084 00700086 00880140 00880200 00880904
    00880906 00880910 00880912 300E0008 00080050""".split()  # noqa: SIM905
)
# What IODs want present (type 2), empty.
EMPTIED: Final = frozenset({"00080050", "00080090", "00200010"})
# Documents are text or pages; nothing in them can be told apart from the patient's name.
WITHHELD: Final = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.(104\.\d+|88\.(?!59$|67$)\d+)")
SPLIT: Final = re.compile(r"[\^=\s,.;:/\\_()\[\]-]+")
WORD: Final = re.compile(r"[a-z0-9]+")
SHORTEST, SHORTEST_OTHER = 3, 2
# Values from here on are sent from where they lie.
SPAN_FROM: Final = 64 * 1024


class Hiding:
    """Of one patient; `pseudonym` stands where the number was."""

    def __init__(self, pseudonym: str, patient: Attributes) -> None:
        self._pseudonym = pseudonym
        self._of_study = frozenset(traces(patient))

    def withholds(self, sop_class: str) -> bool:
        """Whether objects of this class cannot be given without the name."""
        return WITHHELD.fullmatch(sop_class) is not None

    def attributes(self, attributes: Attributes) -> Attributes:
        """DICOM JSON of an object, or of a part of it, without the patient."""
        words = self._of_study | frozenset(traces(attributes))
        hidden = self._data_set(attributes, words)
        return dict(sorted((hidden | self._instead(attributes)).items()))

    def file(self, buffer: Buffer) -> list[bytes | slice]:
        """A Part 10 file without the patient: new bytes, and stretches of the buffer as it is."""
        source = part10.read(buffer)
        model = JsonModel(source.data, source.encoding, lambda _path, _element: "")
        told = model.attributes(source.elements)
        writer = _Writer(source, self._of_study | frozenset(traces(told)))
        parts = list(writer.data_set(source.elements, told, self._instead(told)))
        meta = part10.header(
            sop_class=source.sop_class,
            sop_instance=source.sop_instance,
            transfer_syntax=source.transfer_syntax,
            source="SERAI",
        )
        if source.transfer_syntax == part10.DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
            return [meta, _deflated(source.data, parts)]
        return [meta, *parts]

    def _data_set(self, attributes: Attributes, words: frozenset[str]) -> Attributes:
        found: Attributes = {}
        for tag, attribute in attributes.items():
            if is_hidden(tag, attribute, words):
                found |= {tag: {"vr": attribute["vr"]}} if _stays_empty(tag, attribute) else {}
            elif attribute["vr"] == "SQ":
                items = [self._data_set(item, words) for item in attribute.get("Value", ())]
                found[tag] = {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
            else:
                found[tag] = attribute
        return found

    def _instead(self, attributes: Attributes) -> Attributes:
        """What stands in for the patient, where one was named at all."""
        if "00100010" not in attributes and "00100020" not in attributes:
            return {}
        return {
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": NAME}]},
            "00100020": {"vr": "LO", "Value": [self._pseudonym]},
            "00100030": {"vr": "DA"},
            "00120062": {"vr": "CS", "Value": ["YES"]},
            "00120063": {"vr": "LO", "Value": [METHOD]},
        }


def is_hidden(tag: str, attribute: Attribute, words: Iterable[str]) -> bool:
    """Whether an attribute says who somebody is."""
    if tag.startswith("0010"):
        return tag not in KEPT_OF_PATIENT
    if tag in HIDDEN or attribute["vr"] == "PN" or HIDDEN_GROUPS.match(tag[:4]):
        return True
    return attribute["vr"] in DECODED_VRS and _tells(attribute, words)


def traces(attributes: Attributes) -> Iterator[str]:
    """The words of names and numbers by which the patient could be recognised in other text."""
    for tag in ("00100010", "00101001", "00101005", "00100020", "00101000"):
        for value in attributes.get(tag, {}).get("Value") or ():
            groups = value.values() if isinstance(value, dict) else [str(value or "")]
            for group in groups:
                words = [word for word in SPLIT.split(fold(group)) if word]
                # 张^伟 is written 张伟 in a sentence.
                yield from filter(_is_telling, (*words, "".join(words)))


def _is_telling(word: str) -> bool:
    return len(word) >= (SHORTEST if word.isascii() else SHORTEST_OTHER)


def _tells(attribute: Attribute, words: Iterable[str]) -> bool:
    text = fold(" ".join(str(value) for value in attribute.get("Value", ()) if value))
    plain = frozenset(WORD.findall(text))
    return any(word in plain if WORD.fullmatch(word) else word in text for word in words)


def _stays_empty(tag: str, attribute: Attribute) -> bool:
    return tag in EMPTIED or (attribute["vr"] == "PN" and not tag.startswith("0010"))


def _deflated(data: Buffer, parts: Sequence[bytes | slice]) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    pieces = [deflater.compress(each if isinstance(each, bytes) else data[each]) for each in parts]
    return b"".join((*pieces, deflater.flush()))


class _Writer:
    """Writes the elements of one object again, in its own encoding, values untouched."""

    def __init__(self, source: part10.Part10, words: frozenset[str]) -> None:
        order = "<" if source.encoding.little else ">"
        self._data = source.data
        self._explicit = source.encoding.explicit
        self._place = struct.Struct(f"{order}HH").pack
        self._short = struct.Struct(f"{order}H").pack
        self._long = struct.Struct(f"{order}L").pack
        self._words = words

    def data_set(
        self, elements: Sequence[Element], told: Attributes, instead: Attributes
    ) -> Iterator[bytes | slice]:
        """`told` are the same elements as attributes; `instead` replaces or adds some."""
        known = {f"{each.tag:08X}": each for each in elements if each.tag & 0xFFFF}
        for tag in sorted({*known, *instead}):
            if tag in instead:
                yield self._new(tag, instead[tag])
                continue
            attribute = told[tag]
            if is_hidden(tag, attribute, self._words):
                if _stays_empty(tag, attribute):
                    yield self._header(tag, attribute["vr"], 0)
            else:
                yield from self._as_it_is(tag, known[tag], attribute)

    def _as_it_is(
        self, tag: str, element: Element, attribute: Attribute
    ) -> Iterator[bytes | slice]:
        vr: str = attribute["vr"]
        if element.items is not None:
            items = attribute.get("Value") or [{}] * len(element.items)
            content = b"".join(
                self._item(b"".join(self._whole(inner, told)))
                for inner, told in zip(element.items, items, strict=True)
            )
            yield self._header(tag, "SQ", len(content)) + content
            return
        yield self._header(tag, vr, UNDEFINED if element.fragments is not None else element.length)
        place = slice(element.start, element.start + element.length)
        yield place if element.length >= SPAN_FROM else bytes(self._data[place])

    def _whole(self, elements: Sequence[Element], told: Attributes) -> Iterator[bytes]:
        for part in self.data_set(elements, told, {}):
            yield part if isinstance(part, bytes) else bytes(self._data[part])

    def _new(self, tag: str, attribute: Attribute) -> bytes:
        value: Any = (attribute.get("Value") or [""])[0]
        text = value["Alphabetic"] if isinstance(value, dict) else value
        content = text.encode("ascii") + b" " * (len(text) % 2)
        return self._header(tag, attribute["vr"], len(content)) + bytes(content)

    def _item(self, content: bytes) -> bytes:
        return self._place(0xFFFE, 0xE000) + self._long(len(content)) + content

    def _header(self, tag: str, vr: str, length: int) -> bytes:
        place = self._place(int(tag[:4], 16), int(tag[4:], 16))
        if not self._explicit:
            return place + self._long(length)
        if vr in LONG_VRS:
            return place + vr.encode() + self._short(0) + self._long(length)
        if length > MAX_SHORT:
            # A value too long for its VR is written as UN (PS3.5 §6.2.2).
            return place + b"UN" + self._short(0) + self._long(length)
        return place + vr.encode() + self._short(length)
