"""README.TXT of the media: where they come from and how to read them."""

from __future__ import annotations

from datetime import datetime

from serai import __version__
from serai.imaging.media.contents import Contents

TEXT = """\
DICOM images for interchange

Written by Serai {version}, {origin}
on {day} (UTC).

{studies} study or studies, {files} objects, below the folder DICOM.
DICOMDIR lists them (DICOM PS3.10); any DICOM viewer or archive opens it.
{how}
"""
AS_STORED = "Every object is as it was received, bit for bit."
HIDDEN = """\
Who the patient is has been taken out of the attributes of every object.
Writing that is part of a picture itself is still there.
{left_out} documents were left out, because their text may name the patient."""


def readme(contents: Contents, origin: str, now: datetime) -> bytes:
    """For people and in ASCII, with the line ends of the oldest reader."""
    how = HIDDEN.format(left_out=contents.left_out) if contents.hiding else AS_STORED
    text = TEXT.format(
        version=__version__,
        origin=origin,
        day=f"{now:%Y-%m-%d %H:%M}",
        studies=len(contents.resources),
        files=len(contents.files),
        how=how,
    )
    return text.replace("\n", "\r\n").encode("ascii", "replace")
