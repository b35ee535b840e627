"""The one error tree. Errors carry keys and details; each boundary translates them once.

SeraiError
├── Malformed        the request cannot be read
├── Invalid          readable, but breaks a rule of the standard
├── Unauthenticated  nobody we know
├── Forbidden        known, but may not
├── NotFound         is not there, or may not be known to be there
│   └── Gone         was there and has been deleted
├── Conflict         the record moved on; reload and retry
├── Stale            the caller's precondition no longer holds (If-Match)
├── TooLarge         more than this server takes at once
├── Unsupported      a form or feature this server does not offer
├── RateLimited      too many tries
└── Unavailable      a part this server needs does not answer
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Issue:
    """One finding about one place, in the words of FHIR's OperationOutcome.issue.

    `code` is an IssueType code (http://hl7.org/fhir/R4/valueset-issue-type.html);
    `path` a FHIRPath-like location such as ``Patient.name[0].family``.
    """

    code: str
    key: str
    path: str = ""
    severity: str = "error"
    details: dict[str, Any] = field(default_factory=dict)


class SeraiError(Exception):
    """Base of every refusal; `key` names the message, `details` fill it in."""

    def __init__(self, key: str, *, issues: tuple[Issue, ...] = (), **details: Any) -> None:
        super().__init__(key)
        self.key = key
        self.details = details
        self.issues = issues

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value!r}" for name, value in self.details.items())
        places = "; ".join(f"{issue.path}: {issue.key}" for issue in self.issues)
        return " ".join(part for part in (self.key, facts, places) if part)


class Malformed(SeraiError):
    """The request cannot be read."""


class Invalid(SeraiError):
    """Readable, but breaks a rule of the standard or of the form."""


class Unauthenticated(SeraiError):
    """Nobody we know; sign in first."""


class Forbidden(SeraiError):
    """Known, but may not."""


class NotFound(SeraiError):
    """Is not there, or the actor may not know that it is."""


class Gone(NotFound):
    """Was there and has been deleted."""


class Conflict(SeraiError):
    """The record moved on; reload and retry."""


class Stale(SeraiError):
    """The caller's precondition no longer holds."""


class TooLarge(SeraiError):
    """More than this server takes at once."""


class Unsupported(SeraiError):
    """A form or feature this server does not offer."""


class RateLimited(SeraiError):
    """Too many tries; `details["seconds"]` says how long to wait."""


class Unavailable(SeraiError):
    """A part this server needs does not answer."""
