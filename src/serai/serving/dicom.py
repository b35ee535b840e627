"""The DICOM listener's process."""

from __future__ import annotations

import socket
from collections.abc import Callable

from serai.app import fhir_store
from serai.imaging import dimse
from serai.kernel.allocating import return_what_is_free
from serai.platform.settings import Settings


def serve(settings: Settings, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Answer associations until a signal comes; pynetdicom opens its own socket. Performed steps
    write to the record, so that every guard of it holds here too."""
    listening.close()
    return_what_is_free()
    dimse.serve(settings, fhir_store(settings), ready=ready)
