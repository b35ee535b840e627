"""What a project does to any attribute: the table's action, or one by VR where it has no row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydicom.datadict import dictionary_has_tag

from serai.deidentify.profile.options import Option
from serai.deidentify.profile.table import rule_for, settled
from serai.deidentify.scrubbing.values import DATE_VRS, FREE_TEXT_VRS, TEXT_VRS

# Icons are pictures again, with what is burned into them; nothing needs them.
ICON: Final = 0x00880200
# Describes what may follow; values that no row of the table would let through.
ALWAYS_GONE: Final = frozenset({ICON, 0x04000561, 0xFFFAFFFA, 0xFFFCFFFC})
NAMES_AND_ADDRESSES: Final = frozenset({"AE", "PN", "UR"})
# Repeating groups 50xx and 60xx; a curve can be drawn to read as text, and is retired.
CURVES, OVERLAYS = 0x50, 0x60
BULK: Final = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})


@dataclass(frozen=True, slots=True)
class Plan:
    """The options chosen, for objects of one SOP class."""

    options: frozenset[Option]
    sop_class: str

    def action(self, tag: int, vr: str, *, nested: bool, strict: bool = False) -> str:
        """One of D Z X K C U; W for what stays unless it names the patient. `strict` is for
        what lies in a sequence that is to be cleaned: its texts are, instead of going."""
        if tag in ALWAYS_GONE or tag >> 16 < 8 or tag >> 24 == CURVES:
            return "X"
        rule = rule_for(tag)
        if rule is not None:
            return settled(rule.action(self.options), tag, self.sop_class, nested=nested)
        if strict and vr in FREE_TEXT_VRS:
            return "C"
        return self._unlisted(tag, vr)

    def _unlisted(self, tag: int, vr: str) -> str:
        """Deny by default: a date, a name or free text that the table forgot is still one."""
        if tag >> 24 == OVERLAYS:
            return "W" if vr not in TEXT_VRS - {"CS"} else "X"
        if vr == "UN" or not dictionary_has_tag(tag) or vr in NAMES_AND_ADDRESSES:
            return "X"
        if vr in DATE_VRS:
            return self._dates()
        if vr in FREE_TEXT_VRS:
            return "C" if Option.CLEAN_DESCRIPTORS in self.options else "X"
        if vr == "UI":
            return "K" if Option.RETAIN_UIDS in self.options else "U"
        return "W"

    def _dates(self) -> str:
        if Option.RETAIN_FULL_DATES in self.options:
            return "K"
        return "C" if Option.RETAIN_MODIFIED_DATES in self.options else "X"

    @property
    def cleans_graphics(self) -> bool:
        return Option.CLEAN_GRAPHICS in self.options
