"""What uploads are refused for, in words."""

from __future__ import annotations

from typing import Any

from serai.web import wording
from serai.web.languages import N_

wording.add(
    {
        "uploads.beyond-length": N_("More was sent than the upload was said to hold."),
        "uploads.checksum": N_("A part was damaged on its way and must be sent again."),
        "uploads.checksum-algorithm": N_("This checksum is not known here."),
        "uploads.content-differs": N_("The file arrived damaged and must be sent again."),
        "uploads.content-type": N_("The bytes of an upload need their own content type."),
        "uploads.incomplete": N_("The upload is not complete yet."),
        "uploads.length": N_("An upload must say how long it is."),
        "uploads.metadata": N_("What was said about the upload cannot be read."),
        "uploads.not-there": N_("There is no such upload of yours, or its time is up."),
        "uploads.object-too-large": N_("One file is larger than this server takes."),
        "uploads.offset": N_("The upload stands at another place: ask where, and go on there."),
        "uploads.offset-missing": N_("The place at which the bytes go on is missing."),
        "uploads.taken-over": N_("Another connection goes on with this upload."),
        "uploads.too-large": N_("The file is larger than %(megabytes)s MB."),
        "uploads.too-many": N_("At most %(most)s uploads can be open at once."),
        "uploads.zip-broken": N_("The zip archive is damaged or protected."),
        "uploads.zip-too-large": N_("Unpacked, the zip archive is larger than %(gigabytes)s GB."),
        "uploads.zip-too-many": N_("The zip archive holds more than %(most)s files."),
    }
)


def told(result: dict[str, Any]) -> dict[str, Any]:
    """A result with its refusals in the reader's language."""
    objects = [
        each | ({"reason": wording.text(each["error"])} if "error" in each else {})
        for each in result.get("objects", [])
    ]
    return result | {"objects": objects}
