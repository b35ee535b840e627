"""The options of the profile (PS3.15 §E.3), by their codes in CID 7050."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final

from serai.kernel.errors import Invalid, Unsupported

BASIC: Final = ("113100", "Basic Application Confidentiality Profile")


class Option(StrEnum):
    """What a project may choose; the value is what APIs and tables call it."""

    CLEAN_PIXEL_DATA = "clean-pixel-data"
    CLEAN_VISUAL_FEATURES = "clean-recognizable-visual-features"
    CLEAN_GRAPHICS = "clean-graphics"
    CLEAN_STRUCTURED_CONTENT = "clean-structured-content"
    CLEAN_DESCRIPTORS = "clean-descriptors"
    RETAIN_FULL_DATES = "retain-full-dates"
    RETAIN_MODIFIED_DATES = "retain-modified-dates"
    RETAIN_PATIENT_CHARACTERISTICS = "retain-patient-characteristics"
    RETAIN_DEVICE_IDENTITY = "retain-device-identity"
    RETAIN_INSTITUTION_IDENTITY = "retain-institution-identity"
    RETAIN_UIDS = "retain-uids"
    RETAIN_SAFE_PRIVATE = "retain-safe-private"


CODES: Final = {
    Option.CLEAN_PIXEL_DATA: ("113101", "Clean Pixel Data Option"),
    Option.CLEAN_VISUAL_FEATURES: ("113102", "Clean Recognizable Visual Features Option"),
    Option.CLEAN_GRAPHICS: ("113103", "Clean Graphics Option"),
    Option.CLEAN_STRUCTURED_CONTENT: ("113104", "Clean Structured Content Option"),
    Option.CLEAN_DESCRIPTORS: ("113105", "Clean Descriptors Option"),
    Option.RETAIN_FULL_DATES: (
        "113106",
        "Retain Longitudinal Temporal Information Full Dates Option",
    ),
    Option.RETAIN_MODIFIED_DATES: (
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
    ),
    Option.RETAIN_PATIENT_CHARACTERISTICS: ("113108", "Retain Patient Characteristics Option"),
    Option.RETAIN_DEVICE_IDENTITY: ("113109", "Retain Device Identity Option"),
    Option.RETAIN_UIDS: ("113110", "Retain UIDs Option"),
    Option.RETAIN_SAFE_PRIVATE: ("113111", "Retain Safe Private Option"),
    Option.RETAIN_INSTITUTION_IDENTITY: ("113112", "Retain Institution Identity Option"),
}


def chosen(names: Iterable[str]) -> frozenset[Option]:
    """The options by their names; refused when they are not offered or contradict each other."""
    options = frozenset(_option(name) for name in names)
    if Option.CLEAN_VISUAL_FEATURES in options:
        # Removing faces from volumes needs what no rule here does: better refused than pretended.
        raise Unsupported("deidentify.faces-not-removed")
    if {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES} <= options:
        raise Invalid("deidentify.dates-both-ways")
    return options


def _option(name: str) -> Option:
    try:
        return Option(name)
    except ValueError as error:
        raise Invalid("deidentify.unknown-option", option=name[:60]) from error


def methods(options: Collection[Option]) -> list[tuple[str, str]]:
    """Code value and meaning of everything that is done, the profile first."""
    return [BASIC, *(CODES[option] for option in Option if option in options)]
