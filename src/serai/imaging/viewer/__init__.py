"""OHIF at /viewer, reading from /dicomweb with the page session's rights."""

from serai.imaging.viewer.routes import routes

__all__ = ["routes"]
