"""A process of the DICOM listener."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from serai.imaging import dimse
from serai.kernel.allocating import return_what_is_free
from serai.platform.settings import Settings
from serai.record import fhir_store


def serve(
    settings: Settings, listening: Sequence[socket.socket], ready: Callable[[], None]
) -> None:
    """Answer associations until a signal comes. Performed steps write to the record, so that
    every guard of it holds here too."""
    web, *of_dicom = listening
    web.close()
    return_what_is_free()
    dimse.serve(settings, fhir_store(settings), of_dicom, ready=ready)
