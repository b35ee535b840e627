"""The sentences of an import's refusals; `wording` translates them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serai.fhir import messages
from serai.kernel.errors import Issue, SeraiError
from serai.web import wording
from serai.web.languages import N_

MOST_ISSUES = 3

wording.add(
    {
        "import.no-such-path": N_("%(path)s does not exist."),
        "import.no-such-organisation": N_("There is no organisation %(organisation)s."),
        "import.report-form": N_("A report is written as one of: %(forms)s."),
        "import.not-recognised": N_("Neither FHIR JSON, NDJSON, DICOM nor a zip of these."),
        "import.not-storable": N_("It holds text that cannot be stored."),
        "import.empty": N_("The file is empty."),
        "import.not-a-file": N_("Not a regular file; links to folders are not followed."),
        "import.unreadable": N_("The file could not be read: %(reason)s"),
        "import.broken-archive": N_("The archive is damaged: %(reason)s"),
        "import.encrypted": N_("The archive is locked with a password."),
        "import.too-deep": N_("Archives within archives go deeper than is followed."),
        "import.too-large": N_("One document is larger than %(most)s MB; split it, or use NDJSON."),
        "import.unpacks-too-far": N_(
            "The archive unpacks to more than %(most)s times its size and looks hostile."
        ),
        "import.line-too-long": N_("A line is too long to be one resource."),
        "import.bundle-shape": N_("The bundle is not built as FHIR says: %(reason)s"),
        "import.bundle-type": N_("Bundles of type “%(type)s” are not imported."),
        "import.entry-without-resource": N_("The entry has neither a resource nor a request."),
        "import.other-type": N_("This is a %(type)s; the file was said to hold only %(wanted)s."),
        "import.redirected": N_("The address leads elsewhere, and that is not followed."),
        "import.answered": N_("The other server answered with status %(status)s."),
        "import.broken-off": N_("The transfer broke off again and again: %(reason)s"),
        "import.encoding": N_("The transfer is encoded in a way that is not offered."),
        "import.fetched-too-large": N_("The file has more than %(most)s MB."),
        "import.method": N_("Entries with the method %(method)s are not imported."),
    }
)


def reason(error: SeraiError) -> str:
    """A sentence, and the first places it is about."""
    said = _words(error.key, error.details)
    if error.issues:
        said = f"{said} " + "; ".join(map(_issue, error.issues[:MOST_ISSUES]))
    if len(error.issues) > MOST_ISSUES:
        said = f"{said}; +{len(error.issues) - MOST_ISSUES}"
    # The words may quote what was sent, and PostgreSQL text takes no NUL.
    return said.replace("\0", "").encode(errors="replace").decode()


def _issue(issue: Issue) -> str:
    words = _words(issue.key, issue.details)
    return f"{issue.path}: {words}" if issue.path else words


def _words(key: str, details: Mapping[str, Any]) -> str:
    return wording.text(key, details) if wording.known(key) else messages.text(key, dict(details))
