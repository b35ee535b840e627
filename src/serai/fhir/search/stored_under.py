"""Where values of one parameter are found under another, so that no value is kept twice.

An Observation has one value, and its code stands beside it: the row that serves
code-value-quantity serves value-quantity and both combinations as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_OF_OBSERVATION: Final[Mapping[str, tuple[str, ...]]] = {
    "value-quantity": ("value-quantity", "code-value-quantity"),
    "component-value-quantity": ("component-value-quantity", "component-code-value-quantity"),
    "combo-value-quantity": (
        "value-quantity",
        "component-value-quantity",
        "code-value-quantity",
        "component-code-value-quantity",
    ),
    "combo-code-value-quantity": ("code-value-quantity", "component-code-value-quantity"),
}
# SampledData is no part of the composites.
_BESIDE: Final = frozenset({"value-quantity", "component-value-quantity"})


def stored_under(resource_type: str, code: str) -> tuple[str, ...]:
    """The parameters whose rows answer for this one."""
    found = _OF_OBSERVATION.get(code) if resource_type == "Observation" else None
    return found or (code,)


def is_kept_elsewhere(resource_type: str, code: str, fhir_type: str) -> bool:
    """Whether a value of that type is already kept under another parameter."""
    if resource_type != "Observation" or code not in _OF_OBSERVATION:
        return False
    return code not in _BESIDE or fhir_type == "Quantity"
