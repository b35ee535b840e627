"""Codes and the value sets they are bound to (R4 §4.1.5), whatever the strength."""

from __future__ import annotations

from typing import Any, Final

from serai.fhir.profiles.model import Binding
from serai.fhir.profiles.report import Report
from serai.fhir.profiles.scene import Known, Question
from serai.fhir.profiles.values import Item

SEVERITY: Final = {"required": "error", "extensible": "warning", "preferred": "information"}


def questions(value: Any, value_set: str) -> list[Question]:
    """One for each code in a code, Coding, CodeableConcept or Quantity."""
    if isinstance(value, str):
        return [(value_set, None, value)]
    if not isinstance(value, dict):
        return []
    codings = value.get("coding")
    listed = codings if isinstance(codings, list) else [value]
    return [
        (value_set, system if isinstance(system, str) else None, code)
        for one in listed
        if isinstance(one, dict)
        for system, code in [(one.get("system"), one.get("code"))]
        if isinstance(code, str)
    ]


def is_member(value: Any, value_set: str, known: Known) -> bool | None:
    """Whether one of its codes is in the value set; None when that cannot be told (yet)."""
    asked = questions(value, value_set)
    known.questions.update(asked)
    answers = [known.answers.get(one) for one in asked]
    if any(answer is True for answer in answers):
        return True
    return None if None in answers else False


def check(binding: Binding, item: Item, known: Known, report: Report) -> None:
    severity = SEVERITY.get(binding.strength)
    if severity is None or item.value is None:
        return
    if _says_why_not(item.value) or (binding.strength != "required" and _is_text(item.value)):
        return
    member = is_member(item.value, binding.value_set, known)
    if member is False:
        report.add(
            "code-invalid", f"profile.binding-{binding.strength}", item.place, severity,
            value_set=binding.value_set,
        )  # fmt: skip
    elif member is None:
        doubt = "information" if severity == "information" else "warning"
        report.add(
            "not-found", "profile.value-set-unknown", item.place, doubt,
            value_set=binding.value_set,
        )  # fmt: skip


def _is_text(value: Any) -> bool:
    return isinstance(value, dict) and "coding" not in value and "code" not in value


def _says_why_not(value: Any) -> bool:
    """Only extensions, which say why there is no code."""
    return isinstance(value, dict) and value.keys() <= {"extension", "id"}
