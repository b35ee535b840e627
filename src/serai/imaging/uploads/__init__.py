"""Uploads over bad lines: tus 1.0 at /api/uploads, then the same intake as STOW-RS."""

from serai.imaging.uploads.handing import Opened, handed_over, named
from serai.imaging.uploads.sweeping import sweep_until
from serai.imaging.uploads.unpacking import members

__all__ = ["Opened", "handed_over", "members", "named", "sweep_until"]
