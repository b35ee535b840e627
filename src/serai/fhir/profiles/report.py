"""Collects what a walk finds: each thing once, and no more than somebody can read."""

from __future__ import annotations

from serai.fhir.validation.findings import Place, written
from serai.kernel.errors import Issue

ENOUGH = 500
ENOUGH_GRAVE = 1000
GRAVE = ("fatal", "error")


class Report:
    """The issues in the order they were found."""

    def __init__(self) -> None:
        self._issues: dict[tuple[str, str, str, str], Issue] = {}

    @property
    def issues(self) -> list[Issue]:
        return list(self._issues.values())

    @property
    def fails(self) -> bool:
        return any(one.severity in GRAVE for one in self._issues.values())

    def add(
        self, code: str, key: str, place: Place, severity: str = "error", **details: object
    ) -> None:
        if self._takes(severity):
            self.take(Issue(code, key, written(place), severity, details))

    def take(self, issue: Issue) -> None:
        told = (issue.severity, issue.key, issue.path, repr(sorted(issue.details.items())))
        if self._takes(issue.severity):
            self._issues.setdefault(told, issue)

    def _takes(self, severity: str) -> bool:
        return len(self._issues) < (ENOUGH_GRAVE if severity in GRAVE else ENOUGH)
