"""The picture archive: objects kept exactly as received, indexed, in step with ImagingStudy."""

from serai.imaging.archive.archive import Archive, StudySummary
from serai.imaging.archive.arriving import Arriving
from serai.imaging.archive.content import Received, receive
from serai.imaging.archive.intake import Intake, Outcome

__all__ = ["Archive", "Arriving", "Intake", "Outcome", "Received", "StudySummary", "receive"]
