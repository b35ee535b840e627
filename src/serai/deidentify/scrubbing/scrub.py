"""One data set without its patient: each element by its action, sequences item by item.

What cannot be read goes. What the table does not name stays only if it does not name the
patient. Every text is read in its character set and written in UTF-8.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from serai.deidentify.profile.options import Option
from serai.deidentify.scrubbing import values, words
from serai.deidentify.scrubbing.collecting import readable
from serai.deidentify.scrubbing.dates import shifted
from serai.deidentify.scrubbing.identity import Identity
from serai.deidentify.scrubbing.plan import BULK, Plan
from serai.deidentify.scrubbing.private import safe_elements
from serai.deidentify.scrubbing.subject import Subject

CHARACTER_SET: Final = 0x00080005
CONTENT: Final = 0x0040A730
PATIENT_NAME, PATIENT_ID, PATIENT_AGE = 0x00100010, 0x00100020, 0x00101010
CODE_VALUES: Final = frozenset({0x00080100, 0x00080119, 0x00080120})
SCHEME: Final = 0x00080102
# Codes that hospitals make up for themselves can be anything, a name included.
PUBLIC_SCHEMES: Final = values.listed(
    "DCM SCT SRT LN UCUM RADLEX FMA NCIt UMLS MDC NEU MSH RXNORM I10 I9 SNM3 99SDM ACR BARI "
    "IBSI ITIS_TSN PUBCHEM_CID MAYOASRG RadElement 99SERAI"
)
# Code strings that hold a document together (PS3.3 §C.17.3).
STRUCTURE: Final = values.listed(
    "text num code datetime date time uidref pname container composite image waveform scoord "
    "scoord3d tcoord table contains has obs properties concept mod acq context inferred from "
    "selected separate continuous"
)
OLDEST: Final = 89


@dataclass(frozen=True, slots=True)
class Scrub:
    """A plan for one object of one subject; `words` is for text, `rare` for what is not text."""

    plan: Plan
    subject: Subject
    identity: Identity
    rare: Identity

    @classmethod
    def of(cls, plan: Plan, subject: Subject, identity: Identity) -> Scrub:
        """Words that a modality writes anyway, such as HEAD, say nothing outside of free text."""
        usual = words.vocabulary() | STRUCTURE
        unusual = Identity(identity.words - usual, identity.phrases - usual, identity.dates)
        return cls(plan, subject, identity, unusual)

    def data_set(self, data_set: Any, *, nested: bool = False, strict: bool = False) -> None:
        """In place. `strict` cleans every text of a sequence that stays to be cleaned."""
        safe = (
            safe_elements(data_set)
            if Option.RETAIN_SAFE_PRIVATE in self.plan.options
            else frozenset[int]()
        )
        local = _is_local_code(data_set)
        for tag in list(data_set.keys()):
            element = readable(data_set, tag)
            if element is None or (tag.is_private and int(tag) not in safe):
                del data_set[tag]
            elif tag.is_private:
                self._checked(data_set, element)
            elif local and int(tag) in CODE_VALUES and strict:
                element.value = values.CODE[0]
            else:
                self._element(data_set, element, nested=nested, strict=strict)
        if CHARACTER_SET in data_set or not nested:
            data_set.SpecificCharacterSet = "ISO_IR 192"

    def _element(self, data_set: Any, element: Any, *, nested: bool, strict: bool) -> None:
        tag = int(element.tag)
        if tag in BULK or tag == CHARACTER_SET:
            return
        action = self.plan.action(tag, element.VR, nested=nested, strict=strict)
        if action == "X":
            del data_set[element.tag]
        elif action == "Z":
            element.value = values.empty(element.VR)
        elif action == "D":
            self._dummy(element)
        elif element.VR == "SQ":
            for item in element.value:
                self.data_set(item, nested=True, strict=strict or action == "C")
        else:
            self._value(data_set, element, action, strict=strict)

    def _value(self, data_set: Any, element: Any, action: str, *, strict: bool) -> None:
        """Something of it stays: C, U, K or what no rule names."""
        loose = element.VR in values.TEXT_VRS - {"CS"} and int(element.tag) not in CODE_VALUES
        if action == "U":
            element.value = self._uids(element.value)
        elif action == "C" or (strict and loose):
            self._cleaned(data_set, element)
        else:
            self._checked(data_set, element)

    def _dummy(self, element: Any) -> None:
        if element.VR == "UI":
            element.value = self._uids(element.value) or self.subject.uid(str(element.tag))
        elif element.VR != "SQ":
            element.value = values.dummy(element.VR)
        elif int(element.tag) == CONTENT:
            element.value = [_comment()]
        else:
            for item in element.value:
                self._blank(item)

    def _blank(self, item: Any) -> None:
        """The structure of an item that an IOD requires, with nobody in it."""
        self.data_set(item, nested=True)
        for element in list(item):
            if element.VR == "SQ":
                for each in element.value:
                    self._blank(each)
            elif element.VR in values.STRING_VRS - {"UI", "CS", "DS", "IS"} and element.value:
                element.value = values.dummy(element.VR)
            elif element.VR in values.BYTES_VRS:
                del item[element.tag]
        if SCHEME in item:
            item.CodingSchemeDesignator = values.CODE[1]

    def _cleaned(self, data_set: Any, element: Any) -> None:
        if element.VR in values.DATE_VRS:
            self._moved(data_set, element)
        elif element.VR in values.TEXT_VRS:
            cleaned = [words.cleaned(one, self.identity) for one in values.texts(element.value)]
            element.value = cleaned if len(cleaned) > 1 else "".join(cleaned)
        elif element.VR in values.BYTES_VRS:
            # Overlays are cleaned with the pixels; no other bytes can be.
            if not (self.plan.cleans_graphics and element.tag.group >> 8 == 0x60):
                del data_set[element.tag]
        else:
            self._checked(data_set, element)

    def _moved(self, data_set: Any, element: Any) -> None:
        if element.VR == "TM":
            return
        moved = [shifted(one, self.subject.shift_days) for one in values.texts(element.value)]
        if moved and all(moved):
            element.value = moved if len(moved) > 1 else moved[0]
        else:
            del data_set[element.tag]

    def _uids(self, value: Any) -> Any:
        found = [self.subject.uid(one.strip("\0 ")) for one in values.texts(value)]
        return found if len(found) > 1 else "".join(found)

    def _checked(self, data_set: Any, element: Any) -> None:
        """What may stay, if nothing in it names the patient."""
        if int(element.tag) == PATIENT_AGE:
            element.value = _capped(element.value)
        elif self._names_patient(element):
            if element.VR in values.BYTES_VRS:
                del data_set[element.tag]
            else:
                element.value = values.dummy(element.VR)

    def _names_patient(self, element: Any) -> bool:
        if element.VR == "SQ":
            for item in element.value:
                self.data_set(item, nested=True)
            return False
        if element.VR in values.BYTES_VRS:
            raw = element.value if isinstance(element.value, bytes) else b""
            return self.rare.is_in_bytes(raw)
        if element.VR in ("DS", "IS"):
            return any(one.strip() in self.rare.phrases for one in values.texts(element.value))
        return names(self.rare, element)


def names(identity: Identity, element: Any) -> bool:
    """Whether a text names the patient; a code string only when a word of it does."""
    if element.VR not in values.STRING_VRS - {"UI"}:
        return False
    found = identity.stands_in if element.VR == "CS" else identity.is_in
    return any(found(one) for one in values.texts(element.value))


def _is_local_code(data_set: Any) -> bool:
    scheme = str(data_set.get("CodingSchemeDesignator") or "").strip()
    return bool(scheme) and scheme not in PUBLIC_SCHEMES


def _capped(value: Any) -> str:
    """Ages over 89 are so rare that they tell who somebody is; they become 90."""
    text = str(value or "").strip()
    if len(text) == 4 and text[:3].isdigit() and text[3] == "Y" and int(text[:3]) > OLDEST:
        return "090Y"
    return text if len(text) == 4 and text[:3].isdigit() and text[3] in "DWMY" else ""


def _comment() -> Any:
    """A content item that says only that there was content."""
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "121106", "DCM", "Comment"
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.ConceptNameCodeSequence = [code]
    item.TextValue = values.REMOVED
    return item
