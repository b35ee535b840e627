"""The DICOM listener's process."""

from __future__ import annotations

import socket
from collections.abc import Callable

from serai.imaging import dimse
from serai.platform.settings import Settings


def serve(settings: Settings, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Answer associations until a signal comes; pynetdicom opens its own socket."""
    listening.close()
    dimse.serve(settings, ready=ready)
