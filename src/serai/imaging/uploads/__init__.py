"""Uploads over bad lines: tus 1.0 at /api/uploads, then the same intake as STOW-RS."""

from serai.imaging.uploads.api import router
from serai.imaging.uploads.handing import Opened, handed_over, named
from serai.imaging.uploads.members import members
from serai.imaging.uploads.sweeping import sweep_until

__all__ = ["Opened", "handed_over", "members", "named", "router", "sweep_until"]
