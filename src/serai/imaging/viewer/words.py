"""What the viewer's page says of its own accord."""

from __future__ import annotations

from collections.abc import Mapping

from serai.web import wording
from serai.web.languages import N_

KEPT: Mapping[str, str] = {
    "kept": "viewer.kept",
    "again": "viewer.again",
    "sent": "viewer.sent",
    "refused": "viewer.refused",
    "close": "viewer.close",
}

wording.add(
    {
        "viewer.kept": N_(
            "Not saved yet: the server does not answer. What you drew is kept in this browser "
            "and sent as soon as it does."
        ),
        "viewer.again": N_("Send now"),
        "viewer.sent": N_("What was kept in this browser has reached the server."),
        "viewer.refused": N_(
            "The server refused to save. What you drew stays on the screen until you close it."
        ),
        "viewer.close": N_("Close"),
    }
)


def said(key: str) -> str:
    return wording.text(key)
