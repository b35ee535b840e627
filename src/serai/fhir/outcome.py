"""Errors to OperationOutcome (R4 §3.1.0.6): the one place where this boundary translates."""

from __future__ import annotations

from typing import Any

from serai.fhir.body import encode
from serai.fhir.messages import text
from serai.kernel.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    Issue,
    Malformed,
    NotFound,
    RateLimited,
    SeraiError,
    Stale,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
)


class NotAcceptable(Unsupported):
    """The only form this server answers in is not one the client takes."""


class MethodNotAllowed(Unsupported):
    """The address exists, but not for this method; `details["allow"]` lists those it has."""


# Status and IssueType (http://hl7.org/fhir/R4/valueset-issue-type.html) of each error.
BY_ERROR: dict[type[SeraiError], tuple[int, str]] = {
    Malformed: (400, "structure"),
    Unauthenticated: (401, "login"),
    Forbidden: (403, "forbidden"),
    NotFound: (404, "not-found"),
    MethodNotAllowed: (405, "not-supported"),
    NotAcceptable: (406, "not-supported"),
    Conflict: (409, "conflict"),
    Gone: (410, "deleted"),
    Stale: (412, "conflict"),
    TooLarge: (413, "too-long"),
    Unsupported: (415, "not-supported"),
    Invalid: (422, "invalid"),
    RateLimited: (429, "throttled"),
    Unavailable: (503, "transient"),
}

_BY_KEY = {
    "search.unknown-parameter": "not-supported",
    "search.unsupported-parameter": "not-supported",
    "search.modifier": "not-supported",
    "search.sort": "not-supported",
    "search.sort-too-many": "too-costly",
    "search.summary": "not-supported",
    "search.include": "not-supported",
    "search.too-long": "too-costly",
    "search.if-match-several": "multiple-matches",
    "search.several-matches": "multiple-matches",
    "bundle.type": "not-supported",
    "bundle.method": "not-supported",
    "terminology.filter": "not-supported",
    "terminology.incomplete": "not-found",
    "terminology.not-offered": "not-supported",
    "terminology.too-costly": "too-costly",
}


def status_of(error: SeraiError) -> int:
    return _entry(error)[0]


def of_error(error: SeraiError) -> bytes:
    """The OperationOutcome of a refusal; its issues when it names places, else itself."""
    issues = error.issues or (_issue(error),)
    return of_issues(issues)


def of_issues(issues: tuple[Issue, ...]) -> bytes:
    return encode({"resourceType": "OperationOutcome", "issue": [_written(one) for one in issues]})


def done(key: str, sentence: str) -> bytes:
    """What `Prefer: return=OperationOutcome` gets for a success."""
    issue = {"severity": "information", "code": "informational", "diagnostics": sentence}
    return encode({"resourceType": "OperationOutcome", "id": key, "issue": [issue]})


def _entry(error: SeraiError) -> tuple[int, str]:
    return next(BY_ERROR[kind] for kind in type(error).__mro__ if kind in BY_ERROR)


def _issue(error: SeraiError) -> Issue:
    code = _BY_KEY.get(error.key, _entry(error)[1])
    path = str(error.details.get("place", ""))
    return Issue(code=code, key=error.key, path=path, details=error.details)


def _written(issue: Issue) -> dict[str, Any]:
    written: dict[str, Any] = {
        "severity": issue.severity,
        "code": issue.code,
        "details": {"coding": [{"system": "https://serai.health/fhir/errors", "code": issue.key}]},
        "diagnostics": text(issue.key, issue.details),
    }
    if issue.path:
        written["expression"] = [issue.path]
    return written
