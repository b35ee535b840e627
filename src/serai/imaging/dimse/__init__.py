"""The DICOM network (PS3.7, PS3.8): verification and storage from known application entities."""

from serai.imaging.dimse.listener import Listener, serve

__all__ = ["Listener", "serve"]
