"""The content tree of a structured report as values (SR Document Content, PS3.3 §C.17.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from serai.imaging.dataset.model_json import Attributes, first_text
from serai.kernel.errors import Invalid

CONTENT, VALUE_TYPE, RELATIONSHIP, CONCEPT = "0040A730", "0040A040", "0040A010", "0040A043"
MEASURED, NUMERIC, UNITS, QUALIFIER = "0040A300", "0040A30A", "004008EA", "0040A301"
CONCEPT_CODE, REFERENCED_SOP, FRAMES = "0040A168", "00081199", "00081160"
GRAPHIC_TYPE, GRAPHIC_DATA, BY_REFERENCE = "00700023", "00700022", "0040DB73"
CODE_VALUES = ("00080100", "00080119", "00080120")
SCHEME, MEANING = "00080102", "00080104"
# Where each value type keeps its value.
TEXTS: Mapping[str, str] = {
    "TEXT": "0040A160",
    "DATETIME": "0040A120",
    "DATE": "0040A121",
    "TIME": "0040A122",
    "PNAME": "0040A123",
    "UIDREF": "0040A124",
}
COMPLETION, VERIFICATION, VERIFIER = "0040A491", "0040A493", "0040A073"
# More is no report that anybody reads.
MOST_ITEMS = 20_000


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept with the words its author gave it."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Number:
    """A measurement; `value` is None where the object holds no number, and `text` what it holds."""

    text: str
    value: float | None
    unit: Code | None

    @property
    def unit_text(self) -> str:
        """The unit as people write it; "1" is UCUM's word for none."""
        if self.unit is None or self.unit.value == "1":
            return ""
        return self.unit.value if self.unit.scheme == "UCUM" else self.unit.meaning


@dataclass(frozen=True, slots=True)
class Referenced:
    """An image or another object that an item speaks of; frames count from 1."""

    sop_class: str
    instance: str
    frames: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One node of the tree."""

    kind: str
    relationship: str
    concept: Code | None
    text: str
    code: Code | None
    number: Number | None
    references: tuple[Referenced, ...]
    children: tuple[Item, ...]

    def walk(self) -> Iterator[Item]:
        """This item and all below it, in the order of reading."""
        yield self
        for child in self.children:
            yield from child.walk()

    def is_called(self, *values: str) -> bool:
        """Whether its concept is one of these codes of DICOM's own scheme."""
        concept = self.concept
        return concept is not None and concept.scheme == "DCM" and concept.value in values

    def child(self, value: str) -> Item | None:
        return next((each for each in self.children if each.is_called(value)), None)


@dataclass(frozen=True, slots=True)
class Report:
    """A structured report: its title is the root's concept."""

    root: Item
    template: str
    complete: bool
    verified: bool
    verifiers: tuple[str, ...]

    @property
    def title(self) -> str:
        return self.root.concept.meaning if self.root.concept else ""


def read(attributes: Attributes) -> Report:
    """From DICOM JSON as the archive keeps it; every SR storage class."""
    template = first_text(_first(attributes, "0040A504"), "0040DB00")
    return Report(
        root=_Reader().item(attributes),
        template=template,
        complete=first_text(attributes, COMPLETION) == "COMPLETE",
        verified=first_text(attributes, VERIFICATION) == "VERIFIED",
        verifiers=tuple(first_text(each, "0040A075") for each in items(attributes, VERIFIER)),
    )


def number_of(text: str) -> float | None:
    """A decimal string as a number; "10.50/ 15.00", as a device wrote it, is none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1e300 else None


def code_of(attributes: Attributes, sequence: str) -> Code | None:
    found = _first(attributes, sequence)
    values = (first_text(found, tag) for tag in CODE_VALUES)
    code = Code(
        next((value for value in values if value), ""),
        first_text(found, SCHEME),
        first_text(found, MEANING),
    )
    return code if code.value or code.meaning else None


def items(attributes: Attributes, sequence: str) -> list[Attributes]:
    """The items of a sequence that hold anything."""
    found = attributes.get(sequence, {}).get("Value") or []
    return [each for each in found if isinstance(each, dict) and each]


def referenced(attributes: Attributes) -> tuple[Referenced, ...]:
    """The objects of a Referenced SOP Sequence."""
    return tuple(
        Referenced(first_text(each, "00081150"), first_text(each, "00081155"), _frames(each))
        for each in items(attributes, REFERENCED_SOP)
    )


class _Reader:
    """Counts what it reads, so that no object makes a page without end."""

    def __init__(self) -> None:
        self._left = MOST_ITEMS

    def item(self, attributes: Attributes) -> Item:
        self._left -= 1
        if self._left < 0:
            raise Invalid("report.too-long", most=MOST_ITEMS)
        kind = first_text(attributes, VALUE_TYPE)
        return Item(
            kind=kind,
            relationship=first_text(attributes, RELATIONSHIP),
            concept=code_of(attributes, CONCEPT),
            text=_text(attributes, kind),
            code=code_of(attributes, CONCEPT_CODE) if kind == "CODE" else None,
            number=_number(attributes) if kind == "NUM" else None,
            references=referenced(attributes),
            children=tuple(self.item(each) for each in items(attributes, CONTENT)),
        )


def _text(attributes: Attributes, kind: str) -> str:
    if kind in TEXTS:
        return "\n".join(_texts(attributes, TEXTS[kind]))
    if kind in ("SCOORD", "SCOORD3D"):
        points = _texts(attributes, GRAPHIC_DATA)
        return f"{first_text(attributes, GRAPHIC_TYPE)} {', '.join(points[:64])}".strip()
    if BY_REFERENCE in attributes:
        place = _texts(attributes, BY_REFERENCE)
        return "→ " + ".".join(place)
    return ""


def _texts(attributes: Attributes, tag: str) -> list[str]:
    values = attributes.get(tag, {}).get("Value") or []
    return [_plain(each) for each in values]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        groups = (str(value.get(name, "")) for name in ("Alphabetic", "Ideographic", "Phonetic"))
        return " ".join(each.replace("^", " ").strip() for each in groups if each)
    return "" if value is None else str(value)


def _number(attributes: Attributes) -> Number:
    """None measured has a qualifier that says why (PS3.3 §C.18.1)."""
    measured = _first(attributes, MEASURED)
    written = _texts(measured, NUMERIC)
    text = "\\".join(written)
    value = number_of(text) if len(written) == 1 else None
    qualifier = code_of(attributes, QUALIFIER)
    if not text and qualifier:
        text = qualifier.meaning
    return Number(text, value, code_of(measured, UNITS))


def _frames(attributes: Attributes) -> tuple[int, ...]:
    return tuple(
        int(each) for each in _texts(attributes, FRAMES) if each.isascii() and each.isdigit()
    )


def _first(attributes: Attributes, sequence: str) -> Attributes:
    return next(iter(items(attributes, sequence)), {})
