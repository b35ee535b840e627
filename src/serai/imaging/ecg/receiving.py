"""The archive's front door for files that may be ECGs in a form of their own."""

from __future__ import annotations

from pathlib import Path

from serai.imaging.archive import Received
from serai.imaging.archive import receive as receive_object


def receive(content: bytes | Path) -> Received:
    """The object to keep: the file itself, or what an ECG file was turned into."""
    return receive_object(content)
