"""DICOMweb (PS3.18): Studies Service with store, search and retrieve transactions."""

from serai.imaging.dicomweb.routes import routes

__all__ = ["routes"]
