"""The English text behind each key of an issue about a profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MESSAGES: Final[Mapping[str, str]] = {
    "profile.binding-extensible": "No code from {value_set}, which should be used where it fits.",
    "profile.binding-preferred": "No code from the preferred value set {value_set}.",
    "profile.binding-required": "No code from the required value set {value_set}.",
    "profile.cannot-compile": "The profile {profile} has no snapshot that can be used.",
    "profile.constraint": "{human} ({constraint})",
    "profile.constraint-not-run": "The invariant {constraint} could not be evaluated here.",
    "profile.fixed": "Is not the value that the profile fixes.",
    "profile.no-slice": "Fits no slice, and the profile allows no others.",
    "profile.none-fits": "Conforms to none of {profiles}.",
    "profile.not-allowed": "The profile does not allow it.",
    "profile.not-at-end": "What fits no slice must come after the slices.",
    "profile.not-here": "The profile {profile} is not known here; load its package.",
    "profile.order": "The slices are not in the order of the profile.",
    "profile.other-type": "Not the type that {profile} is about.",
    "profile.pattern": "Lacks what the pattern of the profile asks for.",
    "profile.slice-missing": "The profile requires the slice {slice}.",
    "profile.slice-too-many": "The slice {slice} may appear {most} times at most.",
    "profile.target": "The resource referred to conforms to none of {profiles}.",
    "profile.too-costly": "Too large to be checked as a whole; validate its parts.",
    "profile.too-few": "The profile requires at least {least}.",
    "profile.too-high": "Larger than the profile allows.",
    "profile.too-long": "Longer than the {most} characters that the profile allows.",
    "profile.too-low": "Smaller than the profile allows.",
    "profile.too-many": "The profile allows {most} at most.",
    "profile.type": "Not of a type that the profile allows: {allowed}.",
    "profile.unknown": "The profile {profile} is not known here, so this was not held against it.",
    "profile.unknown-extension": "This extension is not defined here.",
    "profile.unknown-modifier": "This modifier extension is not defined here.",
    "profile.value-set-unknown": "Whether the code is in {value_set} is not known here.",
}
